// SPDX-License-Identifier: Apache-2.0

import { ALL, DEFAULT_LPM_PREFIX, FAMILIES, only, since, until } from '../ciliumFields.ts'
import type { Field, MapLayout } from '../layout.ts'

const IPCACHE_KEY: readonly Field[] = [
  DEFAULT_LPM_PREFIX,
  { name: 'cluster', type: 'u16', offset: 4 },
  { name: 'family', type: 'u8', offset: 7, values: FAMILIES },
  { name: 'address', type: 'ip', offset: 8, ipv6When: { offset: 7, mask: 0xff, equals: 2 } },
]

const IPCACHE_FLAGS = ['skip-tunnel', 'has-tunnel', 'ipv6-tunnel'] as const

function ipcache(versions: MapLayout['versions'], flags: readonly string[]): MapLayout {
  return {
    name: 'cilium_ipcache_v2',
    versions,
    group: 'identities',
    title: 'Identity of an address',
    keySize: 24,
    valueSize: 24,
    key: IPCACHE_KEY,
    value: [
      { name: 'identity', type: 'u32', offset: 0, means: 'identity' },
      // The tunnel endpoint's family has a flag of its own: an IPv4 tunnel may carry IPv6 addresses.
      { name: 'tunnel', type: 'ip', offset: 4, ipv6When: { offset: 23, mask: 4, equals: 4 } },
      { name: 'encryptKey', type: 'u8', offset: 22 },
      { name: 'flags', type: 'u8', offset: 23, flags },
    ],
  }
}

const ipcacheV1: MapLayout = {
  name: 'cilium_ipcache',
  versions: until(17),
  group: 'identities',
  title: 'Identity of an address',
  keySize: 24,
  valueSize: 12,
  key: IPCACHE_KEY,
  value: [
    { name: 'identity', type: 'u32', offset: 0, means: 'identity' },
    { name: 'tunnel', type: 'ipv4', offset: 4 },
    { name: 'encryptKey', type: 'u8', offset: 10 },
    { name: 'flags', type: 'u8', offset: 11, flags: ['skip-tunnel'] },
  ],
}

/** struct endpoint_info: what later releases have put into its padding is `more`. */
function endpoints(versions: MapLayout['versions'], more: readonly Field[]): MapLayout {
  return {
    name: 'cilium_lxc',
    versions,
    group: 'identities',
    title: 'Local endpoints',
    keySize: 20,
    valueSize: 48,
    key: [
      { name: 'address', type: 'ip', offset: 0, ipv6When: { offset: 16, mask: 0xff, equals: 2 } },
      { name: 'family', type: 'u8', offset: 16, values: FAMILIES },
      { name: 'key', type: 'u8', offset: 17 },
      { name: 'cluster', type: 'u16', offset: 18 },
    ],
    value: [
      { name: 'ifindex', type: 'u32', offset: 0, means: 'ifindex' },
      { name: 'endpoint', type: 'u16', offset: 6, means: 'endpoint' },
      { name: 'flags', type: 'u32', offset: 8, flags: ['host', 'at-host-ns', 'no-snat-v4', 'no-snat-v6'] },
      { name: 'mac', type: 'mac', offset: 16 },
      { name: 'nodeMac', type: 'mac', offset: 24 },
      { name: 'identity', type: 'u32', offset: 32, means: 'identity' },
      ...more,
    ],
  }
}

const PARENT: Field = { name: 'parentIfindex', type: 'u32', offset: 36, means: 'ifindex' }
const ROUTING_TABLE: Field = { name: 'routingTable', type: 'u32', offset: 12 }

const NODE_KEY: readonly Field[] = [
  { name: 'family', type: 'u8', offset: 3, values: FAMILIES },
  { name: 'address', type: 'ip', offset: 4, ipv6When: { offset: 3, mask: 0xff, equals: 2 } },
]
const NODE_ID: Field = { name: 'id', type: 'u16', offset: 0, means: 'node' }
const nodes = { group: 'identities', title: 'Node id of an address', keySize: 20, key: NODE_KEY } as const

const TUNNEL_ENDS = ['address', 'tunnel'] as const
const tunnelEnd = (name: (typeof TUNNEL_ENDS)[number]): Field => ({
  name,
  type: 'ip',
  offset: 0,
  ipv6When: { offset: 16, mask: 0xff, equals: 2 },
})

/** Newest first: where releases differ in no size, it is what an unknown one is read by. */
export const IDENTITY_LAYOUTS: readonly MapLayout[] = [
  ipcache(since(19), [...IPCACHE_FLAGS, 'remote-cluster']),
  ipcache(only(18), IPCACHE_FLAGS),
  ipcacheV1,
  endpoints(only(20), [ROUTING_TABLE, PARENT]),
  endpoints({ first: 17, last: 19 }, [PARENT]),
  endpoints(only(16), []),
  {
    ...nodes,
    name: 'cilium_node_map_v2',
    versions: ALL,
    valueSize: 4,
    value: [NODE_ID, { name: 'spi', type: 'u8', offset: 2 }],
  },
  { ...nodes, name: 'cilium_node_map', versions: until(17), valueSize: 2, value: [NODE_ID] },
  {
    name: 'cilium_tunnel_map',
    versions: until(17),
    group: 'identities',
    title: 'Node behind which a pod network is',
    keySize: 20,
    valueSize: 20,
    key: [
      tunnelEnd('address'),
      { name: 'family', type: 'u8', offset: 16, values: FAMILIES },
      { name: 'cluster', type: 'u16', offset: 18 },
    ],
    value: [
      tunnelEnd('tunnel'),
      { name: 'family', type: 'u8', offset: 16, values: FAMILIES },
      { name: 'key', type: 'u8', offset: 17 },
    ],
  },
  {
    name: 'cilium_world_cidrs4',
    versions: until(17),
    group: 'identities',
    title: 'Networks outside of all clusters',
    family: 4,
    keySize: 8,
    valueSize: 1,
    key: [DEFAULT_LPM_PREFIX, { name: 'network', type: 'ipv4', offset: 4 }],
    value: [{ name: 'flags', type: 'u8', offset: 0 }],
  },
  {
    name: 'cilium_subnet_map',
    versions: since(19),
    group: 'identities',
    title: 'Subnet of an address (hybrid routing)',
    keySize: 24,
    valueSize: 4,
    key: [
      DEFAULT_LPM_PREFIX,
      { name: 'family', type: 'u8', offset: 7, values: FAMILIES },
      { name: 'address', type: 'ip', offset: 8, ipv6When: { offset: 7, mask: 0xff, equals: 2 } },
    ],
    value: [{ name: 'subnet', type: 'u32', offset: 0 }],
  },
]
