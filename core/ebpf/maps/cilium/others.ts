// SPDX-License-Identifier: Apache-2.0

import { ALL, address, DEFAULT_LPM_PREFIX, only, since } from '../ciliumFields.ts'
import type { Field, MapLayout } from '../layout.ts'

const egressGateways: readonly MapLayout[] = [
  {
    name: 'cilium_egress_gw_policy_v4',
    versions: ALL,
    group: 'nat',
    title: 'Egress gateways',
    family: 4,
    keySize: 12,
    valueSize: 8,
    key: [DEFAULT_LPM_PREFIX, address('source', 4, 4), address('destination', 4, 8)],
    value: [address('egressAddress', 4, 0), address('gateway', 4, 4)],
  },
  {
    name: 'cilium_egress_gw_policy_v4_v2',
    versions: only(20),
    group: 'nat',
    title: 'Egress gateways',
    family: 4,
    keySize: 12,
    valueSize: 28,
    key: [DEFAULT_LPM_PREFIX, address('source', 4, 4), address('destination', 4, 8)],
    value: [
      address('egressAddress', 4, 0),
      address('gateway', 4, 4),
      { name: 'egressIfindex', type: 'u32', offset: 20, means: 'ifindex' },
    ],
  },
  {
    name: 'cilium_egress_gw_policy_v6',
    versions: since(18),
    group: 'nat',
    title: 'Egress gateways',
    family: 6,
    keySize: 36,
    valueSize: 40,
    key: [DEFAULT_LPM_PREFIX, address('source', 6, 4), address('destination', 6, 20)],
    value: [
      address('egressAddress', 6, 0),
      // Packets reach the gateway's node by its IPv4 address, whatever they are themselves.
      address('gateway', 4, 16),
      { name: 'egressIfindex', type: 'u32', offset: 32, means: 'ifindex' },
    ],
  },
]

const RATE: readonly Field[] = [
  { name: 'bytesPerSecond', type: 'u64', offset: 0 },
  { name: 'lastSent', type: 'u64', offset: 8, means: 'ktime-ns' },
]
const PRIORITY: Field = { name: 'priority', type: 'u32', offset: 24 }
const throttle = { name: 'cilium_throttle', group: 'other', title: 'Bandwidth limits', keySize: 8, valueSize: 56 } as const
const ENDPOINT_WIDE: readonly Field[] = [{ name: 'endpoint', type: 'u64', offset: 0, means: 'endpoint' }]

const bandwidth: readonly MapLayout[] = [
  {
    ...throttle,
    versions: since(18),
    key: [
      { name: 'endpoint', type: 'u32', offset: 0, means: 'endpoint' },
      { name: 'direction', type: 'u8', offset: 4, values: { 0: 'egress', 1: 'ingress' } },
    ],
    value: [...RATE, { name: 'horizonOrTokens', type: 'u64', offset: 16 }, PRIORITY],
  },
  {
    ...throttle,
    versions: only(17),
    key: ENDPOINT_WIDE,
    value: [...RATE, { name: 'horizon', type: 'u64', offset: 16, means: 'ktime-ns' }, PRIORITY],
  },
  {
    ...throttle,
    versions: only(16),
    key: ENDPOINT_WIDE,
    value: [...RATE, { name: 'horizon', type: 'u64', offset: 16, means: 'ktime-ns' }],
  },
]

const BUCKET: readonly Field[] = [
  { name: 'lastTopUp', type: 'u64', offset: 0, means: 'ktime-ns' },
  { name: 'tokens', type: 'u64', offset: 8 },
]
const USAGE: Field = { name: 'usage', type: 'u32', offset: 0, values: { 1: 'ICMPv6', 2: 'events' } }

const limits: readonly MapLayout[] = [
  {
    name: 'cilium_ratelimit',
    versions: since(17),
    group: 'other',
    title: 'Token buckets of limited packets and events',
    keySize: 8,
    valueSize: 16,
    key: [USAGE, { name: 'device', type: 'u32', offset: 4, means: 'ifindex' }],
    value: BUCKET,
  },
  {
    name: 'cilium_ratelimit',
    versions: only(16),
    group: 'other',
    title: 'Token buckets of limited packets',
    keySize: 4,
    valueSize: 16,
    key: [{ name: 'device', type: 'u32', offset: 0, means: 'ifindex' }],
    value: BUCKET,
  },
  {
    name: 'cilium_ratelimit_metrics',
    versions: since(17),
    group: 'other',
    title: 'What the limits dropped',
    keySize: 4,
    valueSize: 8,
    key: [USAGE],
    value: [{ name: 'dropped', type: 'u64', offset: 0 }],
  },
]

