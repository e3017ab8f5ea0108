// SPDX-License-Identifier: Apache-2.0

/** A map's entries as a person reads them: which columns, and what stands in each cell. */

import { printable } from '../../text/printable.ts'
import { type Description, describe } from './describe.ts'
import type { Cell, MapTable, TableColumn } from './table.ts'

export interface PresentedColumn {
  /** "key.port"; "about" for the phrase that tells a key whole. */
  readonly id: string
  readonly title: string
  /** Index into the table's columns; undefined for "about". */
  readonly column: number | undefined
  readonly isNumber: boolean
  /** Characters of the longest cell looked at. */
  readonly widest: number
  /** Another column tells it, or it is empty wherever one looked. */
  readonly hidden: boolean
}

export interface PresentedCell {
  readonly text: string
  /** More than the text says. */
  readonly title?: string
}

/** Rows looked at to find out what is worth a column, and how wide. */
const SAMPLE = 200

const EMPTY: ReadonlySet<string> = new Set(['', '0', '0.0.0.0', '::', '00:00:00:00:00:00'])

export function presentColumns(table: MapTable, rows: readonly number[]): readonly PresentedColumn[] {
  const description = describe(table)
  const sample = rows.slice(0, SAMPLE)
  const names = table.columns.map(({ name }) => name)
  const columns = table.columns.map((column, index): PresentedColumn => {
    const cells = sample.map((row) => column.cell(row))
    const isTwice = names.filter((name) => name === column.name).length > 1
    const isEmpty = column.side === 'value' && sample.length > 0 && cells.every(({ text }) => EMPTY.has(text))
    return {
      id: `${column.side}.${column.name}`,
      title: isTwice ? `${column.side}.${column.name}` : column.name,
      column: index,
      isNumber: cells.every(
        (cell) => typeof cell.value !== 'string' && cell.name === undefined && cell.text === String(cell.value),
      ),
      widest: Math.max(0, ...cells.map((cell) => cellPhrase(cell).length)),
      hidden: isEmpty || description?.covers.has(column) === true,
    }
  })
  if (description === undefined) return columns
  const widest = Math.max(0, ...sample.map((row) => description.text(row).length))
  return [{ id: 'about', title: description.heading, column: undefined, isNumber: false, widest, hidden: false }, ...columns]
}

/** Cells of one row, for the columns of `presentColumns`. */
export function presentRow(table: MapTable, row: number, columns: readonly PresentedColumn[]): readonly PresentedCell[] {
  const description = descriptionOf(table)
  return columns.map(({ column }) => {
    if (column === undefined) return { text: printable(description?.text(row) ?? '') }
    const cell = table.columns[column]?.cell(row)
    return cell === undefined ? { text: '' } : presentCell(cell)
  })
}

function presentCell(cell: Cell): PresentedCell {
  const text = printable(cellPhrase(cell))
  const plain = String(cell.value)
  return text.includes(plain) ? { text } : { text, title: printable(`${text} = ${plain}`) }
}

/** Names come before numbers, and after addresses, which are names already. */
export function cellPhrase({ text, name, value }: Cell): string {
  if (name === undefined) return text
  return typeof value === 'string' ? `${text} · ${name}` : `${name} (${text})`
}

const descriptions = new WeakMap<MapTable, { readonly description: Description | undefined }>()

/** Made once for a table: rows ask for it one by one. */
function descriptionOf(table: MapTable): Description | undefined {
  const known = descriptions.get(table) ?? { description: describe(table) }
  descriptions.set(table, known)
  return known.description
}

/** An entry in one line, for a title or a list of changes. */
export function entryPhrase(table: MapTable, row: number): string {
  const description = descriptionOf(table)
  const rest = table.columns.filter((column) => description?.covers.has(column) !== true)
  const cells = rest.map((column) => [column, column.cell(row)] as const)
  const told = cells
    .filter(([{ side }, { text }]) => side === 'key' || !EMPTY.has(text))
    .map(([column, cell]) => `${column.name}=${cellPhrase(cell)}`)
  return printable([...(description === undefined ? [] : [description.text(row)]), ...told].join(' '))
}

/** What of an entry is another now: "port 80 → 81". */
export function changePhrase(before: MapTable, after: MapTable, row: number): string {
  const subject = descriptionOf(after)?.text(row) ?? keyPhrase(after, row)
  const changes = changedColumns(before, after, row).map(({ name }) => {
    const cell = (table: MapTable, at: number) =>
      table.columns.find((column) => column.side === 'value' && column.name === name)?.cell(at)
    const [old, now] = [cell(before, 0), cell(after, row)]
    return `${name} ${old === undefined ? '' : cellPhrase(old)} → ${now === undefined ? '' : cellPhrase(now)}`
  })
  return printable(`${subject}: ${changes.join(', ')}`)
}

/** Columns of the value that differ between the only row of `before` and a row of `after`. */
export function changedColumns(before: MapTable, after: MapTable, row: number): readonly TableColumn[] {
  return after.columns.filter((column, index) => column.side === 'value' && before.columns[index]?.value(0) !== column.value(row))
}

function keyPhrase(table: MapTable, row: number): string {
  const key = table.columns.filter(({ side }) => side === 'key')
  return key.map((column) => `${column.name}=${cellPhrase(column.cell(row))}`).join(' ')
}

/** Sizes of fields, bytes; what depends on the entry takes its largest. */
const SIZES: Readonly<Record<string, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  i32: 4,
  be16: 2,
  be32: 4,
  ipv4: 4,
  ipv6: 16,
  ip: 16,
  mac: 6,
}

/** Where a column's bytes lie in the key or value; undefined where only the map's own types know. */
export function columnBytes(
  table: MapTable,
  column: TableColumn,
): { readonly offset: number; readonly size: number } | undefined {
  const { layout } = table
  const field = layout?.[column.side].find(({ name }) => name === column.name)
  if (layout === undefined || field === undefined) return undefined
  const { type, offset, size } = field
  const whole = column.side === 'key' ? layout.keySize : layout.valueSize
  return { offset, size: size ?? SIZES[type] ?? whole - offset }
}
