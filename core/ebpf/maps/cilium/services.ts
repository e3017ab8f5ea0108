// SPDX-License-Identifier: Apache-2.0

import {
  ALL,
  address,
  BACKEND_STATES,
  DEFAULT_LPM_PREFIX,
  only,
  protocolAt,
  SCOPES,
  SERVICE_VALUE,
  SERVICE_VALUE_16,
  since,
} from '../ciliumFields.ts'
import type { Field, MapLayout } from '../layout.ts'

type Family = 4 | 6
const sizeOf = (family: Family): 4 | 16 => (family === 4 ? 4 : 16)
const ID: readonly Field[] = [{ name: 'id', type: 'u32', offset: 0, means: 'backend' }]

function frontends(family: Family): readonly MapLayout[] {
  const size = sizeOf(family)
  const common = {
    group: 'services',
    family,
    name: `cilium_lb${family}_services_v2`,
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
  } as const
  return [
    { ...common, versions: since(17), value: SERVICE_VALUE },
    { ...common, versions: only(16), value: SERVICE_VALUE_16 },
  ]
}

/** struct lb{4,6}_backend. */
function backend(family: Family, prefix = ''): readonly Field[] {
  const size = sizeOf(family)
  return [
    address(prefix === '' ? 'address' : `${prefix}Address`, family, 0),
    { name: prefix === '' ? 'port' : `${prefix}Port`, type: 'be16', offset: size },
    protocolAt('protocol', size + 2),
    { name: 'state', type: 'u8', offset: size + 3, values: BACKEND_STATES },
  ]
}

function zoned(family: Family): readonly Field[] {
  const size = sizeOf(family)
  return [
    { name: 'cluster', type: 'u16', offset: size + 4 },
    { name: 'zone', type: 'u8', offset: size + 6 },
  ]
}

function backends(family: Family): readonly MapLayout[] {
  const size = sizeOf(family)
  const common = { group: 'services', family, title: 'Backends', keySize: 4, key: ID } as const
  return [
    {
      ...common,
      name: `cilium_lb${family}_backends_v3`,
      versions: ALL,
      valueSize: size + 8,
      value: [...backend(family), ...zoned(family)],
    },
    // What is left of an older release, until the agent has migrated it.
    { ...common, name: `cilium_lb${family}_backends_v2`, versions: only(16), valueSize: size + 4, value: backend(family) },
    {
      ...common,
      name: `cilium_lb${family}_health`,
      versions: ALL,
      title: 'Health probes: the backend a socket probes',
      keySize: 8,
      valueSize: size + 8,
      key: [{ name: 'cookie', type: 'u64', offset: 0, means: 'socket-cookie' }],
      value: [...backend(family), ...zoned(family)],
    },
  ]
}

function translations(family: Family): readonly MapLayout[] {
  const size = sizeOf(family)
  const common = { group: 'services', family, versions: ALL } as const
  return [
    {
      ...common,
      name: `cilium_lb${family}_reverse_nat`,
      title: 'Frontend of a reverse NAT index',
      keySize: 2,
      valueSize: size + 2,
      key: [{ name: 'revNat', type: 'be16', offset: 0, means: 'revnat' }],
      value: [address('address', family, 0), { name: 'port', type: 'be16', offset: size }],
    },
    {
      ...common,
      name: `cilium_lb${family}_reverse_sk`,
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
  ]
}

function choices(family: Family): readonly MapLayout[] {
  const size = sizeOf(family)
  const revNat = family === 4 ? 8 : 16
  const common = { group: 'services', family, versions: ALL } as const
  return [
    {
      ...common,
      name: `cilium_lb${family}_affinity`,
      title: 'Session affinity: client to backend',
      keySize: revNat + 8,
      valueSize: 16,
      key: [
        address('client', family, 0),
        { name: 'clientCookie', type: 'u64', offset: 0, means: 'netns-cookie' },
        { name: 'revNat', type: 'be16', offset: revNat, means: 'revnat' },
        { name: 'byCookie', type: 'u8', offset: revNat + 2, bits: { shift: 0, width: 1 } },
      ],
      value: [
        { name: 'lastUsed', type: 'u64', offset: 0, means: 'seconds-since-boot' },
        { name: 'backend', type: 'u32', offset: 8, means: 'backend' },
      ],
    },
    {
      ...common,
      name: `cilium_lb${family}_source_range`,
      title: 'Source ranges of load balancers',
      keySize: size + 8,
      valueSize: 1,
      key: [DEFAULT_LPM_PREFIX, { name: 'revNat', type: 'be16', offset: 4, means: 'revnat' }, address('source', family, 8)],
      value: [{ name: 'flags', type: 'u8', offset: 0 }],
    },
    {
      ...common,
      name: `cilium_lb${family}_maglev`,
      title: 'Maglev tables: which map holds that of a service',
      keySize: 2,
      valueSize: 4,
      key: [{ name: 'revNat', type: 'be16', offset: 0, means: 'revnat' }],
      value: [{ name: 'table', type: 'u32', offset: 0, means: 'map' }],
    },
    {
      ...common,
      // A release that has no such map yet has the frontends all the same.
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
    {
      ...common,
      name: `cilium_nodeport_neigh${family}`,
      title: 'Link address of node-port clients',
      keySize: size,
      valueSize: 8,
      key: [address('address', family, 0)],
      value: [{ name: 'mac', type: 'mac', offset: 0 }],
    },
  ]
}

/** One table of a service: as many backends as its size says, each slot as likely as the others. */
function maglevTable(name: string, versions: MapLayout['versions']): MapLayout {
  return {
    name,
    versions,
    inner: true,
    group: 'services',
    title: 'Maglev table of a service',
    keySize: 4,
    valueSize: 4,
    key: [{ name: 'zero', type: 'u32', offset: 0 }],
    value: [{ name: 'backends', type: 'u32s', offset: 0, size: 4 }],
  }
}

function counted(name: string, versions: MapLayout['versions'], value: readonly Field[]): MapLayout {
  return {
    name,
    versions,
    group: 'services',
    title: name === 'cilium_lb_act' ? 'Connections of a service, by zone' : 'Failed connections of a service, by zone',
    keySize: 4,
    valueSize: 4 * value.length,
    key: [
      { name: 'revNat', type: 'be16', offset: 0, means: 'revnat' },
      { name: 'zone', type: 'u8', offset: 2 },
    ],
    value,
  }
}

export const SERVICE_LAYOUTS: readonly MapLayout[] = [
  ...([4, 6] as const).flatMap((family) => [
    ...frontends(family),
    ...backends(family),
    ...translations(family),
    ...choices(family),
  ]),
  {
    name: 'cilium_lb_affinity_match',
    versions: ALL,
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
  counted('cilium_lb_act', ALL, [
    { name: 'opened', type: 'u32', offset: 0 },
    { name: 'closed', type: 'u32', offset: 4 },
  ]),
  counted('cilium_lb_fct', since(17), [{ name: 'failed', type: 'u32', offset: 0 }]),
  maglevTable('cilium_maglev_inner', ALL),
  maglevTable('cilium_lb4_maglev_inner', only(20)),
  maglevTable('cilium_lb6_maglev_inner', only(20)),
]
