// SPDX-License-Identifier: Apache-2.0

/** What a virtual table shows: columns, and rows that come by index from whoever holds them. */

import type { IconName, Tone } from './icon.ts'

export interface Column {
  readonly id: string
  readonly title: string
  /** Explained when the pointer rests on the title. */
  readonly description?: string
  /** Pixels at first; the last column in sight takes what is left. */
  readonly width: number
  readonly hidden?: boolean
  readonly align?: 'start' | 'end'
  /** In the editor's font. */
  readonly mono?: boolean
  /** Its title can be pressed to sort by it. */
  readonly sortable?: boolean
}

/** A cell. Its text is shown as it is, as text: make what comes from a cluster `printable()` first. */
export interface Cell {
  readonly text: string
  readonly icon?: IconName
  readonly tone?: Tone
  /** Shown when the pointer rests on it; the text itself when left out. */
  readonly title?: string
  /** Has just changed. */
  readonly marked?: boolean
}

export interface Row {
  /** One for each column, hidden ones too, in the order of the columns. */
  readonly cells: readonly (string | Cell)[]
  /** Colours the row's edge; the meaning stands in one of its cells as well. */
  readonly tone?: Tone
}

/**
 * Rows [from, to) by absolute index. May answer at once (an array) or later; fewer rows than asked for mean that the rest is
 * gone. `signal` says that the rows are out of sight again.
 */
export type RowSource = (from: number, to: number, signal: AbortSignal) => readonly Row[] | Promise<readonly Row[]>

export interface Sort {
  readonly column: string
  readonly direction: 'ascending' | 'descending'
}

/** What a person made of the columns, to be remembered. */
export interface Layout {
  readonly widths: Readonly<Record<string, number>>
  /** Ids of hidden columns. */
  readonly hidden: readonly string[]
}

export const NO_LAYOUT: Layout = { widths: {}, hidden: [] }

/** The columns as a person laid them out. */
export function laidOut(columns: readonly Column[], layout: Layout): readonly Column[] {
  return columns.map((column) => ({
    ...column,
    width: layout.widths[column.id] ?? column.width,
    hidden: layout.hidden.includes(column.id),
  }))
}

/** A layout that hides what the columns themselves hide. */
export function firstLayout(columns: readonly Column[]): Layout {
  return { widths: {}, hidden: columns.filter((column) => column.hidden === true).map(({ id }) => id) }
}

export function cellText(cell: string | Cell | undefined): string {
  return typeof cell === 'object' ? cell.text : (cell ?? '')
}
