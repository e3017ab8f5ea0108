// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../net/address.ts'
import { parsePrefix } from '../../net/prefix.ts'
import { PROTOCOLS } from './conditions.ts'
import * as names from '../hubble/enums.ts'
import type { FlowFilter } from './filter.ts'
import {
  EVENT_TYPES,
  eventTypeOf,
  headerOf,
  identityNumber,
  nameAmong,
  RESERVED_IDENTITIES,
  TRACE_POINTS,
  tcpFlagsOf,
  workloadOf,
} from './filterNames.ts'

/** One key of the filter box: what it asks of a flow, or of one end of it. */
export interface BoxKey {
  readonly name: string
  readonly note: string
  /** Whether `from-` and `to-` can stand in front; without them it asks either end. */
  readonly ofEnds: boolean
  /** Values that are always known; others come from the flows. */
  readonly values?: readonly string[]
  /** Whether commas divide alternatives. */
  readonly commas: boolean
  /** @throws Error that says what would be right. */
  readonly ask: (value: string, end: End) => FlowFilter
}

export type End = 'source' | 'destination'

function ofEnds(name: string, note: string, ask: BoxKey['ask'], rest: Partial<BoxKey> = {}): BoxKey {
  return { name, note, ofEnds: true, commas: true, ask, ...rest }
}

function ofFlow(name: string, note: string, ask: (value: string) => FlowFilter, rest: Partial<BoxKey> = {}): BoxKey {
  return { name, note, ofEnds: false, commas: true, ask, ...rest }
}

const VERDICTS = names.VERDICT.names.slice(1)
const SWITCH = ['true', 'false']

export const BOX_KEYS: readonly BoxKey[] = [
  ofEnds('pod', 'pod, its name from the beginning: `shop/web`, `web`', (value, end) => ({
    [`${end}Pod`]: [anyNamespace(value)],
  })),
  ofEnds('ns', 'namespace', (value, end) => ({ [`${end}Pod`]: [`${value}/`] })),
  ofEnds('svc', 'service: `shop/web`, `web`', (value, end) => ({ [`${end}Service`]: [anyNamespace(value)] })),
  ofEnds('workload', 'workload: `web`, `Deployment/web`', (value, end) => ({ [`${end}Workload`]: [workloadOf(value)] })),
  ofEnds('ip', 'address or network', (value, end) => ({ [`${end}Ip`]: [value] })),
  ofEnds('port', 'port', (value, end) => ({ [`${end}Port`]: [value] })),
  ofEnds('label', 'labels: `app=web`, `k8s:app in (web, db)`', (value, end) => ({ [`${end}Label`]: [value] }), { commas: false }),
  ofEnds('identity', 'security identity', (value, end) => ({ [`${end}Identity`]: [identityNumber(value)] }), {
    values: Object.keys(RESERVED_IDENTITIES),
  }),
  ofEnds('dns', 'DNS name of an address: `*.example.com`', (value, end) => ({ [`${end}Fqdn`]: [value] })),
  ofEnds('cluster', 'cluster', (value, end) => ({ [`${end}ClusterName`]: [value] })),
  ofFlow('verdict', 'what became of it', (value) => ({ verdict: [nameAmong(value, names.VERDICT.names, 'verdict')] }), {
    values: VERDICTS.map((name) => name.toLowerCase()),
  }),
  ofFlow('reason', 'why it was dropped', (value) => ({
    dropReasonDesc: [nameAmong(value, names.DROP_REASON.names, 'reason of drops')],
  })),
  ofFlow('proto', 'protocol', (value) => ({ protocol: [value.toLowerCase()] }), { values: PROTOCOLS }),
  ofFlow('type', 'type of event: `drop`, `trace:to-endpoint`', (value) => ({ eventType: [eventTypeOf(value)] }), {
    values: [...Object.keys(EVENT_TYPES), ...TRACE_POINTS.map((point) => `trace:${point}`)],
  }),
  ofFlow(
    'direction',
    'ingress or egress',
    (value) => ({ trafficDirection: [nameAmong(value, ['INGRESS', 'EGRESS'], 'direction')] }),
    {
      values: ['ingress', 'egress'],
    },
  ),
  ofFlow('reply', 'whether it is an answer', (value) => ({ reply: [truth(value)] }), { values: SWITCH }),
  ofFlow('flags', 'flags of TCP, all of them: `syn,ack`', (value) => ({ tcpFlags: [tcpFlagsOf(value)] }), {
    values: ['syn', 'syn,ack', 'fin', 'rst', 'ack', 'psh'],
    commas: false,
  }),
  ofFlow('node', 'node: `n1`, `cluster/n*`', (value) => ({ nodeName: [value] })),
  ofFlow('node-label', 'labels of the node', (value) => ({ nodeLabels: [value] }), { commas: false }),
  ofFlow('iface', 'network interface', (value) => ({ interface: [{ index: 0, name: value }] })),
  ofFlow(
    'ipv',
    '4 or 6',
    (value) => ({ ipVersion: [`IP${nameAmong(value.replace(/^v?/, 'v'), ['v4', 'v6'], 'version of IP')}`] }),
    {
      values: ['4', '6'],
    },
  ),
  ofFlow('snat-ip', 'source address after translation', (value) => ({ sourceIpXlated: [value] })),
  ofFlow('encrypted', 'whether it was encrypted', (value) => ({ encrypted: [truth(value)] }), { values: SWITCH }),
  ofFlow('status', 'HTTP status: `404`, `5+`', (value) => ({ httpStatusCode: [value] }), { values: ['2+', '3+', '4+', '5+'] }),
  ofFlow('method', 'HTTP method', (value) => ({ httpMethod: [value] })),
  ofFlow('path', 'HTTP path, a regular expression', (value) => ({ httpPath: [value] }), { commas: false }),
  ofFlow('url', 'HTTP URL, a regular expression', (value) => ({ httpUrl: [value] }), { commas: false }),
  ofFlow('header', 'HTTP header: `name:value`', (value) => ({ httpHeader: [headerOf(value)] }), { commas: false }),
  ofFlow('query', 'name asked of DNS, a regular expression', (value) => ({ dnsQuery: [value] }), { commas: false }),
  ofFlow('uuid', 'one flow', (value) => ({ uuid: [value] })),
  ofFlow('trace-id', 'trace ID of an HTTP request', (value) => ({ traceId: [value] })),
]

