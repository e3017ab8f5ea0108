// SPDX-License-Identifier: Apache-2.0

import { PlumblineError } from '../../cluster/errors.ts'
import type { EntryStore } from '../../core/ebpf/maps/entryStore.ts'
import type { ByteFilter } from '../../core/ebpf/maps/filterBytes.ts'
import { changedColumns, changePhrase, entryPhrase } from '../../core/ebpf/maps/present.ts'
import type { ChangeKind, MapChangeLine, WatchState } from '../../protocol/mapPanel.ts'
import type { MapChanges, MapReader } from './mapReader.ts'
import { MARKED_MS, type RowMarks } from './rowMarks.ts'

/** Changes of one reading that are told one by one; of the others, how many there were. */
const MOST_LINES = 200

export interface MapFollowerParts {
  readonly reader: MapReader
  readonly marks: RowMarks
  /** The one shown now. */
  readonly store: () => EntryStore
  readonly onChange: () => void
  readonly onLines: (lines: readonly MapChangeLine[]) => void
  readonly onGone: (reason: string) => void
  readonly onFailure: (error: unknown) => void
  /** A reading is done: the contents are as of now. */
  readonly onCurrent: () => void
}

/**
 * Puts a map's changes into its store, marks the rows for a while, and tells them. Pausing ends the watch; going on compares a
 * whole new reading with what is there, so that nothing that happened meanwhile is lost or kept in memory.
 */
export class MapFollower {
  readonly #parts: MapFollowerParts
  #state: WatchState = 'off'
  #watching: AbortController | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(parts: MapFollowerParts) {
    this.#parts = parts
  }

  get state(): WatchState {
    return this.#state
  }

  set(state: WatchState, filters: readonly ByteFilter[]): void {
    if (state === this.#state) return
    const was = this.#state
    this.#state = state
    this.#watching?.abort()
    this.#watching = undefined
    if (state === 'paused') this.#note('Paused')
    if (state === 'off') this.#note('Watching ended')
    if (state !== 'on') return
    this.#note(was === 'paused' ? 'Going on: what changed meanwhile follows' : 'Watching')
    void this.#follow(filters)
  }

  dispose(): void {
    this.#watching?.abort()
    clearTimeout(this.#timer)
  }

  async #follow(filters: readonly ByteFilter[]): Promise<void> {
    const { reader, onGone, onFailure } = this.#parts
    const watching = new AbortController()
    this.#watching = watching
    const applier = new Applier(this.#parts)
    try {
      const reason = await reader.watch?.(
        { filters, signal: watching.signal },
        { changes: (changes) => (watching.signal.aborted ? undefined : this.#apply(applier, changes)) },
      )
      this.#state = 'off'
      this.#note(`The map is gone: ${reason ?? ''}`)
      onGone(reason ?? 'the map is gone')
    } catch (error) {
      if (PlumblineError.is(error, 'cancelled') || watching.signal.aborted) return
      this.#state = 'off'
      this.#note('Watching ended: the node no longer answers')
      onFailure(error)
    }
  }

  #apply(applier: Applier, changes: MapChanges): void {
    const lines = applier.apply(changes)
    if (changes.more) return
    if (lines.length > 0) this.#parts.onLines(lines)
    this.#parts.onCurrent()
    this.#parts.onChange()
    this.#unmarkLater()
  }

  #unmarkLater(): void {
    if (this.#timer !== undefined || this.#parts.marks.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const store = this.#parts.store()
      for (const row of this.#parts.marks.expire(Date.now())) store.remove(row)
      this.#parts.onChange()
      this.#unmarkLater()
    }, MARKED_MS / 4)
  }

  #note(text: string): void {
    this.#parts.onLines([{ at: new Date().toISOString(), kind: 'note', text, key: null }])
  }
}

/** Takes one watch's readings. The first one tells everything as added: it is compared with what is in the store. */
class Applier {
  readonly #parts: Pick<MapFollowerParts, 'marks' | 'store'>
  #seen: Set<number> | undefined = new Set()
  #lines: MapChangeLine[] = []
  #more = 0

  constructor(parts: Pick<MapFollowerParts, 'marks' | 'store'>) {
    this.#parts = parts
  }

  /** Lines to tell; of a reading in pieces, with the last one. */
  apply({ added, changed, removed, more }: MapChanges): readonly MapChangeLine[] {
    const store = this.#parts.store()
    const now = Date.now()
    for (const entry of entriesOf(store, added)) this.#put(store, entry, now)
    for (const entry of entriesOf(store, changed)) this.#put(store, entry, now)
    for (const entry of entriesOf(store, removed)) this.#remove(store, store.find(entry.subarray(0, store.shape.keySize)), now)
    if (more) return []
    this.#removeUnseen(store, now)
    const lines = this.#lines
    if (this.#more > 0)
      lines.push({ at: new Date(now).toISOString(), kind: 'note', text: `… and ${this.#more} more changes`, key: null })
    this.#lines = []
    this.#more = 0
    return lines
  }

  #put(store: EntryStore, entry: Uint8Array, now: number): void {
    const { marks } = this.#parts
    const known = store.find(entry.subarray(0, store.shape.keySize))
    const wasRemoved = marks.of(known)?.kind === 'removed'
    const before = known < 0 || wasRemoved ? undefined : store.raw(known).slice()
    if (before !== undefined && sameBytes(before, entry)) {
      this.#seen?.add(known)
      return
    }
    store.put(entry)
    const row = store.find(entry.subarray(0, store.shape.keySize))
    this.#seen?.add(row)
    if (before === undefined) {
      marks.set(row, 'added', now)
      this.#tell('added', entry, now, () => entryPhrase(store.decode(entry), 0))
      return
    }
    if (this.#lines.length >= MOST_LINES) {
      marks.set(row, 'changed', now)
      this.#more++
      return
    }
    const [old, fresh] = [store.decode(before), store.decode(entry)]
    marks.set(row, 'changed', now, new Set(changedColumns(old, fresh, 0).map(({ name }) => name)))
    this.#tell('changed', entry, now, () => changePhrase(old, fresh, 0))
  }

  #remove(store: EntryStore, row: number, now: number): void {
    if (row < 0 || this.#parts.marks.of(row)?.kind === 'removed') return
    const entry = store.raw(row).slice()
    this.#parts.marks.set(row, 'removed', now)
    this.#tell('removed', entry, now, () => entryPhrase(store.decode(entry), 0))
  }

  #removeUnseen(store: EntryStore, now: number): void {
    const seen = this.#seen
    this.#seen = undefined
    if (seen === undefined) return
    for (let row = 0; row < store.end; row++) if (store.has(row) && !seen.has(row)) this.#remove(store, row, now)
  }

  #tell(kind: ChangeKind, entry: Uint8Array, now: number, text: () => string): void {
    if (this.#lines.length >= MOST_LINES) {
      this.#more++
      return
    }
    const key = hex(entry.subarray(0, this.#parts.store().shape.keySize))
    this.#lines.push({ at: new Date(now).toISOString(), kind, text: text(), key })
  }
}

function* entriesOf({ stride }: EntryStore, bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at + stride <= bytes.length; at += stride) yield bytes.subarray(at, at + stride)
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
