// SPDX-License-Identifier: Apache-2.0

import type { NftSet, Statement } from './statement.ts'
import type { HookName } from './traversal.ts'

/**
 * One rule model for iptables-legacy, iptables-nft and nft. Parsers fill it, the evaluator reads it, and neither knows the
 * other: a rule is a list of statements in the kernel's order, each a match (goes on or stops) or an action.
 */

export type Backend = 'legacy' | 'iptables-nft' | 'nft'
export type TableFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev'

/** Of a rule: which text it came from. Lines count from 1. */
export interface Position {
  readonly file: string
  readonly line: number
}

/** Something a parser did not understand. The rest of the file was still read. */
export interface ParseProblem {
  readonly position: Position
  readonly reason: string
  readonly text: string
  /** More is missing than what stands at this place: the text is cut off. */
  readonly cutOff?: true
}

export interface Ruleset {
  readonly tables: readonly Table[]
  readonly problems: readonly ParseProblem[]
}

export interface Table {
  readonly backend: Backend
  readonly family: TableFamily
  readonly name: string
  readonly dormant: boolean
  readonly chains: ReadonlyMap<string, Chain>
  /** nft sets, maps and verdict maps by name; anonymous ones live in their statement. */
  readonly sets: ReadonlyMap<string, NftSet>
}

export interface Chain {
  readonly name: string
  readonly base: BaseChain | undefined
  readonly rules: readonly Rule[]
  readonly position: Position
}

export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route'
  readonly hook: HookName
  /** Numeric, for example raw -300, conntrack -200, mangle -150, dstnat -100, filter 0, security 50, srcnat 100. */
  readonly priority: number
  readonly devices: readonly string[]
  readonly policy: 'accept' | 'drop'
}

export interface Rule {
  readonly position: Position
  /** As a person knows it: the save line or the nft rule text. */
  readonly text: string
  readonly comment: string | undefined
  readonly handle: number | undefined
  readonly statements: readonly Statement[]
}
