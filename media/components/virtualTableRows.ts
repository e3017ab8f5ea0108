// SPDX-License-Identifier: Apache-2.0

import type { Row, RowSource } from './virtualTableData.ts'

const BLOCK = 64
const KEPT_BLOCKS = 48

interface Block {
  readonly rows: readonly Row[]
  readonly version: number
  /** Absolute index up to which rows were asked for; those that did not come are gone. */
  readonly upTo: number
}

interface Asked {
  readonly from: number
  readonly to: number
  readonly controller: AbortController
}

/**
 * The rows a table has at hand. Asks for those in sight that are missing or out of date, one stretch at a time, and keeps some of
 * those seen last. Rows of an older version are shown until the newer ones arrive.
 */
export class RowCache {
  source: RowSource = () => []
  /** Called when rows have arrived. */
  readonly #onRows: () => void
  readonly #blocks = new Map<number, Block>()
  #version = 0
  #asked: Asked | null = null

  constructor(onRows: () => void) {
    this.#onRows = onRows
  }

  /** What is known may have changed. With `forget` it is not shown any more either. */
  invalidate(forget = false): void {
    this.#version++
    if (forget) this.#blocks.clear()
  }

  row(index: number): Row | undefined {
    return this.#blocks.get(Math.floor(index / BLOCK))?.rows[index % BLOCK]
  }

  /** Rows that came without being asked for. Those that would leave a gap are not kept. */
  provide(from: number, rows: readonly Row[]): void {
    const known = this.#blocks.get(Math.floor(from / BLOCK))?.rows.length ?? 0
    const skipped = from % BLOCK > known ? Math.min(rows.length, BLOCK - (from % BLOCK)) : 0
    this.#keep(from + skipped, rows.slice(skipped), this.#version, from + rows.length)
  }

  /** Makes the rows [from, to) come, of the [first, end) that there are. */
  need(from: number, to: number, first: number, end: number): void {
    const missing = range(Math.floor(from / BLOCK), Math.ceil(to / BLOCK)).filter(
      (block) => !this.#fresh(block, Math.min(end, to)),
    )
    const [lowest] = missing
    const highest = missing.at(-1)
    if (lowest === undefined || highest === undefined) return
    if (this.#asked !== null) {
      // The answer under way brings some of what is in sight, or is for what is out of sight by now.
      if (this.#asked.from < to && this.#asked.to > from) return
      this.#asked.controller.abort()
    }
    this.#ask(Math.max(first, lowest * BLOCK), Math.min(end, (highest + 1) * BLOCK))
  }

  /** Whether a block holds all there is up to `end`, in this version. */
  #fresh(index: number, end: number): boolean {
    const block = this.#blocks.get(index)
    return block !== undefined && block.version === this.#version && block.upTo >= Math.min((index + 1) * BLOCK, end)
  }

  #ask(from: number, to: number): void {
    const controller = new AbortController()
    const version = this.#version
    const answer = this.source(from, to, controller.signal)
    if (!(answer instanceof Promise)) {
      this.#keep(from, answer, version, to)
      return
    }
    const asked = { from, to, controller }
    this.#asked = asked
    const done = (rows: readonly Row[]) => {
      if (this.#asked === asked) this.#asked = null
      if (controller.signal.aborted) return
      this.#keep(from, rows, version, to)
      this.#onRows()
    }
    // Why rows don't come is the source's business to tell; they are asked for again with the next movement.
    answer.then(done, () => {
      if (this.#asked === asked) this.#asked = null
    })
  }

  #keep(from: number, rows: readonly Row[], version: number, upTo: number): void {
    const to = Math.max(upTo, from + rows.length)
    for (let start = from; start < to; start = (Math.floor(start / BLOCK) + 1) * BLOCK) {
      const index = Math.floor(start / BLOCK)
      const stop = Math.min(to, (index + 1) * BLOCK)
      const known = start % BLOCK === 0 ? undefined : this.#blocks.get(index)
      const kept = [...padded(known?.rows ?? [], start % BLOCK), ...rows.slice(start - from, stop - from)]
      this.#blocks.delete(index)
      this.#blocks.set(index, { rows: kept, version: Math.min(version, known?.version ?? version), upTo: stop })
    }
    for (const index of this.#blocks.keys()) {
      if (this.#blocks.size <= KEPT_BLOCKS) break
      this.#blocks.delete(index)
    }
  }
}

const GONE: Row = { cells: [] }

/** Exactly so many rows; what is before the first there is stays empty. */
function padded(rows: readonly Row[], length: number): readonly Row[] {
  return rows.length >= length ? rows.slice(0, length) : [...rows, ...Array<Row>(length - rows.length).fill(GONE)]
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}
