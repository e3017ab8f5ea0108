// SPDX-License-Identifier: Apache-2.0

import { type Connection, IPPROTO, type Packet, TCP_FLAG, type Tuple } from '../../net/packet.ts'
import type { ExistingConnection } from '../traversal.ts'
import { type Branch, withStep } from './branch.ts'
import type { HookContext } from './context.ts'
import { portOf } from './translate.ts'
import { describePacket, invertTuple, isIcmp, isIcmpQuery, rewrite, tupleOf } from './tuple.ts'

/** IPS_* bits of an existing entry (include/uapi/linux/netfilter/nf_conntrack_common.h). */
const IPS = { expected: 1, seenReply: 2, assured: 4, confirmed: 8, srcNat: 16, dstNat: 32, srcNatDone: 128, dstNatDone: 256 }

/** The conntrack hook, at priority -200 of prerouting and output (nf_conntrack_in). */
export function track(branch: Branch, context: HookContext): Branch {
  const { flight } = branch
  // Seen before (loopback, a second pass), or told not to look.
  if (flight.connection || flight.notrack) return branch
  const tuple = tupleOf(flight.packet)
  const existing = context.environment.connection(tuple, branch.zone)
  const connection = existing ? continued(existing, branch) : fresh(flight.packet, tuple, branch)
  const tracked: Branch = { ...branch, flight: { ...flight, connection } }
  const text = `connection tracking: ${describeState(connection, existing)}`
  return withStep(tracked, {
    hook: `conntrack/${context.hook.toUpperCase()}`,
    actor: { kind: 'conntrack', ref: existing ? 'existing entry' : 'new entry' },
    effect: 'track',
    before: null,
    after: null,
    evidence: existing?.evidence ?? null,
    text,
  })
}

function describeState(connection: Connection, existing: ExistingConnection | undefined): string {
  if (connection.state === 'untracked') return 'not tracked'
  if (connection.state === 'invalid') return 'invalid, belongs to no connection and cannot begin one'
  if (!existing) return 'a new connection'
  return `${connection.state}, ${connection.direction} direction of an existing connection`
}

function continued(existing: ExistingConnection, branch: Branch): Connection {
  const { direction, original, reply, status, mark } = existing
  const state = continuedState(existing, branch.flight.packet)
  const confirmed = (status & IPS.confirmed) !== 0
  return {
    state,
    direction,
    original,
    reply,
    mark,
    zone: branch.zone,
    // Confirmed entries went through both nat hooks, where there were any.
    dstNatDone: confirmed || (status & IPS.dstNatDone) !== 0,
    srcNatDone: confirmed || (status & IPS.srcNatDone) !== 0,
    dstNat: (status & IPS.dstNat) !== 0,
    srcNat: (status & IPS.srcNat) !== 0,
    confirmed,
    assured: (status & IPS.assured) !== 0,
    helper: undefined,
  }
}

function continuedState({ direction, status, tcpState }: ExistingConnection, packet: Packet): Connection['state'] {
  if (direction === 'reply' || status & IPS.seenReply) return 'established'
  if (status & IPS.expected) return 'related'
  return tcpState !== 'SYN_SENT' || canFollowSyn(packet) ? 'new' : 'invalid'
}

/** After a SYN nobody has answered yet, only another SYN or a reset can follow (tcp_conntracks, sSS). */
function canFollowSyn({ tcpFlags }: Packet): boolean {
  if (tcpFlags === undefined) return true
  return (tcpFlags & TCP_FLAG.rst) !== 0 || (tcpFlags & (TCP_FLAG.syn | TCP_FLAG.ack)) === TCP_FLAG.syn
}

function fresh(packet: Packet, original: Tuple, branch: Branch): Connection {
  return {
    state: firstState(packet),
    direction: 'original',
    original,
    reply: invertTuple(original),
    mark: 0,
    zone: branch.zone,
    dstNatDone: false,
    srcNatDone: false,
    dstNat: false,
    srcNat: false,
    confirmed: false,
    assured: false,
    helper: branch.helper,
  }
}

/** Neighbour discovery and multicast listener messages are never tracked (nf_conntrack_proto_icmpv6.c). */
const UNTRACKED_ICMPV6 = new Set([130, 131, 132, 133, 134, 135, 136, 137, 143])

/** State of a packet that no entry exists for. */
function firstState(packet: Packet): Connection['state'] {
  if (isIcmp(packet.protocol)) {
    if (!packet.icmp) return 'new'
    if (packet.protocol === IPPROTO.icmpv6 && UNTRACKED_ICMPV6.has(packet.icmp.type)) return 'untracked'
    return isIcmpQuery(packet.protocol, packet.icmp.type) ? 'new' : 'invalid'
  }
  if (packet.protocol === IPPROTO.tcp && packet.tcpFlags !== undefined) return canBegin(packet.tcpFlags) ? 'new' : 'invalid'
  return 'new'
}

/** tcp_valid_flags and the first row of tcp_conntracks: SYN and, picked up midway, ACK can begin an entry. */
function canBegin(flags: number): boolean {
  const { fin, syn, rst, ack, psh, ece, cwr, urg } = TCP_FLAG
  const meaningful = flags & ~(ece | cwr | psh)
  if (flags & rst) return false
  if (flags & syn) return meaningful === syn || meaningful === (syn | urg)
  return (meaningful & ack) !== 0 && (flags & fin) === 0
}

/** The last hook of input and postrouting: the entry becomes visible to others (nf_conntrack_confirm). */
export function confirm(branch: Branch): Branch {
  const { connection } = branch.flight
  if (!connection || connection.confirmed || connection.state === 'invalid' || connection.state === 'untracked') return branch
  return { ...branch, flight: { ...branch.flight, connection: { ...connection, confirmed: true } } }
}

/** Writes an existing translation into the packet (nf_nat_packet). `manip` is the end this hook rewrites. */
export function applyTranslation(branch: Branch, connection: Connection, manip: 'src' | 'dst', place: string): Branch {
  const forward = connection.direction === 'original'
  const translated = (manip === 'dst') === forward ? connection.dstNat : connection.srcNat
  if (!translated) return branch
  // What this packet must look like: the other direction's tuple, seen from the other side.
  const wanted = invertTuple(forward ? connection.reply : connection.original)
  const { flight } = branch
  const address = manip === 'dst' ? wanted.dst : wanted.src
  const port = portOf(wanted, manip)
  const packet = rewrite(flight.packet, manip, address, port)
  return withStep(
    { ...branch, flight: { ...flight, packet } },
    {
      hook: place,
      actor: { kind: 'conntrack', ref: 'translation of the connection' },
      effect: manip === 'dst' ? 'dnat' : 'snat',
      before: describePacket(flight.packet),
      after: describePacket(packet),
      evidence: null,
      text: `translated as the connection's first packet was: ${describePacket(packet)}`,
    },
  )
}