function segmentRouting(family: 4 | 6): readonly MapLayout[] {
  const size = family === 4 ? 4 : 16
  const common = { group: 'other', family, versions: ALL } as const
  return [
    {
      ...common,
      name: `cilium_srv6_vrf_v${family}`,
      title: 'SRv6: VRF of a packet',
      keySize: 4 + 2 * size,
      valueSize: 4,
      key: [DEFAULT_LPM_PREFIX, address('source', family, 4), address('destination', family, 4 + size)],
      value: [{ name: 'vrf', type: 'u32', offset: 0 }],
    },
    {
      ...common,
      name: `cilium_srv6_policy_v${family}`,
      title: 'SRv6: segment towards a network',
      keySize: 8 + size,
      valueSize: 16,
      key: [DEFAULT_LPM_PREFIX, { name: 'vrf', type: 'u32', offset: 4 }, address('destination', family, 8)],
      value: [address('segment', 6, 0)],
    },
  ]
}

const multicast: readonly MapLayout[] = [
  {
    name: 'cilium_mcast_group_outer_v4_map',
    versions: ALL,
    group: 'other',
    title: 'Multicast groups: which map holds the subscribers',
    family: 4,
    keySize: 4,
    valueSize: 4,
    key: [address('multicastGroup', 4, 0)],
    value: [{ name: 'subscribers', type: 'u32', offset: 0, means: 'map' }],
  },
  {
    name: 'cilium_mcast_subscriber_v4_inner',
    versions: ALL,
    inner: true,
    group: 'other',
    title: 'Subscribers of a multicast group',
    family: 4,
    keySize: 4,
    valueSize: 12,
    key: [address('subscriber', 4, 0)],
    value: [
      address('source', 4, 0),
      { name: 'ifindex', type: 'u32', offset: 4, means: 'ifindex' },
      { name: 'flags', type: 'u8', offset: 11, flags: ['remote'] },
    ],
  },
]

function announced(family: 4 | 6, versions: MapLayout['versions']): MapLayout {
  const size = family === 4 ? 4 : 16
  return {
    name: `cilium_l2_responder_v${family}`,
    versions,
    group: 'services',
    title: 'Addresses this node answers for (L2 announcements)',
    family,
    keySize: family === 4 ? 8 : 24,
    valueSize: 8,
    key: [address('address', family, 0), { name: 'ifindex', type: 'u32', offset: size, means: 'ifindex' }],
    value: [{ name: 'answers', type: 'u64', offset: 0 }],
  }
}

export const OTHER_LAYOUTS: readonly MapLayout[] = [
  ...egressGateways,
  ...bandwidth,
  ...limits,
  ...segmentRouting(4),
  ...segmentRouting(6),
  {
    name: 'cilium_srv6_sid',
    versions: ALL,
    group: 'other',
    title: 'SRv6: VRF of a segment',
    family: 6,
    keySize: 16,
    valueSize: 4,
    key: [address('segment', 6, 0)],
    value: [{ name: 'vrf', type: 'u32', offset: 0 }],
  },
  ...multicast,
  announced(4, ALL),
  announced(6, since(19)),
  {
    name: 'cilium_metrics',
    versions: ALL,
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
    name: 'cilium_vtep_map',
    versions: ALL,
    group: 'other',
    title: 'VXLAN tunnel endpoints outside of the cluster',
    family: 4,
    keySize: 4,
    valueSize: 16,
    key: [address('network', 4, 0)],
    value: [{ name: 'mac', type: 'mac', offset: 0 }, address('tunnel', 4, 8)],
  },
  {
    name: 'cilium_encrypt_state',
    versions: ALL,
    group: 'other',
    title: 'Key in use for IPsec',
    keySize: 4,
    valueSize: 1,
    key: [{ name: 'zero', type: 'u32', offset: 0 }],
    value: [{ name: 'encryptKey', type: 'u8', offset: 0 }],
  },
  {
    name: 'cilium_runtime_config',
    versions: ALL,
    group: 'other',
    title: 'What the agent tells the programs while they run',
    keySize: 4,
    valueSize: 8,
    key: [{ name: 'what', type: 'u32', offset: 0, values: { 0: 'offset of the clock, 512 ns', 1: 'agent last seen alive, ns' } }],
    value: [{ name: 'value', type: 'u64', offset: 0 }],
  },
  {
    name: 'cilium_percpu_trace_id',
    versions: since(19),
    group: 'other',
    title: 'Trace id of the packet a CPU is at',
    keySize: 4,
    valueSize: 8,
    perCpu: true,
    key: [{ name: 'zero', type: 'u32', offset: 0 }],
    value: [{ name: 'traceId', type: 'u64', offset: 0 }],
  },
  {
    name: 'cilium_devices',
    versions: only(20),
    group: 'other',
    title: 'Link address of a device',
    keySize: 4,
    valueSize: 16,
    key: [{ name: 'ifindex', type: 'u32', offset: 0, means: 'ifindex' }],
    value: [
      { name: 'mac', type: 'mac', offset: 0 },
      { name: 'l3', type: 'u8', offset: 8, bits: { shift: 0, width: 1 } },
    ],
  },
]
