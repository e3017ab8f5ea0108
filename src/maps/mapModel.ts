// SPDX-License-Identifier: Apache-2.0

import { messageOf, PlumblineError } from '../../cluster/errors.ts'
import { orderRows } from '../../core/ebpf/maps/entryOrder.ts'
import { EntryStore, strideOf } from '../../core/ebpf/maps/entryStore.ts'
import { compileFilter, type FilterExpression, parseFilter } from '../../core/ebpf/maps/filter.ts'
import { type ByteFilter, byteFilters } from '../../core/ebpf/maps/filterBytes.ts'
import { findLayout } from '../../core/ebpf/maps/find.ts'
import type { MapNames } from '../../core/ebpf/maps/names.ts'
import { type PresentedColumn, presentColumns } from '../../core/ebpf/maps/present.ts'
import type { MapShape } from '../../core/ebpf/maps/table.ts'
import { FilterError } from '../../core/text/filterError.ts'
import type { FilterOutcome, MapChangeLine, MapSort, MapState, WatchState } from '../../protocol/mapPanel.ts'
import { MapFollower } from './mapFollower.ts'
import type { MapReader, ReadEnd } from './mapReader.ts'
import { RowMarks } from './rowMarks.ts'

/** Entries kept at most, by their bytes. Beyond that the node filters. */
const MOST_BYTES = 256 << 20
/** Between two tellings while entries arrive, milliseconds. */
const TELL_MS = 150

export interface MapModelParts {
  readonly shape: MapShape
  readonly reader: MapReader
  /** Names for numbers, as of now. */
  readonly names: () => MapNames | undefined
  /** Something of what is shown is another. */
  readonly onChange: () => void
  readonly onChanges: (lines: readonly MapChangeLine[]) => void
  /** Bytes of entries kept at most. */
  readonly mostBytes?: number
}

/**
 * One map's contents and what a person wants to see of them. Memory is bound by the entries' bytes; rows are decoded when they
 * are looked at. Nothing here knows of VS Code.
 */
export class MapModel {
  readonly #parts: MapModelParts
  readonly marks = new RowMarks()
  #store: EntryStore
  #rows: Uint32Array = new Uint32Array(0)
  #columns: readonly PresentedColumn[] = []
  #state: MapState = 'reading'
  #failure: Error | undefined
  #end: ReadEnd | undefined
  #readAt: string | undefined
  #progress: { readonly scanned: number; readonly of: number } | undefined
  #filter: { readonly text: string; readonly expression: FilterExpression | undefined } = { text: '', expression: undefined }
  /** What the node was asked to leave out. */
  #nodeFilters: readonly ByteFilter[] = []
  #sort: MapSort | undefined
  #reading: AbortController | undefined
  #ordering: Promise<void> | undefined
  #orderAgain = false
  /** Counts what a person asked for: an older filter's work is given up. */
  #wish = 0
  #lastTold = 0
  #lastArrived = 0
  #cancelled = false
  readonly #follower: MapFollower

