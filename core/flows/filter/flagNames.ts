// SPDX-License-Identifier: Apache-2.0

import * as names from '../hubble/enums.ts'
import type { FlowFilter } from './filter.ts'
import { eventTypeOf, eventTypeText, headerOf, identityNumber, nameAmong, tcpFlagsOf, workloadOf } from './filterNames.ts'
import type { NetworkInterface, TcpFlags, Workload } from '../flow.ts'

/** Filter flags of `hubble observe` that stand for one field. A value is read as Hubble reads it, and can be written again. */
export interface FieldFlag {
  readonly flag: string
  readonly field: keyof FlowFilter
  readonly read: (text: string) => unknown
  /** Undefined: the flag can't say this value. */
  readonly write: (value: never) => string | undefined
}

const same = { read: (text: string): unknown => text, write: (text: string): string | undefined => text }

function fieldFlag<T>(
  flag: string,
  field: keyof FlowFilter,
  read: (text: string) => T,
  write: (value: T) => string | undefined,
): FieldFlag {
  return { flag, field, read, write }
}

/** Exactly one of the names, which Hubble takes in capitals alone. */
function exact(list: readonly string[], what: string): (text: string) => string {
  return (text) => {
    if (list.includes(text)) return text
    throw new Error(`\`${text}\` is no ${what}; did you mean \`${nameAmong(text, list, what)}\`?`)
  }
}

function written(flags: TcpFlags): string {
  return Object.entries(flags)
    .flatMap(([name, set]) => (set ? [name] : []))
    .join(',')
}

const IP_VERSIONS: Readonly<Record<string, string>> = {
  4: 'IPv4',
  v4: 'IPv4',
  ipv4: 'IPv4',
  ip4: 'IPv4',
  6: 'IPv6',
  v6: 'IPv6',
  ipv6: 'IPv6',
  ip6: 'IPv6',
}

const WHOLE: readonly FieldFlag[] = [
  { flag: 'uuid', field: 'uuid', ...same },
  { flag: 'snat-ip', field: 'sourceIpXlated', ...same },
  { flag: 'trace-id', field: 'traceId', ...same },
  fieldFlag('ip-trace-id', 'ipTraceId', traceId, String),
  fieldFlag('verdict', 'verdict', exact(names.VERDICT.names, 'verdict'), (name) => name),
  fieldFlag('drop-reason-desc', 'dropReasonDesc', exact(names.DROP_REASON.names, 'reason of drops'), (name) => name),
  { flag: 'http-status', field: 'httpStatusCode', ...same },
  { flag: 'http-method', field: 'httpMethod', ...same },
  { flag: 'http-path', field: 'httpPath', ...same },
  { flag: 'http-url', field: 'httpUrl', ...same },
  fieldFlag('http-header', 'httpHeader', headerOf, ({ key, value }) => (key.includes(':') ? undefined : `${key}:${value}`)),
  fieldFlag('type', 'eventType', eventTypeOf, eventTypeText),
  { flag: 'protocol', field: 'protocol', ...same },
  { flag: 'node-name', field: 'nodeName', ...same },
  { flag: 'node-label', field: 'nodeLabels', ...same },
  fieldFlag('tcp-flags', 'tcpFlags', tcpFlagsOf, written),
  fieldFlag('traffic-direction', 'trafficDirection', direction, (name) => name.toLowerCase()),
  fieldFlag<NetworkInterface>(
    'interface',
    'interface',
    (name) => ({ index: 0, name }),
    ({ index, name }) => (index === 0 ? name : undefined),
  ),
  fieldFlag(
    'ip-version',
    'ipVersion',
    (text) => IP_VERSIONS[text.toLowerCase()] ?? 'IP_NOT_USED',
    (name) => (name === 'IP_NOT_USED' ? 'none' : name),
  ),
]

/** Flags without a value of their own. */
const SWITCHES: readonly FieldFlag[] = [
  fieldFlag(
    'ipv4',
    'ipVersion',
    () => 'IPv4',
    () => undefined,
  ),
  fieldFlag(
    'ipv6',
    'ipVersion',
    () => 'IPv6',
    () => undefined,
  ),
  fieldFlag(
    'encrypted',
    'encrypted',
    () => true,
    (value) => (value ? 'true' : undefined),
  ),
  fieldFlag(
    'unencrypted',
    'encrypted',
    () => false,
    (value) => (value ? undefined : 'true'),
  ),
]

/** Flags that ask something of an end: as they are of either, `from-` of the source, `to-` of the destination. */
const OF_ENDS = [
  { flag: 'fqdn', of: 'Fqdn', ...same },
  { flag: 'pod', of: 'Pod', ...same },
  { flag: 'ip', of: 'Ip', ...same },
  { flag: 'label', of: 'Label', ...same },
  { flag: 'service', of: 'Service', ...same },
  { flag: 'port', of: 'Port', ...same },
  { flag: 'workload', of: 'Workload', read: workloadOf, write: workloadText },
  { flag: 'identity', of: 'Identity', read: identityNumber, write: String },
  { flag: 'cluster', of: 'ClusterName', ...same },
] as const

export interface EndFlag {
  readonly flag: string
  readonly source: FieldFlag
  readonly destination: FieldFlag
}

export const END_FLAGS: readonly EndFlag[] = OF_ENDS.map(({ flag, of, read, write }) => ({
  flag,
  source: { flag: `from-${flag}`, field: `source${of}`, read, write },
  destination: { flag: `to-${flag}`, field: `destination${of}`, read, write },
}))

/** Flags for one field each. */
export const FIELD_FLAGS: readonly FieldFlag[] = [
  ...WHOLE,
  ...SWITCHES,
  ...END_FLAGS.flatMap(({ source, destination }) => [source, destination]),
]

const NAMESPACES = ['namespace', 'from-namespace', 'to-namespace', 'all-namespaces', 'from-all-namespaces', 'to-all-namespaces']

/** All flags that filter. */
export const FILTER_FLAGS: readonly string[] = [...FIELD_FLAGS, ...END_FLAGS].map(({ flag }) => flag).concat(NAMESPACES)

/** What stands for the value of a flag that needs none. */
export const FLAGS_WITHOUT_VALUE: Readonly<Record<string, string>> = {
  ipv4: 'v4',
  ipv6: 'v6',
  encrypted: 'true',
  unencrypted: 'true',
  'all-namespaces': 'true',
  'from-all-namespaces': 'true',
  'to-all-namespaces': 'true',
}

export const SHORT_FLAGS: Readonly<Record<string, string>> = {
  t: 'type',
  n: 'namespace',
  A: 'all-namespaces',
  l: 'label',
  4: 'ipv4',
  6: 'ipv6',
  f: 'follow',
  o: 'output',
  P: 'port-forward',
  s: 'silent-errors',
  D: 'debug',
}

function traceId(text: string): bigint {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) === 0n || BigInt(text) >= 1n << 64n)
    throw new Error(`\`${text}\` is no trace ID: a number above 0`)
  return BigInt(text)
}

function direction(text: string): string {
  const name = text.toUpperCase()
  if (name !== 'INGRESS' && name !== 'EGRESS') throw new Error(`\`${text}\` is no direction: ingress or egress`)
  return name
}

function workloadText({ kind, name }: Workload): string | undefined {
  if (kind !== '') return `${kind}/${name}`
  return name.includes('/') ? undefined : name
}
