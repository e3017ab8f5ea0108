// SPDX-License-Identifier: Apache-2.0

import type { Protocol } from '../facts/objects.ts'
import type { Address } from '../net/address.ts'
import type { Evidence, LaneSource, Unknown } from '../path/answer.ts'

/** The eBPF datapaths of a cluster's nodes. */
export interface Datapaths {
  readonly source: Exclude<LaneSource, 'rules'>
  /** Undefined: the node has none, and its packets meet its rules in this lane too. */
  on(node: string): Datapath | undefined
}

/** The same datapath on every node. */
export function everywhere(source: Datapaths['source'], datapath: Datapath): Datapaths {
  return { source, on: () => datapath }
}

/**
 * The eBPF datapath of a node, whoever fills it: Cilium's maps, Plumbline's own, or the plan compiled from API objects.
 * Path finding asks these questions and never which one it is.
 */
export interface Datapath {
  /** What a reader has to know before anything else, for example that its agent is down. */
  readonly note: string | undefined
  /** Facts about the datapath itself that are missing. */
  readonly unknowns: readonly Unknown[]
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
  /** Whether packets of a known connection are judged by the policies again; its answers never are. */
  readonly judgesKnown: boolean
  /** Whether pod traffic bypasses the host's IP stack and with it the host's rules (BPF host routing). */
  readonly hostRouting: boolean
}

export interface BalanceQuery {
  readonly where: 'socket' | 'packet'
  readonly node: string
  readonly inCluster: boolean
  /** The sender is a process of the node, or of a pod in its network. */
  readonly inHostNetns: boolean
  readonly client: Address | undefined
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
}

export interface Balanced {
  /** "svc shop/db:5432/TCP (ClusterIP)" */
  readonly name: string
  readonly evidence: Evidence
  /** Where it is done. */
  readonly at: 'socket' | 'packet'
  /** Every one as likely as its probability says; empty when the connection fails here. */
  readonly backends: readonly BackendTarget[]
  /** Why these. */
  readonly reason: string
  /** Without backends. */
  readonly failure: 'reject' | 'drop' | 'unknown' | undefined
  readonly unknowns: readonly Unknown[]
  /** Packets to a backend of another node get the node's address as source, so that answers come back here. */
  readonly snatRemote: boolean
}

export interface BackendTarget {
  readonly address: Address
  readonly port: number
  /** Null: nobody can tell. */
  readonly probability: number | null
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
  readonly verdict: 'allow' | 'deny' | 'unknown'
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
  readonly unknowns: readonly Unknown[]
}

export type Transport = { readonly kind: 'native' } | { readonly kind: 'tunnel'; readonly protocol: 'vxlan' | 'geneve' }
