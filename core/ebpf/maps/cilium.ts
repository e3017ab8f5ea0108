// SPDX-License-Identifier: Apache-2.0

import {
  BACKEND_STATES,
  CT_VALUE,
  DEFAULT_LPM_PREFIX,
  FAMILIES,
  natValue,
  POLICY_DIRECTIONS,
  protocolAt,
  SCOPES,
  SERVICE_VALUE,
  tupleKey,
} from './ciliumFields.ts'
import type { Field, MapLayout } from './layout.ts'

/**
 * Layouts of Cilium's pinned maps, 1.16 to 1.20. Where versions differ, the map's name or its sizes differ too, so name and
 * sizes together pick the row. Sources: bpf/lib/*.h; sizes confirmed by pkg/maps and pkg/loadbalancer/maps.
 */

const address = (name: string, family: 4 | 6, offset: number): Field => ({ name, type: family === 4 ? 'ipv4' : 'ipv6', offset })

function services(family: 4 | 6): readonly MapLayout[] {
  const size = family === 4 ? 4 : 16
  const lb = `cilium_lb${family}`
  const common = { group: 'services', family } as const
  const backend = [
    address('address', family, 0),
    { name: 'port', type: 'be16', offset: size },
    protocolAt('protocol', size + 2),
    { name: 'state', type: 'u8', offset: size + 3, values: BACKEND_STATES },
  ] as const satisfies readonly Field[]
  const zoned = [
    { name: 'cluster', type: 'u16', offset: size + 4 },
    { name: 'zone', type: 'u8', offset: size + 6 },
  ] as const satisfies readonly Field[]
  const id: readonly Field[] = [{ name: 'id', type: 'u32', offset: 0, means: 'backend' }]
  return [
    {
      ...common,
      name: `${lb}_services_v2`,
      title: 'Service frontends and their backend slots',
      keySize: size + 8,
      valueSize: 12,
      key: [
        address('address', family, 0),
        { name: 'port', type: 'be16', offset: size },
        { name: 'slot', type: 'u16', offset: size + 2 },
        protocolAt('protocol', size + 4),
        { name: 'scope', type: 'u8', offset: size + 5, values: SCOPES },
      ],
      value: SERVICE_VALUE,
    },
    {
      ...common,
      name: `${lb}_backends_v3`,
      title: 'Backends',
      keySize: 4,
      valueSize: size + 8,
      key: id,
      value: [...backend, ...zoned],
    },
    { ...common, name: `${lb}_backends_v2`, title: 'Backends', keySize: 4, valueSize: size + 4, key: id, value: backend },
    {
      ...common,
      name: `${lb}_reverse_nat`,
      title: 'Frontend of a reverse NAT index',
      keySize: 2,
      valueSize: size + 2,
      key: [{ name: 'revNat', type: 'be16', offset: 0, means: 'revnat' }],
      value: [address('address', family, 0), { name: 'port', type: 'be16', offset: size }],
    },
    {
      ...common,
      name: `${lb}_reverse_sk`,
      title: 'Socket load balancing: what a socket dialled',
      keySize: family === 4 ? 16 : 32,
      valueSize: family === 4 ? 8 : 20,
      key: [
        { name: 'cookie', type: 'u64', offset: 0, means: 'socket-cookie' },
        address('address', family, 8),
        { name: 'port', type: 'be16', offset: 8 + size },
      ],
      value: [
        address('frontend', family, 0),
        { name: 'frontendPort', type: 'be16', offset: size },
        { name: 'revNat', type: 'be16', offset: size + 2, means: 'revnat' },
      ],
    },
    {
      ...common,
      name: `${lb}_affinity`,
      title: 'Session affinity: client to backend',
      keySize: family === 4 ? 16 : 24,
      valueSize: 16,
      key: [
        address('client', family, 0),
        { name: 'clientCookie', type: 'u64', offset: 0, means: 'netns-cookie' },
        { name: 'revNat', type: 'be16', offset: family === 4 ? 8 : 16, means: 'revnat' },
        { name: 'byCookie', type: 'u8', offset: family === 4 ? 10 : 18, bits: { shift: 0, width: 1 } },
      ],
      value: [
        { name: 'lastUsed', type: 'u64', offset: 0, means: 'seconds-since-boot' },
        { name: 'backend', type: 'u32', offset: 8, means: 'backend' },
      ],
    },
    {
      ...common,
      name: `${lb}_source_range`,
      title: 'Source ranges of load balancers',
      keySize: size + 8,
      valueSize: 1,
      key: [DEFAULT_LPM_PREFIX, { name: 'revNat', type: 'be16', offset: 4, means: 'revnat' }, address('source', family, 8)],
      value: [{ name: 'flags', type: 'u8', offset: 0 }],
    },
    {
      ...common,
      name: `cilium_skip_lb${family}`,
      title: 'Local redirect: frontends a namespace reaches unredirected',
      keySize: family === 4 ? 16 : 32,
      valueSize: 1,
      key: [
        { name: 'netnsCookie', type: 'u64', offset: 0, means: 'netns-cookie' },
        address('address', family, 8),
        { name: 'port', type: 'be16', offset: family === 4 ? 12 : 28 },
      ],
      value: [{ name: 'skip', type: 'u8', offset: 0 }],
    },
  ]
}

