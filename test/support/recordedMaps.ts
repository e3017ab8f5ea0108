// SPDX-License-Identifier: Apache-2.0

/** Maps of a recorded node with Cilium (test/fixtures/raw): what bpftool dumped, as the files of a bundle. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const RAW = join(import.meta.dirname, '../fixtures/raw')
const PINS = '/sys/fs/bpf/tc/globals'

type Bytes = readonly string[]

interface Described {
  readonly id: number
  readonly type: string
  readonly name: string
  readonly flags: number
  readonly bytes_key: number
  readonly bytes_value: number
  readonly max_entries: number
  readonly bytes_memlock: number
}

type Entry = {
  readonly key: Bytes
  readonly value?: Bytes | { readonly error: string }
  readonly values?: readonly { readonly value: Bytes }[]
}

/** By path below the node's folder: bpf/maps.json, pins.json, maps/index.json and the contents. */
export function recordedMaps(cluster: string, node: string): ReadonlyMap<string, Uint8Array> {
  const folder = join(RAW, cluster, node, 'bpf')
  const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8'))
  const described = Object.entries(read('maps') as Readonly<Record<string, Described>>)
  const files = new Map<string, Uint8Array>()
  const put = (path: string, value: unknown) => files.set(`bpf/${path}`, new TextEncoder().encode(JSON.stringify(value)))
  const index: unknown[] = []
  for (const [name, map] of described) {
    const decodable = ['hash', 'lru_hash', 'lpm_trie', 'percpu_hash', 'lru_percpu_hash'].includes(map.type)
    if (!decodable) continue
    const entries = read(name) as readonly Entry[]
    files.set(`bpf/maps/${name}.bin`, contents(entries, map))
    index.push({
      name,
      file: `bpf/maps/${name}.bin`,
      path: `${PINS}/${name}`,
      ...shape(map),
      valuesPerEntry: entries[0]?.values?.length ?? 1,
      count: entries.length,
      truncated: false,
    })
  }
  put('maps/index.json', index)
  put(
    'maps.json',
    described.map(([, map]) => ({ ...shape(map), name: map.name, memoryBytes: String(map.bytes_memlock) })),
  )
  put(
    'pins.json',
    described.map(([name, { id }]) => ({ path: `${PINS}/${name}`, kind: 'map', id })),
  )
  return files
}

function shape({ id, type, bytes_key, bytes_value, max_entries, flags }: Described) {
  return { id, type, keySize: bytes_key, valueSize: bytes_value, maxEntries: max_entries, flags }
}

function contents(entries: readonly Entry[], map: Described): Uint8Array {
  const padding = Array.from({ length: -map.bytes_value & 7 }, () => '0x00')
  const bytes = entries.flatMap(({ key, value, values }) => [
    ...key,
    ...(values?.flatMap((each) => [...each.value, ...padding]) ?? (Array.isArray(value) ? (value as Bytes) : [])),
  ])
  return Uint8Array.from(bytes, Number)
}
