// SPDX-License-Identifier: Apache-2.0

/** What a Map panel shows of its model: the header, rows, and single entries. */

import type { NodeMap } from '../../core/ebpf/maps/nodeMaps.ts'
import { cellPhrase, columnBytes, entryPhrase, type PresentedColumn, presentRow } from '../../core/ebpf/maps/present.ts'
import type { MapTable, TableColumn } from '../../core/ebpf/maps/table.ts'
import { parseAddress } from '../../core/net/address.ts'
import { printable } from '../../core/text/printable.ts'
import type { PanelError } from '../../protocol/panel.ts'
import type { EntryField, MapColumn, MapEntry, MapNote, MapRow, MapView } from '../../protocol/mapPanel.ts'
import type { Ability } from '../../protocol/tracePanel.ts'
import { hex } from './mapFollower.ts'
import type { MapModel } from './mapModel.ts'
import type { OpenedMap } from './openMap.ts'

export interface MapAbilities {
  readonly canRead: Ability
  readonly canWatch: Ability
  readonly filterHistory: readonly string[]
  readonly reason: PanelError | null
  readonly version: number
}

export function mapView(shown: OpenedMap, model: MapModel, abilities: MapAbilities): MapView {
  const { map, node, id, from, endpoint } = shown
  const { store, state } = model
  const { by } = store.empty()
  const title = [map.title, endpoint].filter((part) => part !== undefined).join(' · ')
  return {
    ...abilities,
    id,
    name: printable(map.name),
    title: title === '' ? null : printable(title),
    node: printable(node),
    facts: printable(from),
    type: map.type,
    decodedBy: by,
    keySize: map.keySize,
    valueSize: map.valueSize,
    memoryBytes: map.memoryBytes ?? null,
    path: map.path === undefined ? null : printable(map.path),
    state,
    progress: model.progress ?? null,
    entries: store.count,
    capacity: map.maxEntries,
    shown: model.rows.length,
    readAt: model.readAt ?? null,
    notes: notesOf(model, map),
    filter: model.filterText,
    sort: model.sort ?? null,
    ordering: model.isOrdering,
    columns: model.columns.map(mapColumn),
    watch: model.watch,
  }
}

function notesOf(model: MapModel, map: NodeMap): readonly MapNote[] {
  const { end, isCancelled } = model
  const isSnapshot = end?.takenAt !== undefined
  return [
    ...(isCancelled ? [{ kind: 'stopped', detail: '' } as const] : []),
    ...(end?.truncated === true ? [{ kind: isSnapshot ? 'cut-snapshot' : 'cut', detail: '' } as const] : []),
    ...(end?.incomplete === undefined ? [] : [{ kind: 'incomplete', detail: printable(end.incomplete) } as const]),
    ...(map.unknownVersion ? [{ kind: 'unknown-version', detail: '' } as const] : []),
  ]
}

const PIXELS_PER_CHARACTER = 7.6
const [NARROWEST, WIDEST] = [70, 420]

function mapColumn({ id, title, isNumber, widest, hidden }: PresentedColumn): MapColumn {
  const characters = Math.max(title.length + 3, widest + 2)
  return {
    id,
    title,
    side: id.startsWith('key.') ? 'key' : id.startsWith('value.') ? 'value' : null,
    width: Math.round(Math.min(WIDEST, Math.max(NARROWEST, characters * PIXELS_PER_CHARACTER))),
    align: isNumber ? 'end' : 'start',
    hidden,
  }
}

/** Rows [from, to) of those shown. */
export function mapRows(model: MapModel, from: number, to: number): readonly MapRow[] {
  return Array.from(model.rows.subarray(from, to), (row) => mapRow(model, row))
}

function mapRow(model: MapModel, row: number): MapRow {
  const { table, row: inTable } = model.store.locate(row)
  const mark = model.marks.of(row)
  const cells = presentRow(table, inTable, model.columns).map((cell, index) => {
    const column = table.columns[model.columns[index]?.column ?? -1]
    const marked = mark?.kind === 'changed' && column?.side === 'value' && mark.columns?.has(column.name) === true
    return marked ? { ...cell, marked } : cell.title === undefined ? cell.text : cell
  })
  const change = mark?.kind ?? null
  return { key: hex(table.raw(inTable).key), cells, change }
}

export function mapEntry(model: MapModel, row: number): MapEntry {
  const { table, row: inTable } = model.store.locate(row)
  const { key, value } = table.raw(inTable)
  return {
    key: hex(key),
    title: entryPhrase(table, inTable),
    fields: table.columns.map((column) => entryField(table, column, inTable)),
    keyBytes: hex(key),
    valueBytes: hex(value),
  }
}

function entryField(table: MapTable, column: TableColumn, row: number): EntryField {
  const cell = column.cell(row)
  const plain = String(cell.value)
  return {
    side: column.side,
    name: column.name,
    text: printable(cell.text === plain || cell.text === '' ? plain : `${cell.text} (${plain})`),
    meaning: cell.name === undefined ? null : printable(cell.name),
    bytes: table.layout?.perCpu === true && column.side === 'value' ? null : (columnBytes(table, column) ?? null),
    find: findable(column, cell.value),
  }
}

function findable({ means }: TableColumn, value: number | bigint | string): string | null {
  if (means === 'identity') return Number(value) === 0 ? null : `identity:${value}`
  if (typeof value !== 'string') return null
  const address = parseAddress(value)
  return address === undefined || BigInt(address.value) === 0n ? null : value
}

/** An entry as text for the clipboard. */
export function entryText(model: MapModel, row: number): string {
  const { table, row: inTable } = model.store.locate(row)
  return table.columns.map((column) => `${column.side}.${column.name}\t${printable(cellPhrase(column.cell(inTable)))}`).join('\n')
}
