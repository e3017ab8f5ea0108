// SPDX-License-Identifier: Apache-2.0

import { type Address, ipv4, ipv6 } from '../../net/address.ts'
import { PrefixMap } from '../../net/lpm.ts'
import type { Flight } from '../../net/packet.ts'
import { prefixOf } from '../../net/prefix.ts'
import type { Chain, Rule } from '../ruleset.ts'
import type { Element, Expression, Match, Scalar } from '../statement.ts'

/** Chains shorter than this are walked rule by rule. */
const MIN_RULES = 8
/** A rule that names more values than this is looked at every time instead. */
const MAX_KEYS = 64

type Field = 'daddr' | 'saddr' | 'dport' | 'oif' | 'iif'

/** The most selective first: a rule is listed under one field only. */
const FIELDS: readonly Field[] = ['daddr', 'saddr', 'dport', 'oif', 'iif']

/**
 * Finds the rules of a chain that could hold for a packet without looking at the others: a rule that asks for one destination
 * address, source address, destination port or device is listed under it, one that asks for a prefix under the prefix. All
 * other rules are always candidates. The order of rules is kept, and the result is the same as looking at every rule.
 */
export class ChainIndex {
  readonly rules: readonly Rule[]
  readonly #exact: Record<Field, Map<Scalar, number[]>> = {
    daddr: new Map(),
    saddr: new Map(),
    dport: new Map(),
    oif: new Map(),
    iif: new Map(),
  }
  readonly #prefixes: Record<'daddr' | 'saddr', PrefixMap<number[]>> = { daddr: new PrefixMap(), saddr: new PrefixMap() }
  #hasPrefixes = { daddr: false, saddr: false }
  readonly #always: number[] = []
  readonly #linear: boolean

  constructor(chain: Chain, indexed: boolean) {
    this.rules = chain.rules
    this.#linear = !indexed || chain.rules.length < MIN_RULES
    if (!this.#linear) for (const [index, rule] of chain.rules.entries()) this.#file(rule, index)
  }

  #file(rule: Rule, index: number): void {
    const keys = selectors(rule)
    for (const field of FIELDS) {
      const elements = keys.get(field)
      const exact = elements && exactValues(elements)
      if (exact) {
        for (const value of exact) push(this.#exact[field], value, index)
        return
      }
    }
    for (const field of ['daddr', 'saddr'] as const) {
      const [element, ...more] = keys.get(field) ?? []
      const prefix = element && more.length === 0 ? prefixOfRange(element) : undefined
      if (prefix) {
        const list = this.#prefixes[field].get(prefix)
        if (list) list.push(index)
        else this.#prefixes[field].set(prefix, [index])
        this.#hasPrefixes[field] = true
        return
      }
    }
    this.#always.push(index)
  }

  /** Indexes of the rules to look at, ascending; undefined: all of them. */
  candidates(flight: Flight): readonly number[] | undefined {
    if (this.#linear) return undefined
    const { packet } = flight
    if (packet.dport === undefined && this.#exact.dport.size > 0) return undefined
    if (flight.iif === undefined && this.#exact.iif.size > 0) return undefined
    if (flight.oif === undefined && this.#exact.oif.size > 0) return undefined
    const lists: (readonly number[])[] = [this.#always]
    const add = (list: readonly number[] | undefined) => {
      if (list) lists.push(list)
    }
    add(this.#exact.daddr.get(packet.dst.value))
    add(this.#exact.saddr.get(packet.src.value))
    if (packet.dport !== undefined) add(this.#exact.dport.get(packet.dport))
    if (flight.oif !== undefined) add(this.#exact.oif.get(flight.oif))
    if (flight.iif !== undefined) add(this.#exact.iif.get(flight.iif))
    if (this.#hasPrefixes.daddr) for (const list of this.#prefixes.daddr.matching(packet.dst)) add(list)
    if (this.#hasPrefixes.saddr) for (const list of this.#prefixes.saddr.matching(packet.src)) add(list)
    return lists.length === 1 ? this.#always : lists.flat().sort((a, b) => a - b)
  }
}

function push(map: Map<Scalar, number[]>, key: Scalar, index: number): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [index])
  else if (list.at(-1) !== index) list.push(index)
}

/** What a rule asks for before it does anything: a value elsewhere means that the rule has no effect at all. */
function selectors(rule: Rule): Map<Field, readonly Element[]> {
  const keys = new Map<Field, readonly Element[]>()
  for (const statement of rule.statements) {
    if (statement.kind === 'counter') continue
    if (!isMatch(statement.kind)) break
    if (statement.kind !== 'compare' || statement.op !== 'eq' || statement.value.kind !== 'literal') continue
    const field = fieldOf(statement.key)
    if (field && !keys.has(field)) keys.set(field, statement.value.elements)
  }
  return keys
}

const MATCH_KINDS: ReadonlySet<string> = new Set<Match['kind']>([
  'compare',
  'group',
  'statistic',
  'ipset',
  'owner',
  'addrtype',
  'rpfilter',
  'socket-match',
  'physdev',
  'policy',
  'recent',
  'rate',
  'unknown-match',
])

export function isMatch(kind: string): boolean {
  return MATCH_KINDS.has(kind)
}

function fieldOf(key: Expression): Field | undefined {
  if (key.kind === 'payload') {
    const { protocol, field } = key
    if (protocol === 'ip' || protocol === 'ip6') return field === 'daddr' || field === 'saddr' ? field : undefined
    return field === 'dport' ? 'dport' : undefined
  }
  if (key.kind !== 'meta') return undefined
  if (key.key === 'iifname' || key.key === 'iif') return 'iif'
  return key.key === 'oifname' || key.key === 'oif' ? 'oif' : undefined
}

function exactValues(elements: readonly Element[]): Scalar[] | undefined {
  if (elements.length > MAX_KEYS) return undefined
  const values: Scalar[] = []
  for (const element of elements) {
    // The empty device name stands for "none", which flights do not have as a name.
    if (element.kind !== 'value' || element.value === '') return undefined
    values.push(element.value)
  }
  return values
}

/** A range that is exactly one prefix. */
function prefixOfRange(element: Element): { address: Address; bits: number } | undefined {
  if (element.kind !== 'range') return undefined
  const { from, to } = element
  if (typeof from === 'number' && typeof to === 'number') return asPrefix(ipv4(from), BigInt(from), BigInt(to), 32)
  if (typeof from === 'bigint' && typeof to === 'bigint') return asPrefix(ipv6(from), from, to, 128)
  return undefined
}

function asPrefix(address: Address, from: bigint, to: bigint, width: number): { address: Address; bits: number } | undefined {
  const size = to - from + 1n
  if (size <= 0n || (size & (size - 1n)) !== 0n || from % size !== 0n) return undefined
  return prefixOf(address, width - (size.toString(2).length - 1))
}
