// SPDX-License-Identifier: Apache-2.0

import type { Address } from '../../net/address.ts'
import { formatEndpoint, sameAddress } from '../../net/address.ts'
import { IPPROTO, type Packet, type Tuple } from '../../net/packet.ts'

/** ICMP queries to their answers (net/netfilter/nf_conntrack_proto_icmp.c, _icmpv6.c). */
const ICMP_ANSWERS: ReadonlyMap<number, number> = new Map([
  [8, 0],
  [0, 8],
  [13, 14],
  [14, 13],
  [15, 16],
  [16, 15],
  [17, 18],
  [18, 17],
])
const ICMPV6_ANSWERS: ReadonlyMap<number, number> = new Map([
  [128, 129],
  [129, 128],
  [139, 140],
  [140, 139],
])

/** A packet's key in connection tracking. For ICMP, `sport` is the id and `dport` type × 256 + code. */
export function tupleOf(packet: Packet): Tuple {
  const { protocol, src, dst } = packet
  if (!isIcmp(protocol)) return { protocol, src, dst, sport: packet.sport, dport: packet.dport }
  const { icmp } = packet
  return { protocol, src, dst, sport: icmp?.id, dport: icmp && icmp.type * 256 + icmp.code }
}

export function isIcmp(protocol: number): boolean {
  return protocol === IPPROTO.icmp || protocol === IPPROTO.icmpv6
}

/** What an answer to this tuple looks like. */
export function invertTuple(tuple: Tuple): Tuple {
  const { protocol, src, dst, sport, dport } = tuple
  if (!isIcmp(protocol)) return { protocol, src: dst, dst: src, sport: dport, dport: sport }
  return { protocol, src: dst, dst: src, sport, dport: dport === undefined ? undefined : answerType(protocol, dport) }
}

function answerType(protocol: number, typeAndCode: number): number {
  const answers = protocol === IPPROTO.icmp ? ICMP_ANSWERS : ICMPV6_ANSWERS
  const type = typeAndCode >>> 8
  return (answers.get(type) ?? type) * 256 + (typeAndCode & 255)
}

/** Whether connection tracking takes this ICMP type as the start of something. */
export function isIcmpQuery(protocol: number, type: number): boolean {
  return protocol === IPPROTO.icmp ? [8, 13, 15, 17].includes(type) : [128, 139].includes(type)
}

export function sameTuple(a: Tuple, b: Tuple): boolean {
  return a.sport === b.sport && a.dport === b.dport && sameAddress(a.src, b.src) && sameAddress(a.dst, b.dst)
}

/** The packet with one end replaced, as nf_nat_manip_pkt writes it. For ICMP, `port` is the id. */
export function rewrite(packet: Packet, end: 'src' | 'dst', address: Address, port: number | undefined): Packet {
  if (isIcmp(packet.protocol)) {
    const icmp = packet.icmp && { ...packet.icmp, id: port }
    return { ...packet, [end]: address, icmp }
  }
  return { ...packet, [end]: address, [end === 'src' ? 'sport' : 'dport']: port }
}

/** "10.0.0.1:4000 -> 10.96.0.1:80" */
export function describePacket(packet: Packet): string {
  return `${formatEndpoint(packet.src, packet.sport)} -> ${formatEndpoint(packet.dst, packet.dport)}`
}
