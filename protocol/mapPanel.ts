// SPDX-License-Identifier: Apache-2.0

import type { PanelError } from './panel.ts'
import type { Ability } from './tracePanel.ts'

/**
 * The Map panel. The host holds the entries, which may be a million; the page asks for the rows in sight. Rows are named by their
 * position in the order shown, entries by their key's bytes in hexadecimal.
 */
export interface MapPanelContract {
  readonly hostMethods: {
    /** Rows [from, to) of those shown, at most 1,000; fewer at the end. */
    readonly rows: readonly [{ from: number; to: number }, { rows: readonly MapRow[] }]
    /** One entry whole; null when it has gone. */
    readonly entry: readonly [{ key: string }, MapEntry | null]
    /** Where an entry is among those shown; null when it is not. */
    readonly position: readonly [{ key: string }, { position: number | null }]
    /** Shows what matches, from now on. A wrong expression changes nothing. */
    readonly filter: readonly [{ text: string }, FilterOutcome]
    /** By a column's id; null: by key, or as the kernel gives them when there are very many. */
    readonly sort: readonly [{ sort: MapSort | null }, null]
    /** Reads the map anew. */
    readonly refresh: readonly [Record<string, never>, null]
    /** Stops reading; what was read stays. */
    readonly cancel: readonly [Record<string, never>, null]
    readonly watch: readonly [{ watch: WatchState }, null]
    /** Saves the rows shown, or all entries; null when the person changed their mind. */
    readonly export: readonly [{ format: 'csv' | 'json'; rows: 'shown' | 'all' }, { path: string; rows: number } | null]
    readonly copy: readonly [{ key: string; as: 'text' | 'json' | 'hex' }, null]
    /** Opens *Find Everything About This Address*. */
    readonly find: readonly [{ query: string }, null]
    /** Does what the last failure's action of that title says. */
    readonly remedy: readonly [{ title: string }, null]
  }
  readonly hostEvents: {
    readonly view: MapView
    /** Lines for the end of the change log. */
    readonly changes: readonly MapChangeLine[]
    /** Selects the row at this position. */
    readonly reveal: { readonly position: number; readonly key: string }
    readonly broken: PanelError
  }
  readonly webviewEvents: {
    readonly ready: { readonly version: number }
  }
}

export type WatchState = 'off' | 'on' | 'paused'

/** Where a map's contents stand. `gone`: the map was deleted; its last contents stay. */
export type MapState = 'reading' | 'ready' | 'gone' | 'failed'

export interface MapView {
  /** Stays the same while the panel shows one map of one node; for what the page remembers. */
  readonly id: string
  readonly name: string
  /** What it holds, in words; null for maps nobody knows. */
  readonly title: string | null
  readonly node: string
  /** "prod-eu (live)", "incident.zip (bundle)". */
  readonly facts: string
  readonly type: string
  readonly decodedBy: 'layout' | 'btf' | 'raw'
  readonly keySize: number
  readonly valueSize: number
  readonly memoryBytes: number | null
  readonly path: string | null
  readonly state: MapState
  /** Why it is gone, or could not be read. */
  readonly reason: PanelError | null
  readonly progress: { readonly scanned: number; readonly of: number } | null
  readonly entries: number
  /** 0: the kernel sets no limit. */
  readonly capacity: number
  /** Entries that pass the filter. */
  readonly shown: number
  /** RFC 3339. */
  readonly readAt: string | null
  /** What makes the contents less than whole. */
  readonly notes: readonly MapNote[]
  readonly filter: string
  readonly filterHistory: readonly string[]
  readonly sort: MapSort | null
  /** Working out which rows are shown. */
  readonly ordering: boolean
  readonly columns: readonly MapColumn[]
  readonly watch: WatchState
  readonly canRead: Ability
  readonly canWatch: Ability
  /** Counts up whenever rows may look different. */
  readonly version: number
}

/**
 * `stopped`: somebody stopped the reading. `cut`: there is more than is kept here, and the node can look through it. `cut-snapshot`: there was more
 * than the snapshot took. `incomplete`: for the reason in `detail`. `unknown-version`: a map of Cilium's with sizes no known version has.
 */
export interface MapNote {
  readonly kind: 'stopped' | 'cut' | 'cut-snapshot' | 'incomplete' | 'unknown-version'
  readonly detail: string
}

export interface MapSort {
  readonly column: string
  readonly descending: boolean
}

export interface MapColumn {
  /** "key.port"; "about" for the phrase that tells a key whole. */
  readonly id: string
  readonly title: string
  /** Where in the entry it is; null for "about". */
  readonly side: 'key' | 'value' | null
  /** Pixels. */
  readonly width: number
  readonly align: 'start' | 'end'
  /** Not shown until somebody asks: told by another column, or empty throughout. */
  readonly hidden: boolean
}

export type ChangeKind = 'added' | 'changed' | 'removed'

export interface MapRow {
  readonly key: string
  readonly cells: readonly (string | { readonly text: string; readonly title?: string; readonly marked?: boolean })[]
  /** Happened within the last two seconds. */
  readonly change: ChangeKind | null
}

export interface MapEntry {
  readonly key: string
  /** What it is about, in one phrase. */
  readonly title: string
  readonly fields: readonly EntryField[]
  readonly keyBytes: string
  readonly valueBytes: string
}

export interface EntryField {
  readonly side: 'key' | 'value'
  readonly name: string
  readonly text: string
  /** What it stands for. */
  readonly meaning: string | null
  /** Where in the key or value it lies; null when that is not known. */
  readonly bytes: { readonly offset: number; readonly size: number } | null
  /** What *Find Everything* would look for: an address or "identity:12345". */
  readonly find: string | null
}

/** `at` counts characters from 0. */
export type FilterOutcome = { readonly ok: true } | { readonly ok: false; readonly at: number; readonly message: string }

export interface MapChangeLine {
  /** RFC 3339. */
  readonly at: string
  readonly kind: ChangeKind | 'note'
  readonly text: string
  readonly key: string | null
}
