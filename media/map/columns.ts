// SPDX-License-Identifier: Apache-2.0

import type { MapColumn, MapRow, MapView } from '../../protocol/mapPanel.ts'
import type { Tone } from '../components/icon.ts'
import type { Column, Layout, Row } from '../components/virtualTableData.ts'

/** What a person made of the columns: only where it differs from what the host proposes. */
export interface ColumnWishes {
  readonly widths: Readonly<Record<string, number>>
  /** Id to whether it is shown. */
  readonly shown: Readonly<Record<string, boolean>>
}

export const NO_WISHES: ColumnWishes = { widths: {}, shown: {} }

/** What a page remembered of this map's columns. */
export function wishesIn(state: unknown, id: string): ColumnWishes {
  if (typeof state !== 'object' || state === null || !('id' in state) || state.id !== id || !('wishes' in state)) return NO_WISHES
  return state.wishes as ColumnWishes
}

/** Says in words what a row's colour says. */
const CHANGE: Column = { id: 'change', title: 'change', width: 96 }

export function tableColumns(columns: readonly MapColumn[]): readonly Column[] {
  return [
    CHANGE,
    ...columns.map(({ id, title, side, width, align, hidden }) => ({
      id,
      title,
      ...(side !== null && { description: `${title}, in the ${side}` }),
      width,
      align,
      hidden,
      sortable: true,
      mono: true,
    })),
  ]
}

/** The column of changes is there while the map is watched; the others are as the host proposes until somebody says otherwise. */
export function tableLayout({ columns, watch }: MapView, { widths, shown }: ColumnWishes): Layout {
  const hidden = columns.filter((column) => !(shown[column.id] ?? !column.hidden)).map(({ id }) => id)
  return { widths, hidden: watch === 'off' ? [CHANGE.id, ...hidden] : hidden }
}

export function wishesOf(columns: readonly MapColumn[], { widths, hidden }: Layout): ColumnWishes {
  const differing = columns.filter((column) => hidden.includes(column.id) !== column.hidden)
  return { widths, shown: Object.fromEntries(differing.map(({ id }) => [id, !hidden.includes(id)])) }
}

const CHANGES: Readonly<Record<NonNullable<MapRow['change']>, readonly [text: string, tone: Tone]>> = {
  added: ['+ added', 'good'],
  changed: ['~ changed', 'warned'],
  removed: ['− removed', 'bad'],
}

export function tableRow({ cells, change }: MapRow): Row {
  if (change === null) return { cells: ['', ...cells] }
  const [text, tone] = CHANGES[change]
  return { cells: [{ text, tone }, ...cells], tone }
}
