// SPDX-License-Identifier: Apache-2.0

import type { Field, MapLayout } from './layout.ts'

/**
 * Entries of a map, by column. Integers are decoded into typed arrays at once, because views filter and sort by them; what
 * only has to be shown (addresses, MACs, bytes) stays in the raw buffer and is read by row.
 */
export interface DecodedEntries {
  readonly layout: MapLayout
  readonly count: number
  readonly key: readonly Column[]
  readonly value: readonly Column[]
  /** Key and value of one entry, for the hex view. */
  raw(row: number): { readonly key: Uint8Array; readonly value: Uint8Array }
}

export type Column =
  | { readonly kind: 'number'; readonly field: Field; readonly values: Uint32Array }
  | { readonly kind: 'bigint'; readonly field: Field; readonly values: BigUint64Array }
  | { readonly kind: 'bytes'; readonly field: Field; bytes(row: number): Uint8Array }

/** How entries lie in the buffer: key, then value, with no gap; per-CPU values one after the other, each rounded up to 8 bytes. */
interface Shape {
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly stride: number
  readonly count: number
}

/**
 * Decodes `buffer`, a run of entries as the agent dumps them. `cpus` is the number of possible CPUs, for per-CPU maps.
 * @throws RangeError when the buffer is not a whole number of entries: a truncated dump is never guessed at.
 */
export function decodeEntries(layout: MapLayout, buffer: Uint8Array, cpus = 1): DecodedEntries {
  const slot = layout.perCpu ? roundUp8(layout.valueSize) * cpus : layout.valueSize
  const stride = layout.keySize + slot
  if (buffer.byteLength % stride !== 0) {
    throw new RangeError(`${layout.name}: ${buffer.byteLength} bytes are not a whole number of entries of ${stride} bytes`)
  }
  const shape: Shape = {
    view: new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength),
    bytes: buffer,
    stride,
    count: buffer.byteLength / stride,
  }
  const valueColumn = layout.perCpu
    ? (field: Field) => summedColumn(shape, field, layout, cpus)
    : (field: Field) => column(shape, field, layout.keySize)
  return {
    layout,
    count: shape.count,
    key: layout.key.map((field) => column(shape, field, 0)),
    value: layout.value.map(valueColumn),
    raw: (row) => {
      const start = row * stride
      return {
        key: buffer.subarray(start, start + layout.keySize),
        value: buffer.subarray(start + layout.keySize, start + stride),
      }
    },
  }
}

function roundUp8(size: number): number {
  return (size + 7) & ~7
}

function column(shape: Shape, field: Field, base: number): Column {
  const offset = base + field.offset
  switch (field.type) {
    case 'u8':
      return { kind: 'number', field, values: numbers(shape, field, (row) => shape.view.getUint8(row + offset)) }
    case 'u16':
      return { kind: 'number', field, values: numbers(shape, field, (row) => shape.view.getUint16(row + offset, true)) }
    case 'be16':
      return { kind: 'number', field, values: numbers(shape, field, (row) => shape.view.getUint16(row + offset)) }
    case 'u32':
    case 'i32':
      return { kind: 'number', field, values: numbers(shape, field, (row) => shape.view.getUint32(row + offset, true)) }
    case 'be32':
    case 'ipv4':
      return { kind: 'number', field, values: numbers(shape, field, (row) => shape.view.getUint32(row + offset)) }
    case 'u64':
      return { kind: 'bigint', field, values: wideNumbers(shape, offset) }
    case 'ipv6':
      return byteColumn(shape, field, offset, () => 16)
    case 'mac':
      return byteColumn(shape, field, offset, () => 6)
    case 'bytes':
    case 'u32s':
      return byteColumn(shape, field, offset, () => field.size ?? 0)
    case 'ip':
      return byteColumn(shape, field, offset, (start) => (isIpv6(shape, field, start + base) ? 16 : 4))
  }
}

function isIpv6(shape: Shape, field: Field, start: number): boolean {
  const when = field.ipv6When
  return when !== undefined && (shape.view.getUint8(start + when.offset) & when.mask) === when.equals
}

function byteColumn(shape: Shape, field: Field, offset: number, size: (start: number) => number): Column {
  return {
    kind: 'bytes',
    field,
    bytes: (row) => {
      const start = row * shape.stride
      return shape.bytes.subarray(start + offset, start + offset + size(start))
    },
  }
}

/** `read` gets the byte offset of the row's start. */
function numbers(shape: Shape, field: Field, read: (start: number) => number): Uint32Array {
  const values = new Uint32Array(shape.count)
  const { bits } = field
  for (let row = 0, start = 0; row < shape.count; row++, start += shape.stride) values[row] = read(start)
  if (bits === undefined) return values
  const mask = 2 ** bits.width - 1
  for (let row = 0; row < shape.count; row++) values[row] = ((values[row] ?? 0) >>> bits.shift) & mask
  return values
}

/** Halves are copied into the array's own memory: making a bigint per entry is what costs. */
function wideNumbers(shape: Shape, offset: number): BigUint64Array {
  const values = new BigUint64Array(shape.count)
  const halves = new Uint32Array(values.buffer)
  for (let row = 0, start = offset; row < shape.count; row++, start += shape.stride) {
    halves[2 * row] = shape.view.getUint32(start, true)
    halves[2 * row + 1] = shape.view.getUint32(start + 4, true)
  }
  return values
}

/** Counters of per-CPU maps are shown as their sum. */
function summedColumn(shape: Shape, field: Field, { keySize, valueSize }: MapLayout, cpus: number): Column {
  const values = new BigUint64Array(shape.count)
  for (let cpu = 0; cpu < cpus; cpu++) {
    const offset = keySize + cpu * roundUp8(valueSize) + field.offset
    const part =
      field.type === 'u64' ? wideNumbers(shape, offset) : numbers(shape, field, (row) => shape.view.getUint32(row + offset, true))
    for (let row = 0; row < shape.count; row++) values[row] = (values[row] ?? 0n) + BigInt(part[row] ?? 0)
  }
  return { kind: 'bigint', field, values }
}
