// SPDX-License-Identifier: Apache-2.0

/** What bpftool and cilium-dbg printed on a recorded node, as the files that a node's agent would have written. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Described {
  readonly id: number
  readonly type: string
  readonly bytes_key: number
  readonly bytes_value: number
}

type Bytes = readonly string[]
type Entry = { readonly key: Bytes; readonly value?: Bytes; readonly values?: readonly { readonly value: Bytes }[] }

/** Paths are relative to the node's folder in a bundle. Without a recording of Cilium: nothing. */
export function ciliumFiles(folder: string): readonly (readonly [path: string, bytes: Uint8Array])[] {
  if (!existsSync(join(folder, 'bpf/maps.json'))) return []
  const json = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const described = json('bpf/maps.json') as Readonly<Record<string, Described>>
  const dumps = Object.entries(described)
    .filter(([name, { type }]) => existsSync(join(folder, 'bpf', `${name}.json`)) && /hash|lpm/.test(type) && !/_of_/.test(type))
    .map(([name, map]) => dump(name, map, json(`bpf/${name}.json`)))
  return [
    ['bpf/cilium.json', encode({ running: true, config: configuration(json('cilium/status.json')) })],
    ['bpf/maps/index.json', encode(dumps.map(({ index }) => index))],
    ...dumps.map(({ index, bytes }) => [index.file, bytes] as const),
  ]
}

function dump(name: string, { id, type, bytes_key: keySize, bytes_value: valueSize }: Described, entries: readonly Entry[]) {
  const padding = Array.from({ length: -valueSize & 7 }, () => '0x00')
  const bytes = entries.flatMap(({ key, value, values }) => [
    ...key,
    ...(value ?? values?.flatMap((each) => [...each.value, ...padding]) ?? []),
  ])
  const valuesPerEntry = entries[0]?.values?.length ?? 1
  const index = { name, file: `bpf/maps/${name}.bin`, id, type, keySize, valueSize, valuesPerEntry, count: entries.length }
  return { index, bytes: Uint8Array.from(bytes, Number) }
}

interface Status {
  readonly routing: { readonly 'inter-host-routing-mode': string; readonly 'intra-host-routing-mode': string }
  readonly masquerading: {
    readonly mode: string
    readonly enabledProtocols: { readonly ipv4: boolean; readonly ipv6: boolean }
    readonly 'snat-exclusion-cidr-v4': string
    readonly 'snat-exclusion-cidr-v6': string
  }
  readonly 'kube-proxy-replacement': { readonly features: { readonly socketLB: { readonly enabled: boolean } } }
}

/** The agent's options, as far as its status tells them. */
function configuration(status: Status): Readonly<Record<string, unknown>> {
  const { routing, masquerading } = status
  return {
    RoutingMode: routing['inter-host-routing-mode'] === 'Native' ? 'native' : 'tunnel',
    EnableHostLegacyRouting: routing['intra-host-routing-mode'] !== 'BPF',
    EnableBPFMasquerade: masquerading.mode === 'BPF',
    EnableIPv4Masquerade: masquerading.enabledProtocols.ipv4,
    EnableIPv6Masquerade: masquerading.enabledProtocols.ipv6,
    IPv4NativeRoutingCIDR: masquerading['snat-exclusion-cidr-v4'],
    IPv6NativeRoutingCIDR: masquerading['snat-exclusion-cidr-v6'],
    EnableSocketLB: status['kube-proxy-replacement'].features.socketLB.enabled,
  }
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