  constructor(parts: MapModelParts) {
    this.#parts = parts
    this.#store = new EntryStore(parts.shape, parts.names())
    this.#columns = presentColumns(this.#store.empty(), [])
    this.#follower = new MapFollower({
      reader: parts.reader,
      marks: this.marks,
      store: () => this.#store,
      onChange: () => void this.reorder(),
      onLines: parts.onChanges,
      onGone: (reason) => this.#gone(new PlumblineError('not-found', reason)),
      onFailure: (error) => this.#failed(error),
      onCurrent: () => {
        this.#readAt = new Date().toISOString()
        this.#state = 'ready'
      },
    })
  }

  get store(): EntryStore {
    return this.#store
  }

  /** Numbers of the rows shown, in order. */
  get rows(): Uint32Array {
    return this.#rows
  }

  get columns(): readonly PresentedColumn[] {
    return this.#columns
  }

  get state(): MapState {
    return this.#state
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get readAt(): string | undefined {
    return this.#readAt
  }

  get progress(): { readonly scanned: number; readonly of: number } | undefined {
    return this.#progress
  }

  get filterText(): string {
    return this.#filter.text
  }

  get sort(): MapSort | undefined {
    return this.#sort
  }

  get isOrdering(): boolean {
    return this.#ordering !== undefined
  }

  get watch(): WatchState {
    return this.#follower.state
  }

  /** Whether a watch would have the whole of what is shown. */
  get isWhole(): boolean {
    return this.#end?.truncated !== true
  }

  get end(): ReadEnd | undefined {
    return this.#end
  }

  /** A reading was given up, and what it brought is a part. */
  get isCancelled(): boolean {
    return this.#cancelled
  }

  /** Reads the map; what was read before stays in sight until it is done. `of`: entries there are about, for the progress. */
  async read(of: number): Promise<void> {
    this.#reading?.abort()
    const reading = new AbortController()
    this.#reading = reading
    const isFirst = this.#store.count === 0
    let store = new EntryStore(this.#parts.shape, this.#parts.names())
    this.#state = 'reading'
    this.#failure = undefined
    this.#cancelled = false
    this.#progress = { scanned: 0, of }
    this.#tell()
    const limit = Math.max(1, Math.floor((this.#parts.mostBytes ?? MOST_BYTES) / Math.max(1, strideOf(this.#parts.shape))))
    try {
      const end = await this.#parts.reader.read(
        { filters: this.#nodeFilters, limit, signal: reading.signal },
        {
          shape: (shape) => {
            store = new EntryStore(shape, this.#parts.names())
            if (isFirst) this.#show(store)
          },
          entries: async (entries, scanned) => {
            store.put(entries)
            this.#progress = { scanned, of: Math.max(of, scanned) }
            if (isFirst) await this.#arrived()
            else this.#tellNowAndThen()
          },
        },
      )
      if (this.#reading !== reading) return
      this.#end = end
      this.#readAt = end.takenAt ?? new Date().toISOString()
      this.#state = 'ready'
      this.marks.clear()
      this.#show(store)
    } catch (error) {
      if (this.#reading === reading) this.#ended(error, store, isFirst)
    } finally {
      if (this.#reading === reading) {
        this.#reading = undefined
        this.#progress = undefined
        await this.reorder()
      }
    }
  }

  cancel(): void {
    this.#reading?.abort()
  }

  /** Filters from now on. Maps too large to keep are read again, filtered by the node as far as it can. */
  setFilter(text: string): FilterOutcome {
    try {
      const expression = text.trim() === '' ? undefined : parseFilter(text)
      if (expression !== undefined) compileFilter(expression, this.#store.empty())
      this.#filter = { text: text.trim(), expression }
      this.#wish++
    } catch (error) {
      if (error instanceof FilterError) return { ok: false, at: error.at, message: error.message }
      throw error
    }
    if (this.#needsNode()) void this.read(this.#end?.scanned ?? 0)
    else void this.reorder()
    return { ok: true }
  }

  setSort(sort: MapSort | null): void {
    this.#sort = sort ?? undefined
    this.#wish++
    void this.reorder()
  }

  setWatch(state: WatchState): void {
    this.#follower.set(state, this.#nodeFilters)
    this.#tell()
  }

  /** Works out anew which rows are shown; called while it does, it does so once more after. */
  reorder(): Promise<void> {
    this.#orderAgain = true
    this.#ordering ??= this.#reorder().finally(() => {
      this.#ordering = undefined
      this.#tell()
    })
    return this.#ordering
  }

  dispose(): void {
    this.#reading?.abort()
    this.#follower.dispose()
  }

  async #reorder(): Promise<void> {
    while (this.#orderAgain) {
      this.#orderAgain = false
      const began = Date.now()
      try {
        await this.#orderOnce()
      } catch (error) {
        if (!(error instanceof Superseded)) throw error
      }
      this.#tell()
      // A watched map of a million entries must not keep the extension host busy with nothing else.
      if (this.#orderAgain && this.watch === 'on') await delay(Date.now() - began)
    }
  }

  async #orderOnce(): Promise<void> {
    const store = this.#store
    const wish = this.#wish
    this.#columns = presentColumnsOf(store, this.#columns)
    const column = this.#columns.find(({ id }) => id === this.#sort?.column)
    const sort = this.#sort && { column: column?.column ?? firstKey(this.#columns), descending: this.#sort.descending }
    const breathe = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      if (wish !== this.#wish) throw new Superseded()
    }
    const rows = await orderRows(store, { filter: this.#filter.expression, sort }, breathe)
    if (store === this.#store) this.#rows = rows
  }

  /** While the first entries arrive they are shown as they come; sorting waits for the end. */
  async #arrived(): Promise<void> {
    if (Date.now() - this.#lastArrived < TELL_MS) return
    this.#lastArrived = Date.now()
    await this.reorder()
  }

  #show(store: EntryStore): void {
    this.#store = store
    this.#rows = new Uint32Array(0)
  }

  #needsNode(): boolean {
    const { expression } = this.#filter
    const layout = findLayout(this.#parts.shape)
    if (this.isWhole || this.#parts.reader.watch === undefined) return false
    const filters = expression === undefined || layout === undefined ? [] : byteFilters(expression, layout)
    const isSame = JSON.stringify(filters) === JSON.stringify(this.#nodeFilters)
    this.#nodeFilters = filters
    return !isSame
  }

  /** What a reading brought before it ended early stays, and is said to be a part. */
  #ended(error: unknown, store: EntryStore, isFirst: boolean): void {
    if (isFirst && store.count > 0) this.#store = store
    if (PlumblineError.is(error, 'cancelled')) {
      this.#state = 'ready'
      this.#cancelled = isFirst
      return
    }
    if (PlumblineError.is(error, 'not-found')) this.#gone(error)
    else this.#failed(error)
  }

  #gone(reason: Error): void {
    this.#failure = reason
    this.#state = 'gone'
    this.#tell()
  }

  #failed(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(messageOf(error))
    this.#state = 'failed'
    this.#tell()
  }

  #tellNowAndThen(): void {
    if (Date.now() - this.#lastTold >= TELL_MS) this.#tell()
  }

  #tell(): void {
    this.#lastTold = Date.now()
    this.#parts.onChange()
  }
}

/** Somebody wants something else by now. */
class Superseded extends Error {}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Columns by the first entries there are. Once seen, a column stays in sight. */
function presentColumnsOf(store: EntryStore, before: readonly PresentedColumn[]): readonly PresentedColumn[] {
  if (store.end === 0) return before
  const { table } = store.locate(0)
  const rows: number[] = []
  store.page(0, (_, at) => {
    if (rows.length < 200) rows.push(at.row)
  })
  const shown = new Set(before.filter(({ hidden, widest }) => !hidden && widest > 0).map(({ id }) => id))
  return presentColumns(table, rows).map((column) => (shown.has(column.id) ? { ...column, hidden: false } : column))
}

function firstKey(columns: readonly PresentedColumn[]): number {
  return columns.find(({ column }) => column !== undefined)?.column ?? 0
}
