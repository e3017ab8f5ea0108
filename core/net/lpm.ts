// SPDX-License-Identifier: Apache-2.0

import { type Address, type Family, prefixRange } from './address.ts'
import type { Prefix } from './prefix.ts'

/**
 * Values by prefix, both families. One hash table per prefix length in use, tried from the longest: real tables use few
 * lengths, so a lookup costs a handful of hash probes however many prefixes there are.
 */
export class PrefixMap<T> {
  readonly #tables = { 4: new LengthTables<T>(), 6: new LengthTables<T>() }

  set(prefix: Prefix, value: T): void {
    this.#tables[prefix.address.family].at(prefix.bits).set(prefixRange(prefix.address, prefix.bits)[0].value, value)
  }

  /** Value of exactly this prefix. */
  get(prefix: Prefix): T | undefined {
    return this.#tables[prefix.address.family].at(prefix.bits).get(prefixRange(prefix.address, prefix.bits)[0].value)
  }

  /** Value of the longest prefix that contains the address. */
  longest(address: Address): T | undefined {
    for (const value of this.matching(address)) return value
    return undefined
  }

  /** Values of all prefixes that contain the address, longest first. */
  *matching(address: Address): Generator<T> {
    for (const [bits, table] of this.#tables[address.family].longestFirst()) {
      const key = prefixRange(address, bits)[0].value
      if (table.has(key)) yield table.get(key) as T
    }
  }

  /** How many prefixes of this family there are. */
  size(family: Family): number {
    let size = 0
    for (const [, table] of this.#tables[family].longestFirst()) size += table.size
    return size
  }
}

class LengthTables<T> {
  readonly #tables: [bits: number, table: Map<number | bigint, T>][] = []

  longestFirst(): readonly [bits: number, table: Map<number | bigint, T>][] {
    return this.#tables
  }

  at(bits: number): Map<number | bigint, T> {
    const existing = this.#tables.find(([length]) => length === bits)
    if (existing) return existing[1]
    const table = new Map<number | bigint, T>()
    this.#tables.push([bits, table])
    this.#tables.sort(([a], [b]) => b - a)
    return table
  }
}
