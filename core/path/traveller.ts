// SPDX-License-Identifier: Apache-2.0

import type { Netns } from '../facts/netns.ts'
import { formatAddress, formatEndpoint } from '../net/address.ts'
import type { Connection, Flight, Packet } from '../net/packet.ts'
import type { HookBranch, VisitedRule } from '../netfilter/traversal.ts'
import type { Endpoint, Outcome, Step, Unknown, Verdict } from './answer.ts'

/** A packet on one way through the cluster, with everything that has happened to it. */
export interface Traveller {
  readonly flight: Flight
  readonly netns: Netns
  /** Null once an undecided match lies behind it. */
  readonly probability: number | null
  readonly steps: readonly Step[]
  readonly unknowns: readonly Unknown[]
  readonly visited: readonly Visited[]
  /** Namespaces whose connection tracking translated it, in order. */
  readonly translations: readonly Translation[]
  /** How often it went from device to device: the bound that ends loops. */
  readonly hops: number
  /** What a tunnel carries, innermost last. */
  readonly inner: readonly Flight[]
}

export interface Visited {
  readonly netns: Netns
  readonly rule: VisitedRule
}

export interface Translation {
  readonly netns: Netns
  readonly connection: Connection
}

/** The end of a way, and the traveller as it was there. */
export interface Ending {
  readonly verdict: Verdict
  readonly traveller: Traveller
  readonly remedy: string | undefined
}

/** How a traveller goes on from a stage. */
export type Movement =
  /** Handed to a device, after POSTROUTING. */
  | { readonly kind: 'leaving'; readonly traveller: Traveller; readonly oif: string; readonly nexthop: Packet['dst'] }
  /** Come in by a device. */
  | { readonly kind: 'arriving'; readonly traveller: Traveller; readonly iif: string; readonly nexthop: Packet['dst'] }
  | { readonly kind: 'ended'; readonly ending: Ending }

export type Ended = Extract<Movement, { kind: 'ended' }>

export function ended(traveller: Traveller, verdict: Verdict, remedy?: string): Ended {
  return { kind: 'ended', ending: { verdict, traveller, remedy } }
}

export type NewStep = Omit<Step, 'node' | 'netns' | 'before' | 'after' | 'evidence'> &
  Partial<Pick<Step, 'before' | 'after' | 'evidence'>>

/** Adds a step in the namespace the traveller is in. */
export function step(traveller: Traveller, fields: NewStep): Traveller {
  const { netns } = traveller
  const place = { node: netns.node, netns: netns.label }
  return { ...traveller, steps: [...traveller.steps, { ...place, before: null, after: null, evidence: null, ...fields }] }
}

export function unknown(traveller: Traveller, ...unknowns: readonly Unknown[]): Traveller {
  return { ...traveller, unknowns: [...traveller.unknowns, ...unknowns] }
}

/** The branch of a choice. */
export function branched(traveller: Traveller, probability: number | null): Traveller {
  const product = traveller.probability === null || probability === null ? null : traveller.probability * probability
  return { ...traveller, probability: product }
}

export function withPacket(traveller: Traveller, packet: Packet): Traveller {
  return { ...traveller, flight: { ...traveller.flight, packet } }
}

/** The traveller after one branch of a hook. */
export function afterHook(traveller: Traveller, branch: HookBranch): Traveller {
  const { netns } = traveller
  const place = { node: netns.node, netns: netns.label }
  return branched(
    {
      ...traveller,
      flight: branch.flight,
      steps: [...traveller.steps, ...branch.steps.map((entry) => ({ ...place, ...entry }))],
      unknowns: [...traveller.unknowns, ...branch.unknowns],
      visited: [...traveller.visited, ...branch.visited.map((rule) => ({ netns, rule }))],
    },
    branch.probability,
  )
}

/** Leaves a namespace's IP stack: what its connection tracking translated is kept, the entry itself stays behind. */
export function leaveStack(traveller: Traveller): Traveller {
  const { connection } = traveller.flight
  const translated = connection !== undefined && (connection.dstNat || connection.srcNat)
  const translations = translated ? [...traveller.translations, { netns: traveller.netns, connection }] : traveller.translations
  return { ...traveller, translations, flight: { ...traveller.flight, connection: undefined, notrack: false } }
}

export function endpoint(packet: Packet, end: 'source' | 'destination'): Endpoint {
  return end === 'source'
    ? { ip: formatAddress(packet.src), port: packet.sport ?? null }
    : { ip: formatAddress(packet.dst), port: packet.dport ?? null }
}

/** "10.0.0.1:4000 -> 10.96.0.1:80" */
export function packetText(packet: Packet): string {
  return `${formatEndpoint(packet.src, packet.sport)} -> ${formatEndpoint(packet.dst, packet.dport)}`
}

export function outcomeOf({ verdict, traveller, remedy }: Ending, extra: Pick<Outcome, 'masquerade' | 'reply'>): Outcome {
  const { packet } = traveller.flight
  return {
    probability: traveller.probability,
    verdict,
    source: endpoint(packet, 'source'),
    destination: endpoint(packet, 'destination'),
    ...extra,
    steps: traveller.steps,
    unknowns: distinct(traveller.unknowns),
    ...(remedy === undefined ? {} : { remedy }),
  }
}

export function distinct(unknowns: readonly Unknown[]): readonly Unknown[] {
  return [...new Map(unknowns.map((entry) => [JSON.stringify(entry), entry])).values()]
}
