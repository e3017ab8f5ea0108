// SPDX-License-Identifier: Apache-2.0

import { ownerOf } from '../netfilter/owner.ts'
import type { Backend } from '../netfilter/ruleset.ts'

/** Rules of one backend by owner; line numbers are the first rule of each, for evidence. */
export interface RuleCount {
  /** As core/netfilter/owner.ts names them; "unknown" is what a migration must look at. */
  readonly owner: string
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
      if (chain !== undefined) tally.add(ownerOfLine('iptables-nft', table, chain, line), index + 1)
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
    else if (chain !== '' && !foreign && / # handle \d+$/.test(line)) tally.add(ownerOfLine('nft', table, chain, line), index + 1)
    previous = line
  }
  return tally.counts()
}

/** A jump into an owner's chain, or a comment it writes, belongs to that owner as well. */
function ownerOfLine(backend: Backend, table: string, chain: string, line: string): string {
  const target = /(?:-[jg]|jump|goto) "?([^\s"]+)/.exec(line)?.[1]
  const comment = /comment "((?:[^"\\]|\\.)*)"/.exec(line)?.[1]
  return ownerOf({ backend, name: table }, chain, comment, target)
}

class Tally {
  readonly #file: string
  readonly #found = new Map<string, { count: number; line: number }>()

  constructor(file: string) {
    this.#file = file
  }

  add(owner: string, line: number): void {
    const found = this.#found.get(owner)
    if (found === undefined) this.#found.set(owner, { count: 1, line })
    else found.count += 1
  }

  counts(): RuleCount[] {
    return [...this.#found].map(([owner, { count, line }]) => ({ owner, count, file: this.#file, line }))
  }
}
