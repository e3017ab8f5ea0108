// SPDX-License-Identifier: Apache-2.0

import type { FlowQuery } from './filter.ts'
import { BLOCK, Marks, type Pass } from './marks.ts'
import { compileQuery } from './scan.ts'
import type { FlowStore } from '../store/store.ts'

/**
 * The rows of a store that a query asks for, oldest first, kept up with the store: `update` looks at what came since, and lets go
 * of what the store let go of.
 */
export class MatchIndex {
  readonly query: FlowQuery
  readonly #store: FlowStore
  readonly #pass: Pass
  readonly #marks = new Marks()
  #rows = new Float64Array(1024)
  #front = 0
  #end = 0
  #dropped = 0
  #scanned: number

  /** @throws Error for a value that Hubble would refuse. */
  constructor(store: FlowStore, query: FlowQuery) {
    this.#store = store
    this.query = query
    this.#pass = compileQuery(query, store)
    this.#scanned = store.first
  }

  get length(): number {
    return this.#end - this.#front
  }

  /** Matches that were here and are no longer kept by the store. */
  get dropped(): number {
    return this.#dropped
  }

  /** Row number of the match at an index from 0 (the oldest) on; undefined beyond the end. */
  at(index: number): number | undefined {
    return index >= 0 && index < this.length ? this.#rows[this.#front + index] : undefined
  }

  /** Row numbers of some matches. */
  slice(from: number, to: number): readonly number[] {
    return [...this.view().subarray(Math.max(0, from), Math.max(0, to))]
  }

  /** Row numbers of all matches, until the next update. */
  view(): Float64Array {
    return this.#rows.subarray(this.#front, this.#end)
  }

  /** How many matches are of rows before this one. */
  indexOf(row: number): number {
    let [low, high] = [this.#front, this.#end]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#rows[middle] as number) < row) low = middle + 1
      else high = middle
    }
    return low - this.#front
  }

  /** Looks at up to so many rows more; true when all have been looked at. */
  update(maxRows = Number.POSITIVE_INFINITY): boolean {
    const { first, next, capacity } = this.#store
    this.#release(first)
    this.#scanned = Math.max(this.#scanned, first)
    this.#pass.prepare()
    const end = Math.min(next, this.#scanned + maxRows)
    while (this.#scanned < end) {
      const slot = this.#scanned % capacity
      const count = Math.min(BLOCK, end - this.#scanned, capacity - slot)
      this.#scan(slot, count)
      this.#scanned += count
    }
    return this.#scanned === next
  }

  /** The last matches, newest first, at most so many: looks from the end on, for a first picture before all rows are looked at. */
  newest(most: number): readonly number[] {
    const { first, next, capacity } = this.#store
    this.#pass.prepare()
    const found: number[] = []
    for (let end = next; end > first && found.length < most; ) {
      const slotEnd = ((end - 1) % capacity) + 1
      const count = Math.min(BLOCK, end - first, slotEnd)
      const marks = this.#marks.set(count)
      if (this.#pass.run(marks, slotEnd - count, count))
        for (let index = count - 1; index >= 0 && found.length < most; index--)
          if (marks.bytes[index] === 1) found.push(end - count + index)
      end -= count
    }
    return found
  }

  #scan(slot: number, count: number): void {
    const marks = this.#marks.set(count)
    if (!this.#pass.run(marks, slot, count)) return
    this.#reserve(count)
    for (let index = 0; index < count; index++) if (marks.bytes[index] === 1) this.#rows[this.#end++] = this.#scanned + index
  }

  #release(first: number): void {
    const gone = this.indexOf(first)
    this.#front += gone
    this.#dropped += gone
  }

  #reserve(more: number): void {
    if (this.#end + more <= this.#rows.length) return
    const kept = this.#rows.subarray(this.#front, this.#end)
    const rows = kept.length + more > this.#rows.length / 2 ? new Float64Array(this.#rows.length * 2 + more) : this.#rows
    rows.set(kept)
    this.#rows = rows
    this.#front = 0
    this.#end = kept.length
  }
}
