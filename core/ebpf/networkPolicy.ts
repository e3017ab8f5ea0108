// SPDX-License-Identifier: Apache-2.0

import {
  type NetworkPolicyObject,
  type PodObject,
  type PolicyPeer,
  type PolicyPort,
  type PolicyRule,
  selects,
} from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, formatAddress } from '../net/address.ts'
import { IPPROTO } from '../net/packet.ts'
import { formatPrefix, prefixContains } from '../net/prefix.ts'
import type { Unknown } from '../path/answer.ts'

/** One direction of one packet, for networking.k8s.io/v1 NetworkPolicy. */
export interface NetworkPolicyQuery {
  readonly direction: 'egress' | 'ingress'
  /** The pod whose policies are asked. */
  readonly subject: PodObject
  readonly peer: Address
  /** Undefined: the peer is no pod with an address of its own. */
  readonly peerPod: PodObject | undefined
  /** Pod whose container ports named ports mean: the receiver. */
  readonly receiver: PodObject | undefined
  readonly protocol: number
  readonly port: number | undefined
  /** Whether ipBlock can mean this peer. Undefined: nobody knows which implementation it is. */
  readonly ipBlocks?: boolean
}

export type NetworkPolicyVerdict =
  | { readonly kind: 'not-isolated' }
  | {
      readonly kind: 'allowed'
      readonly policy: NetworkPolicyObject
      readonly field: string
      /** What kind of peer it names; undefined: every peer. */
      readonly peer: PolicyPeer['kind'] | undefined
      readonly unknowns: readonly Unknown[]
    }
  | { readonly kind: 'denied'; readonly isolatedBy: readonly NetworkPolicyObject[] }

/** Policies are additive: any rule of any policy that selects the pod may allow; without one, an isolated pod denies. */
export function evaluateNetworkPolicies(objects: ClusterObjects, query: NetworkPolicyQuery): NetworkPolicyVerdict {
  const isolating = isolatingPolicies(objects, query)
  if (isolating.length === 0) return { kind: 'not-isolated' }
  const allowed = allowingRules(objects, query)
  // One that leaves no doubt is the better reason.
  const best = allowed.find((verdict) => verdict.unknowns.length === 0) ?? allowed[0]
  return best ?? { kind: 'denied', isolatedBy: isolating }
}

/** Policies that select the pod for this direction: without a rule that allows, they deny. */
export function isolatingPolicies(
  objects: ClusterObjects,
  { subject, direction }: Pick<NetworkPolicyQuery, 'subject' | 'direction'>,
): readonly NetworkPolicyObject[] {
  return objects
    .policiesIn(subject.meta.namespace)
    .filter((policy) => (direction === 'ingress' ? policy.isolatesIngress : policy.isolatesEgress))
    .filter((policy) => selects(policy.podSelector, subject.meta.labels))
}

/** The first rule of each policy that allows it. */
export function allowingRules(objects: ClusterObjects, query: NetworkPolicyQuery): readonly Allowed[] {
  return isolatingPolicies(objects, query).flatMap((policy) => allowedBy(objects, policy, query) ?? [])
}

export type Allowed = Extract<NetworkPolicyVerdict, { kind: 'allowed' }>

/** One rule of a policy that isolates the pod, held against a packet. */
export interface AssessedNetworkRule {
  readonly policy: NetworkPolicyObject
  /** "spec.ingress[0]" */
  readonly field: string
  /** Empty: every peer. Fields are below the rule: "from[0]". */
  readonly peers: readonly { readonly field: string; readonly peer: PolicyPeer; readonly matches: boolean }[]
  /** Empty: every port. */
  readonly ports: readonly { readonly field: string; readonly port: PolicyPort; readonly matches: boolean }[]
}

/** Every rule of every policy that isolates the pod. */
export function assessNetworkRules(objects: ClusterObjects, query: NetworkPolicyQuery): readonly AssessedNetworkRule[] {
  return isolatingPolicies(objects, query).flatMap((policy) => assessed(objects, policy, query))
}

