// SPDX-License-Identifier: Apache-2.0

import { type Btf, parseBtf, typeSize } from '../btf.ts'
import { hexBytes, type Leaf, leavesOf } from '../btfLeaves.ts'
import { cellText, cellValue } from './cell.ts'
import { type Column, type DecodedEntries, decodeEntries } from './decode.ts'
import { findLayout, isOfUnknownVersion, type MapIdentity } from './find.ts'
import type { MapLayout, Meaning } from './layout.ts'
import type { MapNames } from './names.ts'

/** Entries of a map as a table, however they could be decoded. Cells are read when asked for. */
export interface MapTable {
  /** "layout": a known map; "btf": by the map's own types; "raw": bytes. */
  readonly by: 'layout' | 'btf' | 'raw'
  readonly layout: MapLayout | undefined
  /** One of Cilium's maps, of a version whose layout is not known: shown as far as can be without one. */
  readonly unknownVersion: boolean
  /** Bytes after the last whole entry, which are not shown. */
  readonly leftOver: number
  /** Bytes of one entry, key and values. */
  readonly entrySize: number
  readonly count: number
  readonly columns: readonly TableColumn[]
  raw(row: number): { readonly key: Uint8Array; readonly value: Uint8Array }
}

export interface TableColumn {
  readonly side: 'key' | 'value'
  readonly name: string
  readonly means: Meaning | undefined
  cell(row: number): Cell
  /** The cell's plain value alone, for sorting: neither text nor name is made. */
  value(row: number): Cell['value']
}

export interface Cell {
  readonly value: number | bigint | string
  /** The value as a person reads it: names of flags and enumerators. */
  readonly text: string
  /** What it stands for among the cluster's objects, if the facts know. */
  readonly name?: string
}

/** What has to be known of a map to read its entries. */
export interface MapShape extends MapIdentity {
  /** Possible CPUs for per-CPU maps, else 1. */
  readonly valuesPerEntry: number
  readonly perCpu: boolean
  readonly types?: { readonly btf: Uint8Array; readonly key: number; readonly value: number } | undefined
}

/** Whatever the bytes are: what can't be decoded is shown as it is. */
export function tableOf(map: MapShape, entries: Uint8Array, names?: MapNames): MapTable {
  const shape = shapeOf(map, entries)
  const layout = findLayout(map)
  if (layout !== undefined && (layout.perCpu ?? false) === map.perCpu) {
    return layoutTable(decodeEntries(layout, shape.bytes, map.valuesPerEntry), names, shape)
  }
  const typed = map.types === undefined ? undefined : btfColumns(shape, map.types)
  return {
    by: typed === undefined ? 'raw' : 'btf',
    layout: undefined,
    unknownVersion: isOfUnknownVersion(map),
    leftOver: shape.leftOver,
    entrySize: shape.stride,
    count: shape.count,
    columns: typed ?? rawColumns(shape),
    raw: shape.raw,
  }
}

function layoutTable(decoded: DecodedEntries, names: MapNames | undefined, { leftOver, stride }: Shape): MapTable {
  const columns = (['key', 'value'] as const).flatMap((side) =>
    decoded[side].map(
      (column): TableColumn => ({
        side,
        name: column.field.name,
        means: column.field.means,
        cell: (row) => namedCell(column, row, names),
        value: (row) => cellValue(column, row),
      }),
    ),
  )
  const { layout, count, raw } = decoded
  return { by: 'layout', layout, unknownVersion: false, leftOver, entrySize: stride, count, columns, raw }
}

function namedCell(column: Column, row: number, names: MapNames | undefined): Cell {
  const value = cellValue(column, row)
  const name = names === undefined ? undefined : nameOf(column, value, names)
  return { value, text: cellText(column, row), ...(name === undefined ? {} : { name }) }
}

const ADDRESSES: ReadonlySet<string> = new Set(['ipv4', 'ipv6', 'ip'])

function nameOf({ field }: Column, value: Cell['value'], names: MapNames): string | undefined {
  if (typeof value === 'string') return ADDRESSES.has(field.type) ? names.ofAddress(value) : undefined
  return field.means === undefined ? undefined : names.of(field.means, Number(value))
}

