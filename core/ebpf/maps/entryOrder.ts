// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../net/address.ts'
import type { EntryStore } from './entryStore.ts'
import { compileFilter, type FilterExpression } from './filter.ts'
import type { Cell, MapTable } from './table.ts'

/** Which entries are shown, and in which order. */
export interface Wanted {
  readonly filter: FilterExpression | undefined
  /** Index into the table's columns; undefined: by the bytes of their keys, unless they are too many for an order nobody asked for. */
  readonly sort: { readonly column: number; readonly descending: boolean } | undefined
}

/** Lets others run meanwhile; throws to give up. */
export type Pause = () => Promise<void>

/**
 * Rows of a store that match, in order. Nothing is kept of them but their numbers and, while sorting, their keys; a map of a
 * million entries is gone through page by page.
 * @throws FilterError when the map has no such column.
 */
export async function orderRows(store: EntryStore, wanted: Wanted, pause: Pause): Promise<Uint32Array> {
  const rows = await matchingRows(store, wanted.filter, pause)
  if (wanted.sort === undefined) return rows.length > MOST_BY_KEY ? rows : byKey(store, rows)
  const { column, descending } = wanted.sort
  const keys = await sortKeys(store, rows, column, pause)
  const positions = await sorted(keys, descending, pause)
  return positions.map((position) => rows[position] ?? 0)
}

/** Hash tables have no order of their own; beyond so many, nobody reads from the top. */
const MOST_BY_KEY = 20_000

function byKey(store: EntryStore, rows: Uint32Array): Uint32Array {
  const { keySize } = store.shape
  return rows.slice().sort((a, b) => {
    const [left, right] = [store.raw(a), store.raw(b)]
    for (let i = 0; i < keySize; i++) if (left[i] !== right[i]) return (left[i] ?? 0) - (right[i] ?? 0)
    return 0
  })
}

async function matchingRows(store: EntryStore, filter: FilterExpression | undefined, pause: Pause): Promise<Uint32Array> {
  if (filter !== undefined) compileFilter(filter, store.empty())
  const rows = new Uint32Array(store.count)
  let count = 0
  const take = (row: number) => {
    rows[count++] = row
  }
  let test: { readonly table: MapTable; readonly passes: (row: number) => boolean } | undefined
  if (filter === undefined) {
    for (let row = 0; row < store.end; row++) if (store.has(row)) take(row)
    return rows.subarray(0, count)
  }
  for (let page = 0; ; page++) {
    const more = store.page(page, (row, at) => {
      if (test?.table !== at.table) test = { table: at.table, passes: compileFilter(filter, at.table) }
      if (test.passes(at.row)) take(row)
    })
    if (!more) return rows.subarray(0, count)
    await pause()
  }
}

type SortKey = number | bigint | string

/** Values of one column, as what they are compared by: addresses by value, IPv4 before IPv6. `rows` ascend, so each page is decoded once. */
async function sortKeys(store: EntryStore, rows: Uint32Array, column: number, pause: Pause): Promise<readonly SortKey[]> {
  const keys: SortKey[] = []
  for (const row of rows) {
    const { table, row: inTable } = store.locate(row)
    keys.push(sortKey(table.columns[column]?.value(inTable) ?? ''))
    if (keys.length % 4096 === 0) await pause()
  }
  return keys
}

function sortKey(value: Cell['value']): SortKey {
  if (typeof value !== 'string') return value
  const address = parseAddress(value)
  if (address === undefined) return value.toLowerCase()
  return address.family === 4 ? BigInt(address.value) : (1n << 128n) + address.value
}

function compareKeys(a: SortKey, b: SortKey): number {
  if (typeof a === 'string' || typeof b === 'string') {
    // Numbers and addresses before anything else.
    if (typeof a !== typeof b) return typeof a === 'string' ? 1 : -1
  }
  if (a === b) return 0
  return a < b ? -1 : 1
}

const RUN = 8192

/** Positions in order of their keys; equal ones keep their order. A merge sort, because it can pause anywhere. */
async function sorted(keys: readonly SortKey[], descending: boolean, pause: Pause): Promise<Uint32Array> {
  const compare = (a: number, b: number) => {
    const order = compareKeys(keys[a] ?? '', keys[b] ?? '')
    return descending ? -order : order
  }
  let from = Uint32Array.from(keys, (_, position) => position)
  for (let start = 0; start < from.length; start += RUN) {
    from.subarray(start, start + RUN).sort((a, b) => compare(a, b) || a - b)
    await pause()
  }
  let into = new Uint32Array(from.length)
  for (let width = RUN; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) {
      merge(from, into, start, width, compare)
      await pause()
    }
    ;[from, into] = [into, from]
  }
  return from
}

function merge(
  from: Uint32Array,
  into: Uint32Array,
  start: number,
  width: number,
  compare: (a: number, b: number) => number,
): void {
  const middle = Math.min(start + width, from.length)
  const end = Math.min(start + 2 * width, from.length)
  let left = start
  let right = middle
  for (let at = start; at < end; at++) {
    const takeLeft = right >= end || (left < middle && compare(from[left] ?? 0, from[right] ?? 0) <= 0)
    into[at] = (takeLeft ? from[left++] : from[right++]) ?? 0
  }
}