function assessed(
  objects: ClusterObjects,
  policy: NetworkPolicyObject,
  query: NetworkPolicyQuery,
): readonly AssessedNetworkRule[] {
  const rules: readonly PolicyRule[] = query.direction === 'ingress' ? policy.ingress : policy.egress
  const list = query.direction === 'ingress' ? 'from' : 'to'
  return rules.map((rule, index) => ({
    policy,
    field: `spec.${query.direction}[${index}]`,
    peers: rule.peers.map((peer, at) => ({ field: `${list}[${at}]`, peer, matches: peerMatches(objects, policy, peer, query) })),
    ports: rule.ports.map((port, at) => ({ field: `ports[${at}]`, port, matches: portMatches(port, query) })),
  }))
}

function allowedBy(objects: ClusterObjects, policy: NetworkPolicyObject, query: NetworkPolicyQuery): Allowed | undefined {
  for (const { field, peers, ports } of assessed(objects, policy, query)) {
    if (ports.length > 0 && !ports.some(({ matches }) => matches)) continue
    if (peers.length === 0) return { kind: 'allowed', policy, field, peer: undefined, unknowns: [] }
    const found = peers.find(({ matches }) => matches)
    if (found === undefined) continue
    const { peer } = found
    return { kind: 'allowed', policy, field: `${field}.${found.field}`, peer: peer.kind, unknowns: doubts(peer, query) }
  }
  return undefined
}

function peerMatches(objects: ClusterObjects, policy: NetworkPolicyObject, peer: PolicyPeer, query: NetworkPolicyQuery): boolean {
  if (peer.kind === 'invalid') return false
  if (peer.kind === 'ipBlock') {
    if (query.ipBlocks === false) return false
    return prefixContains(peer.cidr, query.peer) && !peer.except.some((except) => prefixContains(except, query.peer))
  }
  const { peerPod } = query
  if (peerPod === undefined || peerPod.hostNetwork) return false
  if (peer.pods !== undefined && !selects(peer.pods, peerPod.meta.labels)) return false
  if (peer.namespaces === undefined) return peerPod.meta.namespace === policy.meta.namespace
  const labels = objects.namespaces.get(peerPod.meta.namespace)?.meta.labels ?? new Map<string, string>()
  // The API server gives every namespace its name as a label; manifests on disk may lack it.
  return selects(peer.namespaces, new Map([['kubernetes.io/metadata.name', peerPod.meta.namespace], ...labels]))
}

/** The API leaves open whether an ipBlock means pods, and implementations differ. */
function doubts(peer: PolicyPeer, query: NetworkPolicyQuery): readonly Unknown[] {
  if (peer.kind !== 'ipBlock' || query.peerPod === undefined || query.ipBlocks === true) return []
  const { namespace, name } = query.peerPod.meta
  return [
    {
      what: `whether ipBlock ${formatPrefix(peer.cidr)} stands for pod ${namespace}/${name} (${formatAddress(query.peer)})`,
      missing: 'the implementation: Cilium applies ipBlock only to addresses outside the cluster, others to every address',
      evidence: null,
    },
  ]
}

const NUMBERS = { TCP: IPPROTO.tcp, UDP: IPPROTO.udp, SCTP: IPPROTO.sctp } as const

function portMatches(wanted: PolicyPort, query: NetworkPolicyQuery): boolean {
  if (NUMBERS[wanted.protocol] !== query.protocol) return false
  if (wanted.port === undefined) return true
  if (query.port === undefined) return false
  if (typeof wanted.port === 'number') return query.port >= wanted.port && query.port <= (wanted.endPort ?? wanted.port)
  return (
    query.receiver?.ports.some(
      (port) => port.name === wanted.port && port.protocol === wanted.protocol && port.containerPort === query.port,
    ) ?? false
  )
}
