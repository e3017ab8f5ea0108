// SPDX-License-Identifier: Apache-2.0

import type { Evidence, Step, Unknown } from '../path/answer.ts'
import type { Address, Family } from '../net/address.ts'
import type { Flight, Tuple } from '../net/packet.ts'

/**
 * The seam between rule evaluation and path finding: `path/` moves a packet through devices, routes and namespaces, and asks
 * `netfilter/` what happens at each hook.
 */

export type HookName = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'egress'

/** Which protocol family's hooks: IP stack, bridge, or one device (nft netdev). ip and inet chains both run at "ip". */
export type HookLayer = 'ip' | 'bridge' | 'netdev'

export type HookVerdict = 'accept' | 'drop' | 'reject' | 'queue' | 'stolen'

/** A step as rules make it; `path/` adds node and namespace. */
export type HookStep = Omit<Step, 'node' | 'netns'>

export interface HookBranch {
  /** Of this branch among its siblings; null when an undecided match was crossed. */
  readonly probability: number | null
  readonly verdict: HookVerdict
  /** For rejects: "icmp-port-unreachable", "tcp-reset", …; for queues: the number. */
  readonly detail: string | undefined
  readonly flight: Flight
  readonly steps: readonly HookStep[]
  readonly unknowns: readonly Unknown[]
  /** Every rule that was looked at and could have mattered: the packet's address, for the list of rules eBPF would bypass. */
  readonly visited: readonly VisitedRule[]
  /** Local delivery was forced (TPROXY, socket assignment). */
  readonly tproxy: { readonly address: Address; readonly port: number } | undefined
}

/** A rule whose matches held for this packet. */
export interface VisitedRule {
  readonly hook: string
  readonly text: string
  readonly owner: string
  readonly evidence: Evidence
}

/** What rules ask the rest of the node about. Implemented from a snapshot by `path/`, and from `--local` for loose files. */
export interface HookEnvironment {
  /** Address type as the kernel's FIB gives it (net/ipv4/fib_frontend.c inet_addr_type); undefined: can't be told. */
  addressType(address: Address, device?: string): AddressType | undefined
  /** Route back to the packet's source, for rpfilter and `fib saddr . iif oif`. Undefined: can't be told. */
  routeTo(address: Address, options: { mark: number; iif?: string; oif?: string }): { oif: string; type: AddressType } | undefined
  /** Address MASQUERADE takes when leaving by this device towards this destination (inet_select_addr). */
  masqueradeAddress(oif: string | undefined, destination: Address, family: Family): Address | undefined
  /** First address of a device, for REDIRECT on prerouting. */
  deviceAddress(device: string | undefined, family: Family): Address | undefined
  /** Whether a socket would take it, for `socket` matches; undefined: can't be told. */
  hasSocket(flight: Flight): boolean | undefined
  /** Range ephemeral source ports come from, inclusive. */
  readonly localPortRange: readonly [number, number]
  /** Existing entry for a tuple in a zone, either direction. */
  connection(tuple: Tuple, zone: number): ExistingConnection | undefined
}

export interface ExistingConnection {
  readonly direction: 'original' | 'reply'
  readonly original: Tuple
  readonly reply: Tuple
  readonly status: number
  readonly mark: number
  /** Connection tracking's TCP state, as `conntrack -L` names it. */
  readonly tcpState?: string
  readonly evidence: Evidence
}

export type AddressType =
  | 'unspec'
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