interface Shape {
  readonly map: MapShape
  /** Whole entries. */
  readonly bytes: Uint8Array
  readonly leftOver: number
  readonly view: DataView
  readonly stride: number
  /** Of one value, rounded up where there are several. */
  readonly slot: number
  readonly count: number
  raw(row: number): { readonly key: Uint8Array; readonly value: Uint8Array }
}

function shapeOf(map: MapShape, entries: Uint8Array): Shape {
  const slot = map.perCpu ? (map.valueSize + 7) & ~7 : map.valueSize
  const stride = map.keySize + slot * map.valuesPerEntry
  const count = stride === 0 ? 0 : Math.floor(entries.byteLength / stride)
  const bytes = entries.subarray(0, count * stride)
  return {
    map,
    bytes,
    leftOver: entries.byteLength - bytes.byteLength,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    stride,
    slot,
    count,
    raw: (row) => ({
      key: bytes.subarray(row * stride, row * stride + map.keySize),
      value: bytes.subarray(row * stride + map.keySize, (row + 1) * stride),
    }),
  }
}

/** A large map is decoded page by page, all by the same types. */
const parsed = new WeakMap<Uint8Array, Btf>()

/** Undefined when they are broken: then there are no types. */
function typesIn(bytes: Uint8Array): Btf | undefined {
  const known = parsed.get(bytes)
  if (known !== undefined) return known
  try {
    const btf = parseBtf(bytes)
    parsed.set(bytes, btf)
    return btf
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Undefined when the types are broken, or larger than what they describe. */
function btfColumns(shape: Shape, types: NonNullable<MapShape['types']>): readonly TableColumn[] | undefined {
  const btf = typesIn(types.btf)
  const { keySize, valueSize, valuesPerEntry, perCpu } = shape.map
  if (btf === undefined || typeSize(btf, types.key) > keySize || typeSize(btf, types.value) > valueSize) return undefined
  const key = leavesOf(btf, types.key, 'key').map((leaf) => leafColumn(shape, leaf, 'key', 0, leaf.name))
  const leaves = leavesOf(btf, types.value, 'value')
  const value = Array.from({ length: valuesPerEntry }, (_, cpu) =>
    leaves.map((leaf) =>
      leafColumn(shape, leaf, 'value', keySize + cpu * shape.slot, perCpu ? `cpu${cpu}.${leaf.name}` : leaf.name),
    ),
  )
  return [
    ...(key.length === 0 ? [bytesColumn(shape, 'key')] : key),
    ...(leaves.length === 0 ? [bytesColumn(shape, 'value')] : value.flat()),
  ]
}

function leafColumn(shape: Shape, leaf: Leaf, side: 'key' | 'value', base: number, name: string): TableColumn {
  const cell = (row: number) => leaf.read(shape.view, row * shape.stride + base)
  return plainColumn(side, name, cell)
}

/** A column whose cells are read whole at once. */
function plainColumn(side: 'key' | 'value', name: string, cell: (row: number) => Cell): TableColumn {
  return { side, name, means: undefined, cell, value: (row) => cell(row).value }
}

/** Bytes, and beside keys and values that have the size of an integer, the integer they may be. */
function rawColumns(shape: Shape): readonly TableColumn[] {
  const { keySize, valueSize, perCpu } = shape.map
  return [
    bytesColumn(shape, 'key'),
    ...numberColumn(shape, 'key', keySize, 0),
    bytesColumn(shape, 'value'),
    ...(perCpu ? [] : numberColumn(shape, 'value', valueSize, keySize)),
  ]
}

function bytesColumn(shape: Shape, side: 'key' | 'value'): TableColumn {
  const cell = (row: number): Cell => {
    const text = hexBytes(shape.raw(row)[side])
    return { value: text, text }
  }
  return plainColumn(side, side, cell)
}

function numberColumn(shape: Shape, side: 'key' | 'value', size: number, base: number): readonly TableColumn[] {
  if (![1, 2, 4, 8].includes(size)) return []
  const cell = (row: number): Cell => {
    let whole = 0n
    for (let i = size - 1; i >= 0; i--) whole = (whole << 8n) | BigInt(shape.view.getUint8(row * shape.stride + base + i))
    const value = size === 8 ? whole : Number(whole)
    return { value, text: String(value) }
  }
  return [plainColumn(side, `${side}Number`, cell)]
}
