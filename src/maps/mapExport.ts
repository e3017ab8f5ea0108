// SPDX-License-Identifier: Apache-2.0

/** A map's entries as a file: JSON as the command line prints it, or a table for a spreadsheet. */

import { entryDocuments, MAPS_SCHEMA, mapDocument } from '../../core/ebpf/maps/documents.ts'
import type { NodeMap } from '../../core/ebpf/maps/nodeMaps.ts'
import { hex } from './mapFollower.ts'
import type { MapModel } from './mapModel.ts'

export interface Exported {
  readonly node: string
  readonly map: NodeMap
  readonly model: MapModel
  readonly rows: Iterable<number>
  /** The expression the rows were chosen by; null for all. */
  readonly filter: string | null
}

/** Rows written before others get a turn. */
const PIECE = 2048

export async function exportJson(what: Exported): Promise<Uint8Array> {
  const { node, map, model, filter } = what
  const { truncated: _, entries: __, ...described } = mapDocument(map)
  const head = {
    schema: MAPS_SCHEMA,
    node,
    map: described,
    decodedBy: model.store.empty().by,
    filter,
    scanned: model.end?.scanned ?? model.store.count,
    truncated: !model.isWhole || model.isCancelled,
    incomplete: model.end?.incomplete ?? null,
  }
  let first = true
  const pieces = await inPieces(what.rows, (row) => {
    const { table, row: inTable } = model.store.locate(row)
    const [document] = entryDocuments(table, [inTable])
    const comma = first ? '' : ','
    first = false
    return `${comma}\n    ${JSON.stringify(document)}`
  })
  return Buffer.concat([
    Buffer.from(`${JSON.stringify(head, null, 2).slice(0, -2)},\n  "entries": [`),
    ...pieces,
    Buffer.from('\n  ]\n}\n'),
  ])
}

/** RFC 4180: each field with its text, and beside those that have one, its name; the raw bytes last. */
export async function exportCsv({ model, rows }: Exported): Promise<Uint8Array> {
  const { columns } = model.store.empty()
  const heads = columns.flatMap(({ side, name }) => [`${side}.${name}`, `${side}.${name}.name`])
  const pieces = await inPieces(rows, (row) => {
    const { table, row: inTable } = model.store.locate(row)
    const { key, value } = table.raw(inTable)
    const cells = table.columns.map((column) => column.cell(inTable))
    return csvLine([...cells.flatMap(({ text, name }) => [text, name ?? '']), hex(key), hex(value)])
  })
  return Buffer.concat([Buffer.from(csvLine([...heads, 'raw.key', 'raw.value'])), ...pieces])
}

async function inPieces(rows: Iterable<number>, text: (row: number) => string): Promise<readonly Buffer[]> {
  const pieces: Buffer[] = []
  let lines: string[] = []
  for (const row of rows) {
    lines.push(text(row))
    if (lines.length < PIECE) continue
    pieces.push(Buffer.from(lines.join('')))
    lines = []
    await new Promise((resolve) => setImmediate(resolve))
  }
  return [...pieces, Buffer.from(lines.join(''))]
}

function csvLine(fields: readonly string[]): string {
  return `${fields.map(csvField).join(',')}\r\n`
}

/** Spreadsheets take a field that begins like a formula for one, and the text comes from a cluster. */
function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
