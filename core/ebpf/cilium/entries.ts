// SPDX-License-Identifier: Apache-2.0

import type { NodeSnapshot } from '../../facts/snapshot.ts'
import type { Address } from '../../net/address.ts'
import type { Evidence } from '../../path/answer.ts'
import { cellText } from '../maps/cell.ts'
import { type Column, type DecodedEntries, decodeEntries } from '../maps/decode.ts'
import { findLayout } from '../maps/find.ts'

/** One entry of a map of Cilium. Fields are asked for by the names their layout gives them. */
export class Entry {
  readonly #node: string
  readonly #map: string
  readonly #entries: DecodedEntries
  readonly #row: number

  constructor(node: string, map: string, entries: DecodedEntries, row: number) {
    this.#node = node
    this.#map = map
    this.#entries = entries
    this.#row = row
  }

  key(field: string): number {
    return numberOf(columnOf(this.#entries.key, field), this.#row)
  }

  value(field: string): number {
    return numberOf(columnOf(this.#entries.value, field), this.#row)
  }

  keyAddress(field: string): Address {
    return addressOf(columnOf(this.#entries.key, field), this.#row)
  }

  valueAddress(field: string): Address {
    return addressOf(columnOf(this.#entries.value, field), this.#row)
  }

  get evidence(): Evidence {
    const text = (columns: readonly Column[]) =>
      columns.map((column) => `${column.field.name}=${cellText(column, this.#row)}`).join(' ')
    const keyBytes = Array.from(this.#entries.raw(this.#row).key, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return {
      kind: 'map',
      map: this.#map,
      key: text(this.#entries.key),
      value: text(this.#entries.value),
      node: this.#node,
      keyBytes,
    }
  }
}

/**
 * Entries of a pinned map of the node. Undefined: the snapshot doesn't have it, or its bytes can't be vouched for, which is
 * then a problem of the snapshot.
 */
export function readEntries(snapshot: NodeSnapshot, name: string): readonly Entry[] | undefined {
  const dump = snapshot.maps.named(name)
  const bytes = dump === undefined ? undefined : snapshot.maps.bytes(dump)
  if (dump === undefined || bytes === undefined) return undefined
  const layout = findLayout(dump)
  if (layout === undefined) {
    snapshot.maps.report(
      dump,
      `has keys of ${dump.keySize} and values of ${dump.valueSize} bytes, which no known version of Cilium has`,
    )
    return undefined
  }
  try {
    const decoded = decodeEntries(layout, bytes, dump.valuesPerEntry)
    return Array.from({ length: decoded.count }, (_, row) => new Entry(snapshot.node, name, decoded, row))
  } catch (error) {
    snapshot.maps.report(dump, error instanceof Error ? error.message : String(error))
    return undefined
  }
}

function columnOf(columns: readonly Column[], name: string): Column {
  const column = columns.find(({ field }) => field.name === name)
  if (column === undefined) throw new Error(`the layout has no field ${name}`)
  return column
}

function numberOf(column: Column, row: number): number {
  if (column.kind === 'bytes') throw new Error(`${column.field.name} is no number`)
  return Number(column.values[row] ?? 0)
}

function addressOf(column: Column, row: number): Address {
  if (column.kind === 'number') return { family: 4, value: column.values[row] ?? 0 }
  if (column.kind === 'bigint') throw new Error(`${column.field.name} is no address`)
  const bytes = column.bytes(row)
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return bytes.length === 4 ? { family: 4, value: Number(value) } : { family: 6, value }
}
