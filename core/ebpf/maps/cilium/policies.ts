// SPDX-License-Identifier: Apache-2.0

import { ALL, DEFAULT_LPM_PREFIX, only, POLICY_DIRECTIONS, protocolAt, since } from '../ciliumFields.ts'
import type { Field, MapLayout } from '../layout.ts'

const POLICY_KEY: readonly Field[] = [
  DEFAULT_LPM_PREFIX,
  { name: 'identity', type: 'u32', offset: 4, means: 'identity' },
  { name: 'direction', type: 'u8', offset: 8, bits: { shift: 0, width: 1 }, values: POLICY_DIRECTIONS },
  protocolAt('protocol', 9),
  { name: 'port', type: 'be16', offset: 10 },
]

const HEAD: readonly Field[] = [
  { name: 'proxyPort', type: 'be16', offset: 0 },
  { name: 'deny', type: 'u8', offset: 2, bits: { shift: 0, width: 1 } },
]
const LENGTH_AND_AUTH: readonly Field[] = [
  ...HEAD,
  { name: 'lpmPrefixLength', type: 'u8', offset: 2, bits: { shift: 3, width: 5 } },
  { name: 'authType', type: 'u8', offset: 3, bits: { shift: 0, width: 7 } },
  { name: 'explicitAuth', type: 'u8', offset: 3, bits: { shift: 7, width: 1 } },
]
const PROXY_PRIORITY: Field = { name: 'proxyPriority', type: 'u8', offset: 4 }
const ranked = (before: readonly Field[]): readonly Field[] => [
  ...before,
  { name: 'precedence', type: 'u32', offset: 4 },
  { name: 'cookie', type: 'u32', offset: 8 },
]
const COUNTERS: readonly Field[] = [
  { name: 'packets', type: 'u64', offset: 8 },
  { name: 'bytes', type: 'u64', offset: 16 },
]
const FIRST: readonly Field[] = [
  ...HEAD,
  { name: 'anyProtocol', type: 'u8', offset: 2, bits: { shift: 1, width: 1 } },
  { name: 'anyPort', type: 'u8', offset: 2, bits: { shift: 2, width: 1 } },
  { name: 'authType', type: 'u8', offset: 3 },
  ...COUNTERS,
]

/** One a local endpoint, the node itself (the host firewall) among them. */
function policy(version: 1 | 2 | 3, versions: MapLayout['versions'], valueSize: number, value: readonly Field[]): MapLayout {
  return {
    name: version === 1 ? 'cilium_policy_' : `cilium_policy_v${version}_`,
    versions,
    prefix: true,
    of: 'endpoint',
    group: 'policy',
    title: 'Policy of an endpoint',
    keySize: 12,
    valueSize,
    key: POLICY_KEY,
    value,
  }
}

export const POLICY_LAYOUTS: readonly MapLayout[] = [
  policy(3, only(20), 12, ranked(LENGTH_AND_AUTH)),
  policy(2, only(19), 12, ranked(LENGTH_AND_AUTH)),
  policy(2, only(18), 8, [...LENGTH_AND_AUTH, PROXY_PRIORITY]),
  policy(2, only(17), 24, [...LENGTH_AND_AUTH, PROXY_PRIORITY, ...COUNTERS]),
  policy(1, only(16), 24, FIRST),
  {
    name: 'cilium_policystats',
    versions: since(18),
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
    versions: ALL,
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
  ...([4, 6] as const).flatMap((family) =>
    (['fix', 'dyn'] as const).map((kind): MapLayout => {
      const size = family === 4 ? 4 : 16
      return {
        name: `cilium_cidr_v${family}_${kind}`,
        versions: ALL,
        group: 'policy',
        title: 'Sources that are dropped before anything else (XDP prefilter)',
        family,
        keySize: 4 + size,
        valueSize: 1,
        key: [DEFAULT_LPM_PREFIX, { name: 'source', type: family === 4 ? 'ipv4' : 'ipv6', offset: 4 }],
        value: [{ name: 'flags', type: 'u8', offset: 0 }],
      }
    }),
  ),
]
