// SPDX-License-Identifier: Apache-2.0

import type { Ruleset, Table } from '../../core/netfilter/ruleset.ts'

/**
 * A ruleset as comparable text, one line for each thing: without positions, and without what nft 1.0's JSON is known to leave
 * out (devices of ingress chains, `dynamic` flags, table flags).
 */
export function outline(ruleset: Ruleset): string[] {
  return ruleset.tables.flatMap((table) => tableOutline(table)).sort()
}

function tableOutline(table: Table): string[] {
  const at = `${table.family} ${table.name}`
  const lines = [`${at}: ${table.backend}`]
  for (const set of table.sets.values()) {
    const flags = set.flags.filter((flag) => flag !== 'dynamic')
    const elements = set.elements.map(({ line: _, ...element }) => element)
    lines.push(`${at} set ${set.name}: ${json({ ...set, flags, elements, position: undefined })}`)
  }
  for (const chain of table.chains.values()) {
    lines.push(`${at} chain ${chain.name}: ${json(chain.base === undefined ? null : { ...chain.base, devices: undefined })}`)
    for (const [i, rule] of chain.rules.entries()) {
      lines.push(`${at} chain ${chain.name} rule ${i}: ${json([rule.handle, rule.comment, rule.statements])}`)
    }
  }
  return lines
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))
}

/** Rule texts by handle, without what the two forms are free to write differently. */
export function texts(ruleset: Ruleset): Map<string, string> {
  const result = new Map<string, string>()
  for (const table of ruleset.tables) {
    for (const chain of table.chains.values()) {
      for (const rule of chain.rules) result.set(`${table.family} ${table.name} ${rule.handle}`, normalised(rule.text))
    }
  }
  return result
}

/** State that changes, and times JSON leaves out, are not compared. */
function normalised(text: string): string {
  return text
    .replaceAll(' [invalid type]', '')
    .replaceAll(/0x([0-9a-f]+)/g, (_, digits) => String(BigInt(`0x${digits}`)))
    .replaceAll(/ used \d+ \w+/g, '')
    .replaceAll(/ timeout \w+/g, '')
    .replaceAll(/ct (original|reply) ip6? ([sd]addr)/g, 'ct $1 $2')
    .replaceAll(/icmp type (\S+)-(\S+)/g, 'icmp type range')
}

/** The first lines that differ, for a message. */
export function firstDifferences(text: readonly string[], json: readonly string[]): string {
  const inText = new Set(text)
  const inJson = new Set(json)
  const onlyText = text.filter((line) => !inJson.has(line)).slice(0, 5)
  const onlyJson = json.filter((line) => !inText.has(line)).slice(0, 5)
  return [...onlyText.map((line) => `text: ${line}`), ...onlyJson.map((line) => `json: ${line}`)].join('\n')
}
