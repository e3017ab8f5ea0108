// SPDX-License-Identifier: Apache-2.0

import type { Field, Versions } from './layout.ts'

/** Field groups that several of Cilium's maps share. Sources: bpf/lib/{common,conntrack,eps,lb,nat}.h of Cilium 1.16 to 1.20. */

/** Every release these layouts are about. */
export const ALL: Versions = { first: 16, last: 20 }
export const since = (first: number): Versions => ({ first, last: ALL.last })
export const until = (last: number): Versions => ({ first: ALL.first, last })
export const only = (version: number): Versions => ({ first: version, last: version })

export const address = (name: string, family: 4 | 6, offset: number): Field => ({
  name,
  type: family === 4 ? 'ipv4' : 'ipv6',
  offset,
})

const PROTOCOLS: Readonly<Record<number, string>> = { 0: 'ANY', 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6', 132: 'SCTP' }

export const protocolAt = (name: string, offset: number): Field => ({
  name,
  type: 'u8',
  offset,
  means: 'protocol',
  values: PROTOCOLS,
})

/** bpf/lib/lb.h SVC_FLAG_*: `flags` in the low byte, `flags2` in the high one. */
const SERVICE_FLAGS = [
  'external-ip',
  'node-port',
  'external-local',
  'host-port',
  'session-affinity',
  'load-balancer',
  'routable',
  'source-range',
  'local-redirect',
  'nat-46x64',
  'l7-load-balancer',
  'loopback',
  'internal-local',
  'two-scopes',
  'quarantined',
  'dsr',
] as const

/** struct lb{4,6}_service without its key; 12 bytes for both families. */
export const SERVICE_VALUE_16: readonly Field[] = [
  { name: 'backend', type: 'u32', offset: 0, means: 'backend' },
  { name: 'count', type: 'u16', offset: 4 },
  { name: 'revNat', type: 'be16', offset: 6, means: 'revnat' },
  { name: 'flags', type: 'u16', offset: 8, flags: SERVICE_FLAGS },
]
export const SERVICE_VALUE: readonly Field[] = [...SERVICE_VALUE_16, { name: 'quarantined', type: 'u16', offset: 10 }]

export const SCOPES: Readonly<Record<number, string>> = { 0: 'external', 1: 'internal' }
export const BACKEND_STATES: Readonly<Record<number, string>> = {
  0: 'active',
  1: 'terminating',
  2: 'quarantined',
  3: 'maintenance',
}
export const FAMILIES: Readonly<Record<number, string>> = { 1: 'IPv4', 2: 'IPv6' }
export const POLICY_DIRECTIONS: Readonly<Record<number, string>> = { 0: 'ingress', 1: 'egress' }

const CT_FLAGS = [
  'rx-closing',
  'tx-closing',
  null,
  'lb-loopback',
  'seen-non-syn',
  'node-port',
  'proxy-redirect',
  'dsr-internal',
  'from-l7lb',
  null,
  'from-tunnel',
] as const
const CT_FLAGS_20 = [...CT_FLAGS.slice(0, 2), 'need-dsr-info', ...CT_FLAGS.slice(3)]

/** RFC 9293, and RFC 3168's two, as a TCP header has them. */
const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'] as const

/** struct ct_entry, 56 bytes, both families. */
function connection(version: 16 | 18 | 19 | 20): readonly Field[] {
  const natAddress: Field = { name: 'natAddress', type: 'ipv6', offset: 0 }
  const natPort: Field = { name: 'natPort', type: 'be16', offset: 40 }
  return [
    ...(version < 19 ? [] : [natAddress]),
    { name: 'backend', type: 'u64', offset: 8, means: 'backend' },
    { name: 'packets', type: 'u64', offset: 16 },
    { name: 'bytes', type: 'u64', offset: 24 },
    { name: 'lifetime', type: 'u32', offset: 32, means: 'seconds-since-boot' },
    { name: 'flags', type: 'u16', offset: 36, flags: version < 20 ? CT_FLAGS : CT_FLAGS_20 },
    { name: 'revNat', type: 'be16', offset: 38, means: 'revnat' },
    ...(version < 18 ? [{ name: 'ifindex', type: 'u16', offset: 40, means: 'ifindex' } as const] : []),
    ...(version < 19 ? [] : [natPort]),
    { name: 'txFlags', type: 'u8', offset: 42, flags: TCP_FLAGS },
    { name: 'rxFlags', type: 'u8', offset: 43, flags: TCP_FLAGS },
    { name: 'sourceIdentity', type: 'u32', offset: 44, means: 'identity' },
    { name: 'lastTx', type: 'u32', offset: 48, means: 'seconds-since-boot' },
    { name: 'lastRx', type: 'u32', offset: 52, means: 'seconds-since-boot' },
  ]
}

export const CT_VALUES: readonly { readonly versions: Versions; readonly value: readonly Field[] }[] = [
  { versions: { first: 16, last: 17 }, value: connection(16) },
  { versions: only(18), value: connection(18) },
  { versions: only(19), value: connection(19) },
  { versions: only(20), value: connection(20) },
]

/**
 * struct ipv{4,6}_ct_tuple. The kernel's field names are those of the reply for addresses, and of the original direction for
 * ports (cilium#5848): the first address is where the connection's answer goes to, and so on. The raw order is kept here, and
 * `tuple.ts` uncrosses it.
 */
export function tupleKey(family: 4 | 6): readonly Field[] {
  const size = family === 4 ? 4 : 16
  const type = family === 4 ? 'ipv4' : 'ipv6'
  return [
    { name: 'daddr', type, offset: 0 },
    { name: 'saddr', type, offset: size },
    { name: 'dport', type: 'be16', offset: 2 * size },
    { name: 'sport', type: 'be16', offset: 2 * size + 2 },
    protocolAt('protocol', 2 * size + 4),
    { name: 'flags', type: 'u8', offset: 2 * size + 5, flags: ['in', 'related', 'service'] },
  ]
}

/** struct nat_entry, then the translated address and port. */
export function natValue(family: 4 | 6): readonly Field[] {
  return [
    { name: 'created', type: 'u64', offset: 0, means: 'ktime-ns' },
    { name: 'needsCt', type: 'u64', offset: 8 },
    { name: 'address', type: family === 4 ? 'ipv4' : 'ipv6', offset: 32 },
    { name: 'port', type: 'be16', offset: family === 4 ? 36 : 48 },
  ]
}

export const DEFAULT_LPM_PREFIX: Field = { name: 'prefixLength', type: 'u32', offset: 0 }
