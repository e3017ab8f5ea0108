// SPDX-License-Identifier: Apache-2.0

import type { Element, Scalar } from '../statement.ts'

/** What an expression yields for a packet: a plain scalar when it is known, else one of these. */
export type Value = Scalar | SpecialValue

export type SpecialValue =
  /** The packet has no such thing: the rule does not match (NFT_BREAK). */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly missing: string }
  /** Known to lie here, both ends included: an ephemeral source port. */
  | { readonly kind: 'between'; readonly from: number; readonly to: number; readonly missing: string }
  /** Each of `offset` … `offset + modulus - 1` is equally likely. `key` set: the same every time it is asked for this packet. */
  | { readonly kind: 'uniform'; readonly offset: number; readonly modulus: number; readonly key: string | undefined }
  /** Data that is no scalar: a concatenation or, for NAT, a range. */
  | { readonly kind: 'parts'; readonly parts: readonly Value[] }
  | { readonly kind: 'span'; readonly from: Scalar; readonly to: Scalar }
  | { readonly kind: 'choices'; readonly choices: readonly Choice[] }

export interface Choice {
  readonly value: Value
  readonly probability: number
  /** Values of `key` (of a uniform value) that lead here. */
  readonly key: string | undefined
  readonly values: readonly number[]
}

export const ABSENT: SpecialValue = { kind: 'absent' }

export function unknown(missing: string): SpecialValue {
  return { kind: 'unknown', missing }
}

export function isScalar(value: Value): value is Scalar {
  return typeof value !== 'object'
}

/** An element as a value, where it stands for itself: literals and map data. */
export function elementValue(element: Element): Value {
  switch (element.kind) {
    case 'value':
      return element.value
    case 'range':
      return { kind: 'span', from: element.from, to: element.to }
    case 'concat':
      return { kind: 'parts', parts: element.parts.map(elementValue) }
    case 'wildcard':
      return `${element.prefix}*`
    case 'any':
      return ABSENT
  }
}

/** Whether a match holds: surely, with a probability, or nobody can tell. */
export type Decision = boolean | Chance | Undecided

export interface Chance {
  readonly kind: 'chance'
  readonly probability: number
  readonly key: string | undefined
  readonly held: readonly number[]
  readonly failed: readonly number[]
}

export interface Undecided {
  readonly kind: 'undecided'
  readonly missing: string
  /** Same key, same answer: facts about the packet do not change while it is looked at. Undefined: independent every time. */
  readonly key: string | undefined
}

export function undecided(missing: string, key?: string): Undecided {
  return { kind: 'undecided', missing, key }
}

export function not(decision: Decision): Decision {
  if (typeof decision === 'boolean') return !decision
  if (decision.kind === 'undecided') return decision
  return { ...decision, probability: 1 - decision.probability, held: decision.failed, failed: decision.held }
}

export function chance(probability: number): Decision {
  if (probability <= 0) return false
  if (probability >= 1) return true
  return { kind: 'chance', probability, key: undefined, held: [], failed: [] }
}
