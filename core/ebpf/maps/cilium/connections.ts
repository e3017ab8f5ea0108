// SPDX-License-Identifier: Apache-2.0

import { ALL, address, CT_VALUES, DEFAULT_LPM_PREFIX, natValue, protocolAt, since, tupleKey } from '../ciliumFields.ts'
import type { Field, MapLayout } from '../layout.ts'

type Family = 4 | 6

/** Newest first: where releases differ in no size, it is what an unknown one is read by. */
function connections(family: Family): readonly MapLayout[] {
  const common = { group: 'connections', family, keySize: family === 4 ? 14 : 38, key: tupleKey(family), valueSize: 56 } as const
  const [tcp, other] = ['TCP connections', 'Other connections']
  return [...CT_VALUES].reverse().flatMap((each): readonly MapLayout[] => [
    { ...common, ...each, name: `cilium_ct${family}_global`, title: tcp },
    { ...common, ...each, name: `cilium_ct_any${family}_global`, title: other },
    // One for each cluster of a mesh whose pods' addresses overlap.
    {
      ...common,
      ...each,
      name: `cilium_per_cluster_ct_tcp${family}_`,
      prefix: true,
      of: 'cluster',
      title: `${tcp} of a cluster`,
    },
    {
      ...common,
      ...each,
      name: `cilium_per_cluster_ct_any${family}_`,
      prefix: true,
      of: 'cluster',
      title: `${other} of a cluster`,
    },
  ])
}

const CLUSTER: readonly Field[] = [{ name: 'cluster', type: 'u32', offset: 0 }]
const MAP: readonly Field[] = [{ name: 'map', type: 'u32', offset: 0, means: 'map' }]

/** Maps of maps: a map for each cluster. */
function perCluster(family: Family): readonly MapLayout[] {
  const common = { family, versions: ALL, keySize: 4, valueSize: 4, key: CLUSTER, value: MAP } as const
  return [
    { ...common, group: 'connections', name: `cilium_per_cluster_ct_tcp${family}`, title: 'TCP connections, by cluster' },
    { ...common, group: 'connections', name: `cilium_per_cluster_ct_any${family}`, title: 'Other connections, by cluster' },
    { ...common, group: 'nat', name: `cilium_per_cluster_snat_v${family}_external`, title: 'Source NAT, by cluster' },
  ]
}

function sourceNat(family: Family): readonly MapLayout[] {
  const size = family === 4 ? 4 : 16
  const common = {
    group: 'nat',
    family,
    versions: ALL,
    keySize: family === 4 ? 14 : 38,
    key: tupleKey(family),
    valueSize: family === 4 ? 40 : 56,
    value: natValue(family),
  } as const
  return [
    { ...common, name: `cilium_snat_v${family}_external`, title: 'Source NAT' },
    {
      ...common,
      name: `cilium_per_cluster_snat_v${family}_external_`,
      prefix: true,
      of: 'cluster',
      title: 'Source NAT of a cluster',
    },
    {
      group: 'nat',
      family,
      versions: since(18),
      name: `cilium_snat_v${family}_alloc_retries`,
      title: 'Source NAT: how often a free port was found after so many tries',
      keySize: 4,
      valueSize: 4,
      key: [{ name: 'tries', type: 'u32', offset: 0 }],
      value: [{ name: 'times', type: 'u32', offset: 0 }],
      perCpu: true,
    },
    {
      group: 'nat',
      family,
      versions: ALL,
      name: `cilium_ipmasq_v${family}`,
      title: 'Networks that see pods unmasqueraded (ip-masq-agent)',
      keySize: 4 + size,
      valueSize: 1,
      key: [DEFAULT_LPM_PREFIX, address('network', family, 4)],
      value: [{ name: 'flags', type: 'u8', offset: 0 }],
    },
  ]
}

const PORTS: readonly Field[] = [
  { name: 'sport', type: 'be16', offset: 0 },
  { name: 'dport', type: 'be16', offset: 2 },
]

const fragments: readonly MapLayout[] = [
  {
    name: 'cilium_ipv4_frag_datagrams',
    versions: ALL,
    group: 'connections',
    title: 'Ports of fragmented datagrams',
    family: 4,
    keySize: 12,
    valueSize: 4,
    key: [
      address('destination', 4, 0),
      address('source', 4, 4),
      { name: 'id', type: 'be16', offset: 8 },
      protocolAt('protocol', 10),
    ],
    value: PORTS,
  },
  {
    name: 'cilium_ipv6_frag_datagrams',
    versions: since(18),
    group: 'connections',
    title: 'Ports of fragmented datagrams',
    family: 6,
    keySize: 40,
    valueSize: 4,
    key: [
      { name: 'id', type: 'be32', offset: 0 },
      protocolAt('protocol', 4),
      address('source', 6, 8),
      address('destination', 6, 24),
    ],
    value: PORTS,
  },
]

export const CONNECTION_LAYOUTS: readonly MapLayout[] = [
  ...([4, 6] as const).flatMap((family) => [...connections(family), ...perCluster(family), ...sourceNat(family)]),
  ...fragments,
]
