// SPDX-License-Identifier: Apache-2.0

import { ownerOfRule, type RuleOwner } from './owner.ts'

/** Rules of one backend by owner; line numbers are the first rule of each, for evidence. */
export interface RuleCount {
  readonly owner: RuleOwner
  readonly count: number
  readonly file: string
  readonly line: number
}

/** Counts rules in an `iptables-save` text without reading what they mean: large rule sets have 100,000 lines. */
export function countSavedRules(text: string, file: string): RuleCount[] {
  const tally = new Tally(file)
  let table = ''
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    else if (table !== '') {
      const chain = /^(?:\[\d+:\d+\] )?-A (\S+)/.exec(line)?.[1]
      if (chain !== undefined) tally.add(ownerOfRule(table, chain, line), index + 1)
    }
  }
  return tally.counts()
}

/**
 * Counts rules in an `nft list ruleset` text with handles. Tables that iptables-nft keeps are left out, because the save
 * text shows them already.
 */
export function countNftRules(text: string, file: string): RuleCount[] {
  const tally = new Tally(file)
  let table = ''
  let chain = ''
  let foreign = false
  let previous = ''
  for (const [index, line] of text.split('\n').entries()) {
    const opensTable = /^table \S+ (\S+) \{/.exec(line)
    const opensChain = /^\tchain (\S+) \{/.exec(line)
    if (opensTable !== null) {
      table = opensTable[1] ?? ''
      foreign =
        /^table (ip|ip6|arp|bridge) (filter|nat|mangle|raw|security) \{/.test(line) ||
        previous.includes('managed by iptables-nft')
    } else if (opensChain !== null) chain = opensChain[1] ?? ''
    else if (line === '\t}') chain = ''
    else if (chain !== '' && !foreign && / # handle \d+$/.test(line)) tally.add(ownerOfRule(table, chain, line), index + 1)
    previous = line
  }
  return tally.counts()
}

class Tally {
  readonly #file: string
  readonly #found = new Map<RuleOwner, { count: number; line: number }>()

  constructor(file: string) {
    this.#file = file
  }

  add(owner: RuleOwner, line: number): void {
    const found = this.#found.get(owner)
    if (found === undefined) this.#found.set(owner, { count: 1, line })
    else found.count += 1
  }

  counts(): RuleCount[] {
    return [...this.#found].map(([owner, { count, line }]) => ({ owner, count, file: this.#file, line }))
  }
}
