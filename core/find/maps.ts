// SPDX-License-Identifier: Apache-2.0

import type { FactFiles } from '../facts/files.ts'
import type { MapNames } from '../ebpf/maps/names.ts'
import { networkBits } from '../ebpf/maps/network.ts'
import type { NodeMap } from '../ebpf/maps/nodeMaps.ts'
import { entryPhrase } from '../ebpf/maps/present.ts'
import { type MapTable, type TableColumn, tableOf } from '../ebpf/maps/table.ts'
import { parseAddress } from '../net/address.ts'
import { prefixOf } from '../net/prefix.ts'
import type { FindSink } from './found.ts'
import { type Mention, mentionsAddress, mentionsPrefix, type Wanted } from './wanted.ts'

/** Entries of a map, as the snapshot has them, that hold what is wanted in a field known to be an address or an identity. */
export function findInMap(files: FactFiles, node: string, map: NodeMap, names: MapNames, wanted: Wanted, sink: FindSink): void {
  const bytes = map.contents === undefined ? undefined : files.read(map.contents.file)
  if (map.contents === undefined || bytes === undefined || map.layout === undefined) return
  const { name, keySize, valueSize, type, contents } = map
  const perCpu = type.includes('percpu')
  const table = tableOf({ name, keySize, valueSize, valuesPerEntry: contents.valuesPerEntry, perCpu }, bytes, names)
  const mention = mentions(table, wanted)
  if (mention === undefined) return
  for (let row = 0; row < table.count; row++) {
    const found = mention(row)
    if (found === undefined) continue
    const { key } = table.raw(row)
    sink({
      group: 'maps',
      node,
      place: name,
      text: entryPhrase(table, row),
      within: found.how === 'exact' ? undefined : found.bits,
      evidence: { kind: 'map', map: name, ...sides(table, row), node, keyBytes: hex(key) },
    })
  }
}

type Mentions = (row: number) => Mention | undefined

function mentions(table: MapTable, wanted: Wanted): Mentions | undefined {
  const tests = table.columns.flatMap((column) => test(table, column, wanted) ?? [])
  if (tests.length === 0) return undefined
  return (row) => {
    let best: Mention | undefined
    for (const each of tests) {
      const found = each(row)
      if (found?.how === 'exact') return found
      best ??= found
    }
    return best
  }
}

function test(table: MapTable, column: TableColumn, wanted: Wanted): Mentions | undefined {
  const { identity, addresses } = wanted
  if (column.means === 'identity')
    return identity === undefined ? undefined : (row) => (column.value(row) === identity ? { how: 'exact' } : undefined)
  const field = table.layout?.[column.side].find(({ name }) => name === column.name)
  if (addresses.length === 0 || field === undefined || !['ipv4', 'ipv6', 'ip'].includes(field.type)) return undefined
  const prefix = prefixColumn(table, column)
  return (row) => {
    const address = parseAddress(String(column.value(row)))
    if (address === undefined) return undefined
    if (prefix === undefined) return mentionsAddress(wanted, address)
    return mentionsPrefix(wanted, prefixOf(address, networkBits(field, Number(prefix.value(row)))))
  }
}

/** A trie's key is a network: the address counts as far as the prefix goes. Two addresses in one key are no network. */
function prefixColumn(table: MapTable, { side }: TableColumn): TableColumn | undefined {
  if (side !== 'key') return undefined
  const fields = table.layout?.key.filter(({ type }) => ['ipv4', 'ipv6', 'ip'].includes(type)) ?? []
  return fields.length === 1 ? table.columns.find((column) => column.side === 'key' && column.name === 'prefixLength') : undefined
}

function sides(table: MapTable, row: number): { readonly key: string; readonly value: string } {
  const side = (which: 'key' | 'value') =>
    table.columns
      .filter((column) => column.side === which)
      .map((column) => `${column.name}=${column.cell(row).text}`)
      .join(' ')
  return { key: side('key'), value: side('value') }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
