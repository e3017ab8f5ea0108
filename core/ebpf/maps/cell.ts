// SPDX-License-Identifier: Apache-2.0

import { formatAddress } from '../../net/address.ts'
import type { Column } from './decode.ts'
import type { FieldType } from './layout.ts'

/** The plain value of a cell: numbers as numbers (bigint where they may pass 2^53), addresses and MACs as text. */
export function cellValue(column: Column, row: number): number | bigint | string {
  switch (column.kind) {
    case 'bigint':
      return column.values[row] ?? 0n
    case 'bytes':
      return bytesText(column.field.type, column.bytes(row))
    case 'number': {
      const value = column.values[row] ?? 0
      return column.field.type === 'ipv4' ? formatAddress({ family: 4, value }) : value
    }
  }
}

/** What a person reads: names of values and flags where there are any. */
export function cellText(column: Column, row: number): string {
  const value = cellValue(column, row)
  const { field } = column
  if (typeof value !== 'number') return String(value)
  if (field.flags !== undefined) return flagNames(field.flags, value)
  return field.values?.[value] ?? String(value)
}

function flagNames(names: readonly (string | null)[], value: number): string {
  const set: string[] = []
  for (let bit = 0; bit < 32; bit++) {
    if (((value >>> bit) & 1) === 1) set.push(names[bit] ?? `bit ${bit}`)
  }
  return set.join(', ')
}

function bytesText(type: FieldType, bytes: Uint8Array): string {
  if (type === 'u32s') return shares(bytes)
  return type === 'mac' || type === 'bytes' ? hex(bytes, ':') : address(bytes)
}

/** How often each number comes: "3 (5461 of 16381), 7 (5460 of 16381)", the most frequent first. */
function shares(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const counts = new Map<number, number>()
  const length = bytes.byteLength >>> 2
  for (let i = 0; i < length; i++) counts.set(view.getUint32(4 * i, true), (counts.get(view.getUint32(4 * i, true)) ?? 0) + 1)
  const sorted = [...counts].sort(([a, many], [b, few]) => few - many || a - b)
  return sorted.map(([number, times]) => `${number} (${times} of ${length})`).join(', ')
}

function address(bytes: Uint8Array): string {
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return formatAddress(bytes.length === 4 ? { family: 4, value: Number(value) } : { family: 6, value })
}

function hex(bytes: Uint8Array, separator: string): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(separator)
}
