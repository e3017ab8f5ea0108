// SPDX-License-Identifier: Apache-2.0

import { KeyIndex } from './keyIndex.ts'
import type { MapNames } from './names.ts'
import { type MapShape, type MapTable, tableOf } from './table.ts'

const PAGE_BYTES = 1 << 20
const MOST_ROWS = 8192
/** Pages kept decoded: what is in sight, and what a sort or filter goes through. */
const DECODED_PAGES = 8

export interface Located {
  readonly table: MapTable
  /** Within the table. */
  readonly row: number
}

/**
 * Entries of one map as they arrive and change. They are kept as the kernel's bytes, in pages, and a page is decoded when somebody
 * looks into it; a map of a million entries costs its bytes and some twelve more per entry. A row keeps its number as long as
 * its entry lives; the numbers of removed ones are given out again.
 */
export class EntryStore {
  readonly shape: MapShape
  readonly stride: number
  readonly #names: MapNames | undefined
  readonly #rowsPerPage: number
  readonly #pages: Uint8Array[] = []
  readonly #decoded = new Map<number, MapTable>()
  readonly #index = new KeyIndex((row) => this.raw(row).subarray(0, this.shape.keySize))
  readonly #freed: number[] = []
  readonly #holes = new Set<number>()
  #end = 0

  /** @throws RangeError when entries of this shape have no size. */
  constructor(shape: MapShape, names?: MapNames) {
    this.shape = shape
    this.#names = names
    this.stride = strideOf(shape)
    if (this.stride === 0) throw new RangeError(`${shape.name}: its entries have no size`)
    this.#rowsPerPage = Math.max(1, Math.min(MOST_ROWS, Math.floor(PAGE_BYTES / this.stride)))
  }

  /** Entries there are. */
  get count(): number {
    return this.#end - this.#holes.size
  }

  /** One more than the highest row number ever used. */
  get end(): number {
    return this.#end
  }

  get bytes(): number {
    return this.#pages.length * this.#rowsPerPage * this.stride
  }

  has(row: number): boolean {
    return row >= 0 && row < this.#end && !this.#holes.has(row)
  }

  /** Row of a key; -1 when there is none. */
  find(key: Uint8Array): number {
    return this.#index.find(key)
  }

  /**
   * Adds whole entries, or replaces those whose keys are there: a dump of a living map may tell one twice.
   * @throws RangeError when the bytes are not a whole number of entries.
   */
  put(entries: Uint8Array, onRow?: (row: number, isNew: boolean) => void): void {
    const { stride } = this
    if (entries.length % stride !== 0)
      throw new RangeError(`${this.shape.name}: ${entries.length} bytes are not a whole number of entries of ${stride} bytes`)
    for (let at = 0; at < entries.length; at += stride) {
      const entry = entries.subarray(at, at + stride)
      const key = entry.subarray(0, this.shape.keySize)
      const known = this.#index.find(key)
      const row = known < 0 ? this.#newRow() : known
      this.#write(row, entry)
      if (known < 0) this.#index.add(key, row)
      onRow?.(row, known < 0)
    }
  }

  /** Forgets an entry; its row may be given to another one. */
  remove(row: number): void {
    if (!this.has(row)) return
    this.#index.delete(this.raw(row).subarray(0, this.shape.keySize))
    this.#holes.add(row)
    this.#freed.push(row)
  }

  /** Key and value as one. The bytes change when the entry does. */
  raw(row: number): Uint8Array {
    const page = this.#pages[Math.floor(row / this.#rowsPerPage)]
    if (page === undefined) return new Uint8Array(this.stride)
    const start = (row % this.#rowsPerPage) * this.stride
    return page.subarray(start, start + this.stride)
  }

  /** An entry, decoded. */
  locate(row: number): Located {
    const number = Math.floor(row / this.#rowsPerPage)
    return { table: this.#decodedPage(number), row: row % this.#rowsPerPage }
  }

  /** A table of one entry that is not in the store: a former value. */
  decode(entry: Uint8Array): MapTable {
    return tableOf(this.shape, entry, this.#names)
  }

  /** A table with the columns of this map and no rows. */
  empty(): MapTable {
    return tableOf(this.shape, new Uint8Array(0), this.#names)
  }

  /** Rows of a page that there are, in order. Goes through all pages by increasing `page`; false when there are no more. */
  page(page: number, visit: (row: number, at: Located) => void): boolean {
    const first = page * this.#rowsPerPage
    if (first >= this.#end) return false
    const table = this.#decodedPage(page)
    for (let row = first; row < Math.min(this.#end, first + this.#rowsPerPage); row++)
      if (!this.#holes.has(row)) visit(row, { table, row: row - first })
    return true
  }

  #newRow(): number {
    const reused = this.#freed.pop()
    if (reused === undefined) return this.#end++
    this.#holes.delete(reused)
    return reused
  }

  #write(row: number, entry: Uint8Array): void {
    const number = Math.floor(row / this.#rowsPerPage)
    this.#pages[number] ??= new Uint8Array(this.#rowsPerPage * this.stride)
    this.raw(row).set(entry)
    this.#decoded.delete(number)
  }

  #decodedPage(number: number): MapTable {
    const known = this.#decoded.get(number)
    if (known !== undefined) return known
    const page = this.#pages[number] ?? new Uint8Array(0)
    const table = tableOf(this.shape, page, this.#names)
    this.#decoded.set(number, table)
    const [oldest] = this.#decoded.keys()
    if (this.#decoded.size > DECODED_PAGES && oldest !== undefined) this.#decoded.delete(oldest)
    return table
  }
}

/** Bytes of one entry: values of per-CPU maps are rounded up to 8 bytes each. */
export function strideOf({ keySize, valueSize, valuesPerEntry, perCpu }: MapShape): number {
  return keySize + (perCpu ? (valueSize + 7) & ~7 : valueSize) * valuesPerEntry
}
