// SPDX-License-Identifier: Apache-2.0

import type { Protocol } from '../facts/objects.ts'
import type { Address } from '../net/address.ts'
import type { Evidence, LaneSource, Unknown } from '../path/answer.ts'

/**
 * The eBPF datapath of a cluster, whoever fills it: Cilium's maps, Plumbline's own, or the plan compiled from API objects.
 * Path finding asks these questions and never which one it is.
 */
export interface Datapath {
  readonly source: Exclude<LaneSource, 'rules'>
  /**
   * What happens to a connection to this address and port: at connect for sockets of the node ("socket"), or packet by packet
   * on the way in ("packet"). Undefined: no frontend, the packet goes on as it is.
   */
  balance(query: BalanceQuery): Balanced | undefined
  /** Whose address it is. */
  locate(address: Address): Located
  /** May this packet pass the policies of its sender (egress) or receiver (ingress)? */
  policy(query: PolicyQuery): PolicyDecision
  /** Source address a packet gets on its way out of a node. Undefined: it keeps its own. */
  masquerade(query: MasqueradeQuery): Masquerade | undefined
  /** How packets get from one node to another. */
  readonly transport: Transport
  /** Whether pod traffic bypasses the host's IP stack and with it the host's rules (BPF host routing). */
  readonly hostRouting: boolean
}

export interface BalanceQuery {
  readonly where: 'socket' | 'packet'
  readonly node: string
  readonly inCluster: boolean
  readonly client: Address | undefined
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
}

export interface Balanced {
  /** "svc shop/db:5432/TCP (ClusterIP)" */
  readonly name: string
  readonly evidence: Evidence
  /** Every one as likely as its probability says; empty when the connection fails here. */
  readonly backends: readonly BackendTarget[]
  /** Why these. */
  readonly reason: string
  /** Without backends. */
  readonly failure: 'reject' | 'drop' | undefined
  /** Packets to a backend of another node get the node's address as source, so that answers come back here. */
  readonly snatRemote: boolean
}

export interface BackendTarget {
  readonly address: Address
  readonly port: number
  readonly probability: number
  readonly evidence: Evidence | null
  readonly text: string
}

export type Located = {
  /** As its datapath names it: "pod shop/web", "reserved:world". */
  readonly identity: string
} & (
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string; readonly node: string | undefined }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'world' }
)

export interface PolicyQuery {
  readonly direction: 'egress' | 'ingress'
  readonly source: Address
  readonly destination: Address
  /** IP protocol number. */
  readonly protocol: number
  readonly port: number | undefined
}

export interface PolicyDecision {
  readonly verdict: 'allow' | 'deny'
  /** The policy and rule field that decided; null when nothing isolates the endpoint. */
  readonly actor: string | null
  readonly evidence: Evidence | null
  readonly text: string
  /** What would let it through. */
  readonly remedy: string | undefined
  readonly unknowns: readonly Unknown[]
}

export interface MasqueradeQuery {
  readonly node: string
  readonly source: Address
  readonly destination: Address
}

export interface Masquerade {
  readonly address: Address
  readonly evidence: Evidence | null
  readonly text: string
}

export type Transport = { readonly kind: 'native' } | { readonly kind: 'tunnel'; readonly protocol: 'vxlan' | 'geneve' }
