// SPDX-License-Identifier: Apache-2.0

/** Patterns of names as Hubble takes them (pkg/hubble/filters/patterns.go). */

/** DNS names: `*` stands for any part, dots included. @throws Error for what no such pattern is. */
export function dnsNameTest(patterns: readonly string[]): (name: string) => boolean {
  return wholeMatch(patterns.map(partPattern))
}

/**
 * Node names: `CLUSTER/NODE`, `NODE`, `CLUSTER/`; a name without a cluster is of the cluster `default`.
 * @throws Error for what no such pattern is.
 */
export function nodeNameTest(patterns: readonly string[]): (name: string) => boolean {
  const test = wholeMatch(patterns.map(nodePattern))
  return (name) => name !== '' && test(name.includes('/') ? name : `default/${name}`)
}

const ANY_NAME = '(?:[-0-9_a-z]+(?:\\.[-0-9_a-z]+)*)'

function wholeMatch(alternatives: readonly string[]): (name: string) => boolean {
  const pattern = new RegExp(`^(?:${alternatives.join('|')})$`)
  return (name) => pattern.test(name)
}

function nodePattern(pattern: string): string {
  if (pattern === '') throw new Error('a pattern is empty')
  const parts = pattern.split('/')
  if (parts.length > 2) throw new Error(`\`${pattern}\` has more than one slash`)
  const [node = '', cluster = ''] = parts.reverse()
  return [cluster, node].map((part) => (part === '' ? ANY_NAME : partPattern(part))).join('/')
}

function partPattern(pattern: string): string {
  const name = pattern.trim().replace(/\.$/, '').toLowerCase()
  if (name === '') throw new Error('a pattern is empty')
  if (name.endsWith('.')) throw new Error(`\`${pattern}\` ends with several dots`)
  const wrong = /[^-.*_0-9a-z]/u.exec(name)
  if (wrong !== null) throw new Error(`\`${wrong[0]}\` can't stand in a pattern of names`)
  return name.replaceAll('.', '\\.').replaceAll('*', '[-.0-9a-z]*')
}
