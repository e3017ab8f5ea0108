// SPDX-License-Identifier: Apache-2.0

/** A flow in words: the cells of its row. */

import type { Endpoint, Flow, Layer4, Policy, Timestamp } from '../../core/flows/flow.ts'
import { flowNode } from '../../core/flows/flowPacket.ts'
import { printable } from '../../core/text/printable.ts'

type End = 'source' | 'destination'

/** As FLOW_CELLS of the panel's contract. */
export function flowCells(flow: Flow): readonly string[] {
  return [
    timeOfDay(flow.time),
    flow.verdict,
    endName(flow, 'source'),
    endName(flow, 'destination'),
    portText(flow.l4),
    summaryText(flow),
    reasonText(flow),
    flowNode(flow),
    flow.trafficDirection === 'TRAFFIC_DIRECTION_UNKNOWN' ? '' : flow.trafficDirection.toLowerCase(),
    seenAt(flow),
  ].map(printable)
}

export function timeOfDay(time: Timestamp | null): string {
  if (time === null) return ''
  const seconds = ((time.seconds % 86_400) + 86_400) % 86_400
  const two = (value: number) => String(value).padStart(2, '0')
  const millis = String(Math.floor(time.nanos / 1e6)).padStart(3, '0')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${millis}`
}

/** What people call it: pod, service, reserved identity, DNS name; the address where nobody has a name for it. */
export function endName(flow: Flow, end: End): string {
  const endpoint = flow[end]
  if (endpoint !== null && endpoint.podName !== '') return `${endpoint.namespace}/${endpoint.podName}`
  const service = flow[`${end}Service`]
  if (service !== null && service.name !== '') return `${service.namespace}/${service.name} (service)`
  const address = flow.ip?.[end] ?? ''
  const [name] = flow[`${end}Names`]
  const reserved = reservedName(endpoint)
  const known = name ?? address
  if (reserved === undefined) return known
  return known === '' ? reserved : `${known} (${reserved})`
}

/** "world", "host", "remote-node", … */
export function reservedName(endpoint: Endpoint | null): string | undefined {
  const names = (endpoint?.labels ?? []).flatMap((label) => /^reserved:([\w-]+)/.exec(label)?.[1] ?? [])
  return names.find((name) => name !== 'unmanaged') ?? names[0]
}

export function portText(l4: Layer4 | null): string {
  if (l4 === null) return ''
  if (l4.tcp !== null) return `${l4.tcp.destinationPort}/TCP`
  if (l4.udp !== null) return `${l4.udp.destinationPort}/UDP`
  if (l4.sctp !== null) return `${l4.sctp.destinationPort}/SCTP`
  if (l4.icmpv4 !== null) return 'ICMP'
  if (l4.icmpv6 !== null) return 'ICMPv6'
  if (l4.vrrp !== null) return 'VRRP'
  return l4.igmp === null ? '' : 'IGMP'
}

export function summaryText(flow: Flow): string {
  const { l7, l4 } = flow
  if (l7?.http) {
    const { method, url, code } = l7.http
    const took = l7.latencyNs > 0n ? ` (${(Number(l7.latencyNs) / 1e6).toFixed(1)} ms)` : ''
    return code === 0 ? `HTTP ${method} ${url}` : `HTTP ${code} ${method} ${url}${took}`
  }
  if (l7?.dns) {
    const { query, qtypes, ips, rcode } = l7.dns
    const asked = `DNS ${qtypes.join(', ')} ${query}`
    if (l7.type === 'REQUEST') return asked
    return `${asked} → ${ips.length > 0 ? ips.join(', ') : `code ${rcode}`}`
  }
  if (l7?.kafka) return `Kafka ${l7.kafka.apiKey} ${l7.kafka.topic}`
  if (l4?.tcp) {
    const flags = Object.entries(l4.tcp.flags ?? {}).flatMap(([flag, set]) => (set ? [flag.toUpperCase()] : []))
    return `TCP ${flags.join(', ')}`.trim()
  }
  if (l4?.icmpv4) return icmpText(l4.icmpv4, ICMP)
  if (l4?.icmpv6) return icmpText(l4.icmpv6, ICMPV6)
  return flow.summary
}

/** Numbers of IANA's registries "ICMP Parameters" and "ICMPv6 Parameters". */
const ICMP: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'unreachable',
  5: 'redirect',
  8: 'echo request',
  11: 'time exceeded',
}
const ICMPV6: Readonly<Record<number, string>> = {
  1: 'unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  128: 'echo request',
  129: 'echo reply',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
}

function icmpText(
  { type, code }: { readonly type: number; readonly code: number },
  names: Readonly<Record<number, string>>,
): string {
  return `ICMP ${names[type] ?? `type ${type}`}${code === 0 ? '' : `, code ${code}`}`
}

/** Why it was dropped, or the policies that let it through. */
export function reasonText(flow: Flow): string {
  const denied = [...flow.ingressDeniedBy, ...flow.egressDeniedBy].map(policyTitle)
  if (flow.verdict === 'DROPPED' || flow.dropReason !== 0) {
    const reason = flow.dropReasonDesc === 'DROP_REASON_UNKNOWN' ? `reason ${flow.dropReason}` : flow.dropReasonDesc
    return denied.length > 0 ? `${reason} · ${denied.join(', ')}` : reason
  }
  return [...flow.ingressAllowedBy, ...flow.egressAllowedBy].map(policyTitle).join(', ')
}

/** "shop/allow-web" */
export function policyTitle({ namespace, name, kind }: Pick<Policy, 'namespace' | 'name' | 'kind'>): string {
  const full = namespace === '' ? name : `${namespace}/${name}`
  return full === '' ? kind : full
}

const EVENT_TYPES: Readonly<Record<number, string>> = {
  1: 'drop',
  2: 'debug',
  3: 'capture',
  5: 'policy-verdict',
  7: 'socket',
  129: 'proxy',
}

/** Where in the datapath: "to-endpoint", or the kind of event that told of it. */
export function seenAt({ traceObservationPoint, eventType }: Flow): string {
  if (traceObservationPoint !== 'UNKNOWN_POINT') return traceObservationPoint.toLowerCase().replaceAll('_', '-')
  return EVENT_TYPES[eventType?.type ?? 0] ?? ''
}
