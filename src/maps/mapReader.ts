// SPDX-License-Identifier: Apache-2.0

import type { ByteFilter } from '../../core/ebpf/maps/filterBytes.ts'
import type { MapShape } from '../../core/ebpf/maps/table.ts'

/** Where a map's entries come from: a node's agent, or a snapshot. */
export interface MapReader {
  /**
   * Hands over all entries, in pieces of whole ones. Entries that don't match the filters may be left out.
   * @throws PlumblineError 'not-found' when the map is gone.
   */
  read(wanted: ReadWanted, sink: ReadSink): Promise<ReadEnd>
  /** Follows the map; absent where there is nothing to follow. Resolves with the reason once the map is gone. */
  readonly watch?: (wanted: Omit<ReadWanted, 'limit'>, sink: WatchSink) => Promise<string>
}

export interface ReadWanted {
  readonly filters: readonly ByteFilter[]
  readonly limit: number
  readonly signal: AbortSignal
}

export interface ReadSink {
  /** Told once, before any entries. */
  shape(shape: MapShape): void
  entries(entries: Uint8Array, scanned: number): void | Promise<void>
}

export interface ReadEnd {
  readonly scanned: number
  /** The limit ended it. */
  readonly truncated: boolean
  /** Why entries may be missing or repeated. */
  readonly incomplete: string | undefined
  /** When the contents were as they are, RFC 3339. Undefined: now. */
  readonly takenAt?: string | undefined
}

/** Pieces of one reading come one after the other; all but the last have `more` set. The first reading adds everything. */
export interface MapChanges {
  readonly added: Uint8Array
  readonly changed: Uint8Array
  readonly removed: Uint8Array
  readonly more: boolean
}

export interface WatchSink {
  changes(changes: MapChanges): void | Promise<void>
}
