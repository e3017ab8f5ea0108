// SPDX-License-Identifier: Apache-2.0

import { describe } from '../core/ebpf/maps/describe.ts'
import { MAPS_SCHEMA, mapDocument } from '../core/ebpf/maps/documents.ts'
import { MAP_GROUPS, type NodeMap } from '../core/ebpf/maps/nodeMaps.ts'
import type { Cell, MapTable, TableColumn } from '../core/ebpf/maps/table.ts'
import { printable } from '../core/text/printable.ts'

export const MAP_CHANGE_SCHEMA = 'plumbline.map-change/v1'

/** The maps of one node. */
export interface NodeListing {
  readonly node: string
  readonly maps: readonly NodeMap[]
}

const GROUP_TITLES = {
  services: 'Services',
  identities: 'Identities and endpoints',
  policy: 'Policy',
  connections: 'Connections',
  nat: 'NAT',
  other: 'Other',
} as const

export function listDocument(nodes: readonly NodeListing[]) {
  return { schema: MAPS_SCHEMA, maps: nodes.flatMap(({ node, maps }) => maps.map((map) => ({ node, ...mapDocument(map) }))) }
}

export function listText(nodes: readonly NodeListing[]): string {
  return nodes.map(nodeText).join('\n')
}

function nodeText({ node, maps }: NodeListing): string {
  const lines = MAP_GROUPS.flatMap((group) => {
    const rows = maps.filter((map) => map.group === group).map(mapRow)
    return rows.length === 0 ? [] : ['', GROUP_TITLES[group], ...alignRows(rows).map((line) => `  ${line}`)]
  })
  return `${[`${printable(node)}: ${maps.length} maps`, ...lines].join('\n')}\n`
}

function mapRow(map: NodeMap): readonly string[] {
  const { contents } = map
  const fill = contents === undefined ? '' : `${contents.count}${contents.truncated ? '+' : ''}`
  return [
    printable(map.name),
    `id ${map.id}`,
    map.type,
    `${fill === '' ? '?' : fill}/${map.maxEntries}`,
    map.memoryBytes === undefined ? '' : bytesText(map.memoryBytes),
    map.title ?? '',
  ]
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${Math.round(bytes / (1024 * 1024))} MiB`
}

/** Entries with their text, as columns under their names. Columns that are empty or zero in every row are left out. */
export function entriesText(table: MapTable, rows: readonly number[]): string {
  if (rows.length === 0) return ''
  const description = describe(table)
  const columns = table.columns.filter((column) => description?.covers.has(column) !== true && !isEmpty(column, rows))
  const heads = [...(description === undefined ? [] : [description.heading]), ...columns.map(({ name }) => name)]
  const body = rows.map((row) => [
    ...(description === undefined ? [] : [description.text(row)]),
    ...columns.map((column) => cellPhrase(column.cell(row))),
  ])
  return `${alignRows([heads, ...body.map((cells) => cells.map(printable))]).join('\n')}\n`
}

/** One entry in a line, for a list of changes. */
export function entryLine(table: MapTable, row: number): string {
  const description = describe(table)
  const rest = table.columns.filter((column) => description?.covers.has(column) !== true && !isEmpty(column, [row]))
  const cells = rest.map((column) => `${column.name}=${cellPhrase(column.cell(row))}`)
  return printable([...(description === undefined ? [] : [description.text(row)]), ...cells].join(' '))
}

const EMPTY: ReadonlySet<string> = new Set(['', '0', '0.0.0.0', '::', '00:00:00:00:00:00'])

function isEmpty(column: TableColumn, rows: readonly number[]): boolean {
  return column.side === 'value' && rows.every((row) => EMPTY.has(column.cell(row).text))
}

function cellPhrase({ text, name }: Cell): string {
  return name === undefined ? text : `${text} (${name})`
}

function alignRows(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = []
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
