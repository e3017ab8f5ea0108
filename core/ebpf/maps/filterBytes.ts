// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../net/address.ts'
import type { FilterExpression } from './filter.ts'
import type { Field, MapLayout } from './layout.ts'

/** Bytes of an entry that must match: `(byte & mask) == value`. */
export interface ByteFilter {
  readonly part: 'key' | 'value'
  readonly offset: number
  readonly mask: Uint8Array
  readonly value: Uint8Array
}

const MAX_FILTERS = 16

/**
 * The part of an expression that the node can decide by itself, so that other entries needn't travel: equality of numbers and
 * addresses, where nothing but "and" stands between them. Entries that pass still have to pass the whole expression.
 */
export function byteFilters(expression: FilterExpression, layout: MapLayout): readonly ByteFilter[] {
  if (layout.perCpu) return []
  if (expression.kind === 'and') return expression.of.flatMap((each) => byteFilters(each, layout)).slice(0, MAX_FILTERS)
  if (expression.kind !== 'compare' || expression.operator !== '=') return []
  const wanted = expression.field.toLowerCase()
  const found = (['key', 'value'] as const).flatMap((part) =>
    layout[part]
      .filter(({ name }) => [name, `${part}.${name}`].some((each) => each.toLowerCase() === wanted))
      .map((field) => ({ part, field })),
  )
  const only = found[0]
  // A name that both sides have matches either, and that is no conjunction.
  if (only === undefined || found.length > 1) return []
  const filter = bytesOf(only.field, expression.value)
  return filter === undefined ? [] : [{ part: only.part, offset: only.field.offset, ...filter }]
}

function bytesOf(field: Field, text: string): Pick<ByteFilter, 'mask' | 'value'> | undefined {
  // Names of values may look like other numbers, and flags are compared by name: those are left to the caller.
  if (field.values !== undefined || field.flags !== undefined || field.bits !== undefined || field.type === 'i32')
    return undefined
  if (field.type === 'ipv4') return ipv4Bytes(text)
  const size = INTEGERS[field.type]
  if (size === undefined || !/^[0-9]{1,19}$/.test(text)) return undefined
  const number = BigInt(text)
  if (number >= 1n << BigInt(8 * size)) return undefined
  const value = Uint8Array.from({ length: size }, (_, index) => Number((number >> BigInt(8 * index)) & 0xffn))
  return { mask: new Uint8Array(size).fill(0xff), value: field.type.startsWith('be') ? value.reverse() : value }
}

const INTEGERS: Readonly<Partial<Record<Field['type'], number>>> = { u8: 1, u16: 2, u32: 4, u64: 8, be16: 2, be32: 4 }

function ipv4Bytes(text: string): Pick<ByteFilter, 'mask' | 'value'> | undefined {
  const address = parseAddress(text)
  if (address?.family !== 4) return undefined
  const value = new Uint8Array(4)
  new DataView(value.buffer).setUint32(0, address.value)
  return { mask: new Uint8Array(4).fill(0xff), value }
}
