// SPDX-License-Identifier: Apache-2.0

import { type ObjectMeta, objectKey, type PodObject } from '../../facts/objects.ts'
import type { ClusterObjects } from '../../facts/objectsIndex.ts'
import { allowingRules, isolatingPolicies, type NetworkPolicyQuery } from '../networkPolicy.ts'
import { ciliumRules, type RuleMatch, type RuleQuery } from './ciliumPolicy.ts'
import { isWorld } from './identity.ts'

/** Which policy objects an entry of a policy map, or the lack of one, comes from. */
export interface Origin {
  /** "CiliumNetworkPolicy shop/edge, spec.ingress[0]", every one that speaks of this packet. */
  readonly certain: readonly string[]
  /** Those that may, as far as the objects tell. */
  readonly possible: readonly string[]
}

export interface OriginQuery extends RuleQuery {
  readonly subjectPod: PodObject | undefined
  readonly peerPod: PodObject | undefined
}

/** Rules that allow it. */
export function allowingOrigin(objects: ClusterObjects, query: OriginQuery): Origin {
  const plain = networkPolicyRules(objects, query)
  const { certain, possible } = split(ciliumRules(objects, query).allowing)
  return { certain: [...plain, ...certain], possible }
}

/** Rules that deny it outright. */
export function denyingOrigin(objects: ClusterObjects, query: OriginQuery): Origin {
  return split(ciliumRules(objects, query).denying)
}

/** Policies that allow other things to this endpoint, and thereby not this. */
export function isolatingOrigin(objects: ClusterObjects, query: OriginQuery): Origin {
  return { certain: isolatingMetas(objects, query).map(nameOf), possible: [] }
}

/** The same as objects, each once. */
export function isolatingMetas(objects: ClusterObjects, query: OriginQuery): readonly ObjectMeta[] {
  const { subjectPod: subject, direction } = query
  const plain = subject === undefined ? [] : isolatingPolicies(objects, { subject, direction })
  const metas = [...plain.map((policy) => policy.meta), ...ciliumRules(objects, query).isolating]
  return [...new Map(metas.map((meta) => [nameOf(meta), meta])).values()]
}

/** How Cilium asks NetworkPolicies. Undefined: the endpoint is no pod that the objects know. */
export function networkPolicyQuery(query: OriginQuery): NetworkPolicyQuery | undefined {
  const { subjectPod: subject, peerPod, direction, peer, peerLabels, protocol, port } = query
  if (subject === undefined) return undefined
  // To Cilium a pod is one only by its identity.
  const known = peerLabels === undefined ? undefined : peerPod
  const receiver = direction === 'ingress' ? subject : known
  // An ipBlock means addresses outside the cluster.
  return { direction, subject, peer, peerPod: known, receiver, protocol, port, ipBlocks: isWorld(query.peerIdentity) }
}

function networkPolicyRules(objects: ClusterObjects, query: OriginQuery): readonly string[] {
  const asked = networkPolicyQuery(query)
  if (asked === undefined) return []
  return allowingRules(objects, asked).map((rule) => `${nameOf(rule.policy.meta)}, ${rule.field}`)
}

function split(rules: readonly RuleMatch[]): Origin {
  const named = (match: RuleMatch['match']) =>
    rules.filter((rule) => rule.match === match).map(({ meta, field }) => `${nameOf(meta)}, ${field}`)
  return { certain: named('yes'), possible: named('maybe') }
}

function nameOf(meta: ObjectMeta): string {
  return `${meta.kind} ${objectKey(meta)}`
}
