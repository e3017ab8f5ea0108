// SPDX-License-Identifier: Apache-2.0

/** Flows as lines and tables for people, in the columns of the hubble client. */

import { reservedIdentity } from '../../core/ebpf/maps/names.ts'
import type { Endpoint, Flow, FlowEvent, Timestamp } from '../../core/flows/flow.ts'
import { printable } from '../../core/text/printable.ts'

/** A flow and, from the envelope, where it was seen. */
export type SeenFlow = Extract<FlowEvent, { kind: 'flow' }>

/** `pkg/monitor/api` of Cilium 1.19. */
const DROP = 1
const CAPTURE = 3
const TRACE = 4
const POLICY_VERDICT = 5
const TRACE_SOCK = 7
const MATCHES = ['none', 'L3-Only', 'L3-L4', 'L4-Only', 'all', 'L3-Proto', 'Proto-Only']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export interface FlowWords {
  readonly time: string
  readonly source: string
  readonly destination: string
  readonly type: string
  readonly verdict: string
  readonly summary: string
}

export function wordsOf({ flow }: SeenFlow): FlowWords {
  const [source, destination] = hosts(flow)
  return {
    time: stamp(flow.time),
    source,
    destination,
    type: typeOf(flow),
    verdict: verdictOf(flow),
    summary: printable(flow.summary),
  }
}

export function compactLine(event: SeenFlow): string {
  const { flow } = event
  const words = wordsOf(event)
  const ends = [`${words.source} ${identityOf(flow.source)}`, `${words.destination} ${identityOf(flow.destination)}`]
  // Answers are shown from the side of who asked.
  if (flow.isReply === true) ends.reverse()
  const arrow = flow.isReply === null ? '<>' : flow.isReply ? '<-' : '->'
  return `${words.time}: ${ends.join(` ${arrow} `)} ${words.type} ${words.verdict} (${words.summary})`
}

export function dictText(event: SeenFlow): string {
  const { time, source, destination, type, verdict, summary } = wordsOf(event)
  return [
    `  TIMESTAMP: ${time}`,
    `     SOURCE: ${source}`,
    `DESTINATION: ${destination}`,
    `       TYPE: ${type}`,
    `    VERDICT: ${verdict}`,
    `    SUMMARY: ${summary}`,
  ].join('\n')
}

/** As Go's time.StampMilli, in UTC: "Jan  2 15:04:05.000". */
export function stamp(time: Timestamp | null): string {
  if (time === null) return 'N/A'
  const date = new Date(time.seconds * 1000 + Math.floor(time.nanos / 1e6))
  const day = String(date.getUTCDate()).padStart(2)
  return `${MONTHS[date.getUTCMonth()]} ${day} ${date.toISOString().slice(11, 23)}`
}

function hosts({ ip, l4, ethernet, ...flow }: Flow): [string, string] {
  if (ip === null) return [printable(ethernet?.source ?? ''), printable(ethernet?.destination ?? '')]
  const ports = l4?.tcp ?? l4?.udp ?? l4?.sctp
  return [
    host(ip.source, ports?.sourcePort, flow.source, flow.sourceService, flow.sourceNames),
    host(ip.destination, ports?.destinationPort, flow.destination, flow.destinationService, flow.destinationNames),
  ]
}

function host(
  address: string,
  port: number | undefined,
  endpoint: Endpoint | null,
  service: Flow['sourceService'],
  names: readonly string[],
): string {
  const name = nameOf(address, endpoint, service, names)
  if (!port) return printable(name)
  return printable(name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`)
}

function nameOf(address: string, endpoint: Endpoint | null, service: Flow['sourceService'], names: readonly string[]): string {
  const within = (namespace: string, name: string) => (namespace === '' ? name : `${namespace}/${name}`)
  const namespace = service?.namespace ?? endpoint?.namespace ?? ''
  if (endpoint !== null && endpoint.podName !== '') return within(namespace, endpoint.podName)
  if (service !== null && service.name !== '') return within(namespace, service.name)
  return names.length > 0 ? names.join(',') : address
}

function identityOf(endpoint: Endpoint | null): string {
  const identity = endpoint?.identity ?? 0
  const reserved = reservedIdentity(identity)
  return reserved === undefined ? `(ID:${identity})` : `(${reserved})`
}

function typeOf(flow: Flow): string {
  if (flow.l7 !== null) return layer7Type(flow.l7)
  switch (flow.eventType?.type) {
    case TRACE:
      return flow.traceObservationPoint.toLowerCase().replaceAll('_', '-')
    case DROP:
      return REASONS[flow.dropReasonDesc] ?? sentence(flow.dropReasonDesc)
    case POLICY_VERDICT:
      return `policy-verdict:${MATCHES[flow.policyMatchType] ?? 'unknown'} ${flow.trafficDirection}`
    case CAPTURE:
      return flow.debugCapturePoint
    case TRACE_SOCK:
      return socketType(flow.sockXlatePoint)
    default:
      return 'UNKNOWN'
  }
}

function layer7Type({ type, http, dns, kafka }: NonNullable<Flow['l7']>): string {
  const kind = type.toLowerCase()
  if (http !== null) return `http-${kind}`
  if (dns !== null) return printable(`dns-${kind} ${dns.observationSource}`)
  return kafka !== null ? `kafka-${kind}` : `l7-${kind}`
}

function socketType(point: string): string {
  const match = /^SOCK_XLATE_POINT_(PRE|POST)_DIRECTION_(FWD|REV)$/.exec(point)
  return match === null ? point : `${match[1]?.toLowerCase()}-xlate-${match[2]?.toLowerCase()}`
}

function sentence(name: string): string {
  const text = name.toLowerCase().replaceAll('_', ' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Where the datapath's words are not those of the name. */
const REASONS: Readonly<Record<string, string>> = { POLICY_DENY: 'Policy denied by denylist' }

/** A policy's verdict is about a policy, not about a packet. */
const BY_POLICY: Readonly<Record<string, string>> = {
  FORWARDED: 'ALLOWED',
  REDIRECTED: 'ALLOWED',
  DROPPED: 'DENIED',
  ERROR: 'DENIED',
  AUDIT: 'AUDITED',
}

function verdictOf({ verdict, eventType }: Flow): string {
  return eventType?.type === POLICY_VERDICT ? (BY_POLICY[verdict] ?? verdict) : verdict
}
