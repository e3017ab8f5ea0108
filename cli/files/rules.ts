// SPDX-License-Identifier: Apache-2.0

import { FactsError } from '../../core/facts/error.ts'
import { decodeText } from '../../core/facts/text.ts'
import { readBytes } from './reading.ts'

/** The text of one file with rules, and the name to show for it. */
export interface RuleText {
  readonly file: string
  readonly text: string
}

/** What kinds of text there are, by what a person calls them. */
const KINDS = {
  'iptables-save': { output: 'iptables-save', option: '--iptables-save' },
  nft: { output: '`nft list ruleset`', option: '--nft' },
  ipset: { output: '`ipset save`', option: '--ipset' },
} as const

export type RuleKind = keyof typeof KINDS

/**
 * Reads a file that should hold this kind of text. Empty is right where nothing is set up: no ipsets, one of several backends.
 * Throws FactsError when it is binary, or plainly another kind.
 */
export function readRules(file: string, kind: RuleKind): RuleText {
  const shown = file === '-' ? 'standard input' : file
  const text = decodeText(readBytes(file), shown)
  const found = recognise(text)
  if (found !== undefined && found !== kind) {
    throw new FactsError(`is the output of ${KINDS[found].output}: give it with \`${KINDS[found].option}\``, { file: shown })
  }
  return { file: shown, text }
}

/** By the first line that says something; undefined when it could be anything. */
export function recognise(text: string): RuleKind | undefined {
  const line = /^[^\S\n]*(?!#)\S.*$/m.exec(text)?.[0].trim() ?? ''
  if (/^(\*[a-z]+$|:\S+ |\[\d+:\d+\] -A |-[PNAI] )/.test(line)) return 'iptables-save'
  if (
    /^(table [a-z0-9]+ \S+ \{|add (table|chain|rule|set|map) |flush ruleset|#!.*nft)/.test(line) ||
    /^\s*\{\s*"nftables"/.test(text)
  )
    return 'nft'
  return /^(create \S+ (hash|bitmap|list):|add \S+ [0-9a-f])/.test(line) ? 'ipset' : undefined
}