function connections(family: 4 | 6): readonly MapLayout[] {
  const size = family === 4 ? 14 : 38
  const common = { family, keySize: size, key: tupleKey(family) } as const
  return [
    {
      ...common,
      group: 'connections',
      name: `cilium_ct${family}_global`,
      title: 'TCP connections',
      valueSize: 56,
      value: CT_VALUE,
    },
    {
      ...common,
      group: 'connections',
      name: `cilium_ct_any${family}_global`,
      title: 'Other connections',
      valueSize: 56,
      value: CT_VALUE,
    },
    {
      ...common,
      group: 'nat',
      name: `cilium_snat_v${family}_external`,
      title: 'Source NAT',
      valueSize: family === 4 ? 40 : 56,
      value: natValue(family),
    },
  ]
}

const IPCACHE_KEY: readonly Field[] = [
  DEFAULT_LPM_PREFIX,
  { name: 'cluster', type: 'u16', offset: 4 },
  { name: 'family', type: 'u8', offset: 7, values: FAMILIES },
  { name: 'address', type: 'ip', offset: 8, ipv6When: { offset: 7, mask: 0xff, equals: 2 } },
]

const POLICY_KEY: readonly Field[] = [
  DEFAULT_LPM_PREFIX,
  { name: 'identity', type: 'u32', offset: 4, means: 'identity' },
  { name: 'direction', type: 'u8', offset: 8, bits: { shift: 0, width: 1 }, values: POLICY_DIRECTIONS },
  protocolAt('protocol', 9),
  { name: 'port', type: 'be16', offset: 10 },
]

const POLICY_HEAD: readonly Field[] = [
  { name: 'proxyPort', type: 'be16', offset: 0 },
  { name: 'deny', type: 'u8', offset: 2, bits: { shift: 0, width: 1 } },
]

const identities: readonly MapLayout[] = [
  {
    name: 'cilium_ipcache_v2',
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
      { name: 'flags', type: 'u8', offset: 23, flags: ['skip-tunnel', 'has-tunnel', 'ipv6-tunnel', 'remote-cluster'] },
    ],
  },
  {
    name: 'cilium_ipcache',
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
  },
  {
    name: 'cilium_lxc',
    group: 'identities',
    title: 'Local endpoints',
    keySize: 20,
    valueSize: 48,
    key: [
      { name: 'address', type: 'ip', offset: 0, ipv6When: { offset: 16, mask: 0xff, equals: 2 } },
      { name: 'family', type: 'u8', offset: 16, values: FAMILIES },
      { name: 'cluster', type: 'u16', offset: 18 },
    ],
    value: [
      { name: 'ifindex', type: 'u32', offset: 0, means: 'ifindex' },
      { name: 'endpoint', type: 'u16', offset: 6, means: 'endpoint' },
      { name: 'flags', type: 'u32', offset: 8, flags: ['host', 'at-host-ns', 'no-snat-v4', 'no-snat-v6'] },
      { name: 'mac', type: 'mac', offset: 16 },
      { name: 'nodeMac', type: 'mac', offset: 24 },
      { name: 'identity', type: 'u32', offset: 32, means: 'identity' },
      { name: 'parentIfindex', type: 'u32', offset: 36, means: 'ifindex' },
    ],
  },
  {
    name: 'cilium_node_map_v2',
    group: 'identities',
    title: 'Node id of an address',
    keySize: 20,
    valueSize: 4,
    key: [
      { name: 'family', type: 'u8', offset: 3, values: FAMILIES },
      { name: 'address', type: 'ip', offset: 4, ipv6When: { offset: 3, mask: 0xff, equals: 2 } },
    ],
    value: [
      { name: 'id', type: 'u16', offset: 0, means: 'node' },
      { name: 'spi', type: 'u8', offset: 2 },
    ],
  },
]

