// SPDX-License-Identifier: Apache-2.0

import { type Address, formatEndpoint, parseAddress } from '../../net/address.ts'

/** A key of Cilium's connection tracking or NAT maps, as it lies in memory. */
export interface RawTuple {
  readonly daddr: string
  readonly saddr: string
  readonly dport: number
  readonly sport: number
  /** TUPLE_F_*, bpf/lib/common.h. */
  readonly flags: number
}

export interface UncrossedTuple {
  readonly from: string
  readonly to: string
  /** As cilium-dbg says it. */
  readonly direction: 'OUT' | 'IN' | 'SVC'
  readonly related: boolean
}

const FLAG = { in: 1, related: 2, service: 4 } as const

/**
 * Who talks to whom. Entries of connection tracking have their addresses crossed against their ports, and service entries their
 * ports against their addresses (cilium#5848; pkg/maps/ctmap CtKey4Global.Dump with `reverse`). NAT's keys lie straight.
 */
export function uncross(tuple: RawTuple, kind: 'ct' | 'nat'): UncrossedTuple {
  const { daddr, saddr, dport, sport, flags } = tuple
  const related = (flags & FLAG.related) !== 0
  if (kind === 'nat') {
    return { from: at(saddr, sport), to: at(daddr, dport), direction: (flags & FLAG.in) !== 0 ? 'IN' : 'OUT', related }
  }
  if ((flags & FLAG.service) !== 0) return { from: at(saddr, dport), to: at(daddr, sport), direction: 'SVC', related }
  return { from: at(daddr, sport), to: at(saddr, dport), direction: (flags & FLAG.in) !== 0 ? 'IN' : 'OUT', related }
}

function at(address: string, port: number): string {
  const parsed: Address | undefined = parseAddress(address)
  return parsed === undefined ? `${address}:${port}` : formatEndpoint(parsed, port)
}

/** Where the translated address of an entry points: what the packet's source, or for answers its destination, becomes. */
export function translated(direction: UncrossedTuple['direction'], address: string, port: number): string {
  return `${direction === 'IN' ? 'destination' : 'source'} becomes ${at(address, port)}`
}
