// SPDX-License-Identifier: Apache-2.0

import type { Address, Family } from './address.ts'

/** IP protocol numbers that Plumbline names (IANA). Any other number is allowed. */
export const IPPROTO = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
} as const

/** TCP flag bits, as in the header's 13th byte. */
export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const

/**
 * One packet. Whatever a question leaves open is `undefined`: a rule that asks about it can't be decided and gives both
 * branches, instead of a guess.
 */
export interface Packet {
  readonly family: Family
  /** IP protocol number. */
  readonly protocol: number
  readonly src: Address
  readonly dst: Address
  /** Undefined: an ephemeral port, somewhere in the source's `ip_local_port_range`. */
  readonly sport: number | undefined
  readonly dport: number | undefined
  readonly icmp: { readonly type: number; readonly code: number; readonly id: number | undefined } | undefined
  readonly tcpFlags: number | undefined
  /** Whole IP packet, bytes. */
  readonly length: number | undefined
  readonly ttl: number | undefined
  readonly dscp: number | undefined
  readonly srcMac: string | undefined
  readonly dstMac: string | undefined
}

/** What a connection tracking entry is keyed by. `sport`/`dport` are ICMP id and type/code where there are no ports. */
export interface Tuple {
  readonly protocol: number
  readonly src: Address
  readonly dst: Address
  readonly sport: number | undefined
  readonly dport: number | undefined
}

export type CtState = 'new' | 'established' | 'related' | 'invalid' | 'untracked'

/**
 * Connection tracking's view of the packet. `untracked` before the conntrack hook has run is told apart from NOTRACK by
 * `tracked`.
 */
export interface Connection {
  readonly state: CtState
  readonly direction: 'original' | 'reply'
  /** As the first packet looked before any translation. */
  readonly original: Tuple
  /** What an answer must look like to belong to it: after all translation so far. */
  readonly reply: Tuple
  readonly mark: number
  readonly zone: number
  /** Set once nat chains have spoken for this manip (IPS_DST_NAT_DONE, IPS_SRC_NAT_DONE), translated or not. */
  readonly dstNatDone: boolean
  readonly srcNatDone: boolean
  /** Really translated (IPS_DST_NAT, IPS_SRC_NAT). */
  readonly dstNat: boolean
  readonly srcNat: boolean
  readonly confirmed: boolean
  readonly assured: boolean
  readonly helper: string | undefined
}

/** A packet on its way: the header, and what the kernel keeps beside it in the sk_buff. */
export interface Flight {
  readonly packet: Packet
  /** skb->mark. */
  readonly mark: number
  /** Device it came in by; undefined for packets made here (before OUTPUT's route) and for loose questions. */
  readonly iif: string | undefined
  /** Device it leaves by; undefined before routing and on INPUT. */
  readonly oif: string | undefined
  /** Bridge ports, while bridge-nf-call-iptables shows a bridged packet to IP hooks. */
  readonly physin: string | undefined
  readonly physout: string | undefined
  /** Undefined until the conntrack hook (priority -200) has seen it. */
  readonly connection: Connection | undefined
  /** NOTRACK was applied before conntrack. */
  readonly notrack: boolean
  /** skb->priority, as set by CLASSIFY or `meta priority set`. */
  readonly priority: number | undefined
  /** Owner of the socket that made it, for OUTPUT's `owner` and `meta skuid`. */
  readonly socket:
    | { readonly uid: number | undefined; readonly gid: number | undefined; readonly cgroup: string | undefined }
    | undefined
}