/** `from:` and `to:` take whatever names an end. */
export const END_KEYS: readonly BoxKey[] = (['source', 'destination'] as const).map((end) => ({
  ...ofFlow(end === 'source' ? 'from' : 'to', `${end}: pod, address, DNS name, \`world\`, \`host\``, (value) =>
    namedEnd(value, end),
  ),
}))

/** Other names of keys, as Hubble's flags have them. */
export const ALIASES: Readonly<Record<string, string>> = {
  namespace: 'ns',
  service: 'svc',
  fqdn: 'dns',
  protocol: 'proto',
  'drop-reason': 'reason',
  'drop-reason-desc': 'reason',
  'traffic-direction': 'direction',
  'tcp-flags': 'flags',
  'node-name': 'node',
  interface: 'iface',
  'ip-version': 'ipv',
  'http-status': 'status',
  'http-method': 'method',
  'http-path': 'path',
  'http-url': 'url',
  'http-header': 'header',
  'dns-query': 'query',
}

function namedEnd(value: string, end: End): FlowFilter {
  if (parseAddress(value) !== undefined || parsePrefix(value) !== undefined) return { [`${end}Ip`]: [value] }
  if (value in RESERVED_IDENTITIES) return { [`${end}Label`]: reserved(value) }
  if (value.includes('/')) return { [`${end}Pod`]: [value] }
  return value.includes('.') ? { [`${end}Fqdn`]: [value] } : { [`${end}Pod`]: [`/${value}`] }
}

/** A cluster with both families of IP tells the world of each apart. */
function reserved(name: string): readonly string[] {
  return (name === 'world' ? ['world', 'world-ipv4', 'world-ipv6'] : [name]).map((each) => `reserved:${each}`)
}

/** Hubble takes a bare name to be of the namespace `default`; who types it here means any. */
function anyNamespace(value: string): string {
  return value.includes('/') ? value : `/${value}`
}

function truth(value: string): boolean {
  return nameAmong(value, SWITCH, 'answer: true or false') === 'true'
}