const policies: readonly MapLayout[] = [
  {
    name: 'cilium_policy_v2_',
    prefix: true,
    group: 'policy',
    title: 'Policy of an endpoint',
    keySize: 12,
    valueSize: 12,
    key: POLICY_KEY,
    value: [
      ...POLICY_HEAD,
      { name: 'lpmPrefixLength', type: 'u8', offset: 2, bits: { shift: 3, width: 5 } },
      { name: 'authType', type: 'u8', offset: 3, bits: { shift: 0, width: 7 } },
      { name: 'explicitAuth', type: 'u8', offset: 3, bits: { shift: 7, width: 1 } },
      { name: 'precedence', type: 'u32', offset: 4 },
      { name: 'cookie', type: 'u32', offset: 8 },
    ],
  },
  {
    name: 'cilium_policystats',
    group: 'policy',
    title: 'Packets and bytes a policy entry matched',
    keySize: 12,
    valueSize: 16,
    perCpu: true,
    key: [
      { name: 'endpoint', type: 'u16', offset: 0, means: 'endpoint' },
      { name: 'lpmPrefixLength', type: 'u8', offset: 3 },
      ...POLICY_KEY.slice(1),
    ],
    value: [
      { name: 'packets', type: 'u64', offset: 0 },
      { name: 'bytes', type: 'u64', offset: 8 },
    ],
  },
  {
    name: 'cilium_auth_map',
    group: 'policy',
    title: 'Mutual authentication',
    keySize: 12,
    valueSize: 8,
    key: [
      { name: 'localIdentity', type: 'u32', offset: 0, means: 'identity' },
      { name: 'remoteIdentity', type: 'u32', offset: 4, means: 'identity' },
      { name: 'remoteNode', type: 'u16', offset: 8, means: 'node' },
      { name: 'authType', type: 'u8', offset: 10 },
    ],
    value: [{ name: 'expiration', type: 'u64', offset: 0 }],
  },
]

const others: readonly MapLayout[] = [
  {
    name: 'cilium_lb_affinity_match',
    group: 'services',
    title: 'Backends that session affinity may choose',
    keySize: 8,
    valueSize: 1,
    key: [
      { name: 'backend', type: 'u32', offset: 0, means: 'backend' },
      { name: 'revNat', type: 'be16', offset: 4, means: 'revnat' },
    ],
    value: [{ name: 'match', type: 'u8', offset: 0 }],
  },
  {
    name: 'cilium_metrics',
    group: 'other',
    title: 'Packets forwarded and dropped, by reason',
    keySize: 8,
    valueSize: 16,
    perCpu: true,
    key: [
      { name: 'reason', type: 'u8', offset: 0 },
      {
        name: 'direction',
        type: 'u8',
        offset: 1,
        bits: { shift: 0, width: 2 },
        values: { 1: 'ingress', 2: 'egress', 3: 'service' },
      },
      { name: 'line', type: 'u16', offset: 2 },
      { name: 'file', type: 'u8', offset: 4 },
    ],
    value: [
      { name: 'count', type: 'u64', offset: 0 },
      { name: 'bytes', type: 'u64', offset: 8 },
    ],
  },
  {
    name: 'cilium_egress_gw_policy_v4',
    group: 'nat',
    title: 'Egress gateways',
    family: 4,
    keySize: 12,
    valueSize: 8,
    key: [DEFAULT_LPM_PREFIX, address('source', 4, 4), address('destination', 4, 8)],
    value: [address('egressAddress', 4, 0), address('gateway', 4, 4)],
  },
  {
    name: 'cilium_throttle',
    group: 'other',
    title: 'Bandwidth limits',
    keySize: 8,
    valueSize: 56,
    key: [
      { name: 'endpoint', type: 'u32', offset: 0, means: 'endpoint' },
      { name: 'direction', type: 'u8', offset: 4, values: { 0: 'egress', 1: 'ingress' } },
    ],
    value: [
      { name: 'bytesPerSecond', type: 'u64', offset: 0 },
      { name: 'lastSent', type: 'u64', offset: 8, means: 'ktime-ns' },
      { name: 'horizonOrTokens', type: 'u64', offset: 16 },
      { name: 'priority', type: 'u32', offset: 24 },
    ],
  },
  {
    name: 'cilium_nodeport_neigh4',
    group: 'services',
    title: 'Link address of node-port clients',
    family: 4,
    keySize: 4,
    valueSize: 8,
    key: [address('address', 4, 0)],
    value: [{ name: 'mac', type: 'mac', offset: 0 }],
  },
  {
    name: 'cilium_nodeport_neigh6',
    group: 'services',
    title: 'Link address of node-port clients',
    family: 6,
    keySize: 16,
    valueSize: 8,
    key: [address('address', 6, 0)],
    value: [{ name: 'mac', type: 'mac', offset: 0 }],
  },
]

export const CILIUM_LAYOUTS: readonly MapLayout[] = [
  ...services(4),
  ...services(6),
  ...connections(4),
  ...connections(6),
  ...identities,
  ...policies,
  ...others,
]
