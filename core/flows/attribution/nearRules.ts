// SPDX-License-Identifier: Apache-2.0

import { type AssessedRule, ciliumRules, matchOf, type Term } from '../../ebpf/cilium/ciliumPolicy.ts'
import { networkPolicyQuery } from '../../ebpf/cilium/origin.ts'
import { type AssessedNetworkRule, assessNetworkRules } from '../../ebpf/networkPolicy.ts'
import { objectEvidence } from '../../ebpf/planned.ts'
import type { ObjectMeta } from '../../facts/objects.ts'
import type { ClusterObjects } from '../../facts/objectsIndex.ts'
import type { Mismatch, NearRule } from './attributionModel.ts'
import { askedByPeer, askedByTerm, askedPort, type FlowRuleQuery, peerText, portAsked, portText } from './ruleText.ts'

/** What the flow has: "pod shop/client-n1 (app=client)" and "5432/TCP". */
interface FlowWords {
  readonly peer: string
  readonly port: string
}

/**
 * Rules of the policies that isolate an endpoint, none of which allows the flow: for each what keeps it from that. The fewer
 * mismatches, the earlier; those of the port alone before those of the peer.
 */
export function nearRules(objects: ClusterObjects, query: FlowRuleQuery): readonly NearRule[] {
  const words = { peer: peerText(query), port: portText(query) }
  const asked = networkPolicyQuery(query)
  const plain = asked === undefined ? [] : assessNetworkRules(objects, asked).map((rule) => networkNear(rule, words))
  const cilium = ciliumRules(objects, query).assessed.map((rule) => ciliumNear(rule, words))
  return [...plain, ...cilium].filter(({ mismatches }) => mismatches.length > 0).sort((a, b) => distance(a) - distance(b))
}

/** Alternatives of the same thing are one thing that does not fit. */
function distance({ mismatches }: NearRule): number {
  const what = new Set(mismatches.map((mismatch) => mismatch.what))
  return (what.has('peer') ? 2 : 0) + (what.has('port') ? 1 : 0)
}

function networkNear({ policy, field, peers, ports }: AssessedNetworkRule, words: FlowWords): NearRule {
  const { meta } = policy
  const peerMisses = peers.some(({ matches }) => matches)
    ? []
    : peers.map(({ field: below, peer }) => miss(meta, 'peer', `${field}.${below}`, askedByPeer(peer), words.peer))
  const portMisses = ports.some(({ matches }) => matches)
    ? []
    : ports.map(({ field: below, port }) => miss(meta, 'port', `${field}.${below}`, portAsked(port), words.port))
  return near(meta, field, [...peerMisses, ...portMisses])
}

function ciliumNear({ meta, field, peers, ports }: AssessedRule, words: FlowWords): NearRule {
  const missed = (terms: readonly Term[]) => (matchOf(terms) === 'no' ? terms : [])
  return near(meta, field, [
    ...missed(peers).map((term) => miss(meta, 'peer', `${field}.${term.field}`, askedByTerm(term), words.peer)),
    ...missed(ports).map((term) => miss(meta, 'port', `${field}.${term.field}`, askedPort(term), words.port)),
  ])
}

function near(meta: ObjectMeta, field: string, mismatches: readonly Mismatch[]): NearRule {
  const { kind, namespace, name } = meta
  return { kind, namespace, name, field, mismatches, evidence: objectEvidence(meta, field) }
}

function miss(meta: ObjectMeta, what: Mismatch['what'], field: string, asks: string, has: string): Mismatch {
  return { what, field, text: `asks for ${asks}; the flow has ${has}`, evidence: objectEvidence(meta, field) }
}
