// SPDX-License-Identifier: Apache-2.0

import type { Route, RoutingRule } from '../facts/netns.ts'
import type { Address } from '../net/address.ts'

/** What routing made of a packet. Several decisions with probabilities where a route has several nexthops. */
export type RouteDecision = Routed | Unrouted

interface Decided {
  /** Of this decision among its siblings; null when a fact is missing to tell. */
  readonly probability: number | null
  readonly route: Route | undefined
  readonly rule: RoutingRule | undefined
  /** Facts that would decide between the siblings. */
  readonly missing: readonly string[]
}

export interface Routed extends Decided {
  readonly kind: 'routed'
  readonly type: 'unicast' | 'local' | 'broadcast' | 'anycast' | 'multicast'
  /** "lo" for packets that stay here. */
  readonly oif: string
  /** Gateway; undefined when the destination is on the link. */
  readonly via: Address | undefined
  /** Source address: the one the packet has, or the one the kernel selected. */
  readonly src: Address
}

export type RouteFailure =
  | 'no-route'
  | 'unreachable'
  | 'prohibit'
  | 'blackhole'
  | 'invalid-source'
  | 'no-device'
  | 'martian-source'
  | 'martian-destination'
  | 'rp-filter'
  | 'not-forwarding'

export interface Unrouted extends Decided {
  readonly kind: 'unrouted'
  readonly failure: RouteFailure
  /** What the sender is told: an errno name for local senders, an ICMP code name for others; undefined: nothing. */
  readonly answer: string | undefined
  /** The setting that decided, where one did. */
  readonly sysctl: string | undefined
  readonly text: string
}

export const NOTHING_DECIDED: Decided = { probability: 1, route: undefined, rule: undefined, missing: [] }
