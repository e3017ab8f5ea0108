// SPDX-License-Identifier: Apache-2.0

/** Maps and their entries as JSON, for other programs: the command line's `--json` and the Map panel's export. */

import { describe } from './describe.ts'
import type { NodeMap } from './nodeMaps.ts'
import type { Cell, MapTable } from './table.ts'

export const MAPS_SCHEMA = 'plumbline.maps/v1'

export function mapDocument(map: NodeMap) {
  const { id, name, path, type, group, title, keySize, valueSize, maxEntries, memoryBytes, contents } = map
  return {
    id,
    name,
    path: path ?? null,
    type,
    group,
    title: title ?? null,
    keySize,
    valueSize,
    maxEntries,
    memoryBytes: memoryBytes ?? null,
    /** Null: not counted. */
    entries: contents?.count ?? null,
    truncated: contents?.truncated ?? false,
  }
}

export function entryDocuments(table: MapTable, rows: readonly number[]) {
  const description = describe(table)
  return rows.map((row) => {
    const { key, value } = table.raw(row)
    return {
      text: description?.text(row) ?? null,
      key: side(table, 'key', row, ({ value: plain }) => jsonValue(plain)),
      value: side(table, 'value', row, ({ value: plain }) => jsonValue(plain)),
      names: Object.fromEntries(
        table.columns.flatMap((column) => {
          const cell = column.cell(row)
          const text = cell.name ?? (cell.text === String(cell.value) ? undefined : cell.text)
          return text === undefined ? [] : [[`${column.side}.${column.name}`, text]]
        }),
      ),
      raw: { key: hex(key), value: hex(value) },
    }
  })
}

function side(table: MapTable, which: 'key' | 'value', row: number, pick: (cell: Cell) => unknown) {
  const columns = table.columns.filter((column) => column.side === which)
  return Object.fromEntries(columns.map((column) => [column.name, pick(column.cell(row))]))
}

/** What can pass 2^53 is a string, always: a reader must not have to look at the size of a number. */
function jsonValue(value: Cell['value']): number | string {
  return typeof value === 'bigint' ? String(value) : value
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
