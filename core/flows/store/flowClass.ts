// SPDX-License-Identifier: Apache-2.0

import type { EventType, FileInfo, Flow, Icmp, Igmp, Layer4, TcpFlags, Vrrp } from '../flow.ts'

/**
 * What a flow says about itself with few different values: verdict, reasons, points, protocol and flags. Some thousand classes
 * make up a million flows, so a row holds the number of its class, and a filter is asked once a class.
 */
export interface FlowClass {
  readonly timed: boolean
  /** Whether `uuid` is one, and lies in its column as bits. */
  readonly packedUuid: boolean
  readonly verdict: string
  readonly dropReason: number
  readonly authType: string
  readonly type: string
  readonly reply: boolean
  readonly eventType: EventType | null
  readonly trafficDirection: string
  readonly policyMatchType: number
  readonly traceObservationPoint: string
  readonly traceReason: string
  readonly file: FileInfo | null
  readonly dropReasonDesc: string
  readonly isReply: boolean | null
  readonly debugCapturePoint: string
  readonly proxyPort: number
  readonly sockXlatePoint: string
  /** Null when the flow has no IP message at all. */
  readonly ip: { readonly ipVersion: string; readonly encrypted: boolean } | null
  readonly protocol: Protocol | null
  readonly tcpFlags: TcpFlags | null
  readonly icmp: Icmp | Vrrp | Igmp | null
}

/** `none`: a layer 4 that says nothing of its protocol. */
export type Protocol = keyof Layer4 | 'none'

export function protocolOf(l4: Layer4 | null): Protocol | null {
  if (l4 === null) return null
  if (l4.tcp !== null) return 'tcp'
  if (l4.udp !== null) return 'udp'
  if (l4.icmpv4 !== null) return 'icmpv4'
  if (l4.icmpv6 !== null) return 'icmpv6'
  if (l4.sctp !== null) return 'sctp'
  if (l4.vrrp !== null) return 'vrrp'
  return l4.igmp !== null ? 'igmp' : 'none'
}

export function hasPorts(protocol: Protocol | null): boolean {
  return protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp'
}

export const NO_LAYER4: Layer4 = { tcp: null, udp: null, icmpv4: null, icmpv6: null, sctp: null, vrrp: null, igmp: null }

export function classOf(flow: Flow, packedUuid: boolean): FlowClass {
  const { time, ip, l4, verdict, dropReason, authType, type, reply, eventType, trafficDirection, policyMatchType } = flow
  const { traceObservationPoint, traceReason, file, dropReasonDesc, isReply, debugCapturePoint, proxyPort, sockXlatePoint } = flow
  return {
    timed: time !== null,
    packedUuid,
    verdict,
    dropReason,
    authType,
    type,
    reply,
    eventType,
    trafficDirection,
    policyMatchType,
    traceObservationPoint,
    traceReason,
    file,
    dropReasonDesc,
    isReply,
    debugCapturePoint,
    proxyPort,
    sockXlatePoint,
    ip: ip === null ? null : { ipVersion: ip.ipVersion, encrypted: ip.encrypted },
    protocol: protocolOf(l4),
    tcpFlags: l4?.tcp?.flags ?? null,
    icmp: l4 === null ? null : (l4.icmpv4 ?? l4.icmpv6 ?? l4.vrrp ?? l4.igmp),
  }
}

/** Tells classes apart, faster than spelling them out as JSON. The texts are names of enumerations; one with a `|` of its own only
 * comes from who wants to confuse, and is set in quotes by JSON. */
export function classKey(flow: Flow, packedUuid: boolean): string {
  const { ip, l4, eventType, file } = flow
  const tcp = l4?.tcp?.flags
  return (
    `${flow.time === null ? 0 : 1}${packedUuid ? 1 : 0}|${name(flow.verdict)}|${flow.dropReason}|${name(flow.authType)}|${name(flow.type)}|${flow.reply}|` +
    `${eventType === null ? '' : `${eventType.type}.${eventType.subType}`}|${name(flow.trafficDirection)}|${flow.policyMatchType}|` +
    `${name(flow.traceObservationPoint)}|${name(flow.traceReason)}|${file === null ? '' : `${JSON.stringify(file.name)}${file.line}`}|` +
    `${name(flow.dropReasonDesc)}|${flow.isReply}|${name(flow.debugCapturePoint)}|${flow.proxyPort}|${name(flow.sockXlatePoint)}|` +
    `${ip === null ? '' : `${name(ip.ipVersion)}${ip.encrypted}`}|${protocolOf(l4)}|${tcp ? flagBits(tcp) : ''}|${l4 === null ? '' : icmpKey(l4)}`
  )
}

function name(text: string): string {
  return text.includes('|') || text.startsWith('"') ? JSON.stringify(text) : text
}

export function flagBits(flags: TcpFlags): number {
  const { fin, syn, rst, psh, ack, urg, ece, cwr, ns } = flags
  return (
    (fin ? 1 : 0) +
    (syn ? 2 : 0) +
    (rst ? 4 : 0) +
    (psh ? 8 : 0) +
    (ack ? 16 : 0) +
    (urg ? 32 : 0) +
    (ece ? 64 : 0) +
    (cwr ? 128 : 0) +
    (ns ? 256 : 0)
  )
}

function icmpKey({ icmpv4, icmpv6, vrrp, igmp }: Layer4): string {
  const icmp = icmpv4 ?? icmpv6
  if (icmp !== null) return `${icmp.type}.${icmp.code}`
  return vrrp !== null || igmp !== null ? JSON.stringify(vrrp ?? igmp) : ''
}
