// SPDX-License-Identifier: Apache-2.0

import { ciliumRules, type RuleMatch } from '../../ebpf/cilium/ciliumPolicy.ts'
import { ciliumDatapaths } from '../../ebpf/cilium/nodes.ts'
import type { Datapaths } from '../../ebpf/datapath.ts'
import { allowingOrigin, isolatingMetas } from '../../ebpf/cilium/origin.ts'
import { objectEvidence } from '../../ebpf/planned.ts'
import type { ClusterFacts } from '../../facts/cluster.ts'
import { type ObjectMeta, objectKey } from '../../facts/objects.ts'
import type { ClusterObjects } from '../../facts/objectsIndex.ts'
import { formatAddress, parseAddress } from '../../net/address.ts'
import type { Unknown } from '../../path/answer.ts'
import { isLinkLocal6 } from '../../routing/source.ts'
import { directionOf } from './attributionDatapath.ts'
import type { DecidingPolicy, DropAttribution, Place } from './attributionModel.ts'
import type { Endpoint, Flow, Policy } from '../flow.ts'
import { type FlowPacket, flowLabels, flowNode, flowPod, pastPod } from '../flowPacket.ts'
import { nearRules } from './nearRules.ts'
import { type FlowRuleQuery, isStranger, peerText, portText } from './ruleText.ts'

interface Dropped {
  readonly flow: Flow
  readonly packet: FlowPacket
}

/** A drop that policies decided: a rule that denies it, or none that allows it. */
export function attributeToPolicy(facts: ClusterFacts, dropped: Dropped): DropAttribution {
  const query = questionOf(facts.objects, dropped)
  return dropped.flow.dropReasonDesc === 'POLICY_DENY' ? denied(facts, dropped, query) : isolated(facts, dropped, query)
}

/** What the endpoint's policies were asked. Who the ends are is what Hubble saw then, not what has their addresses now. */
function questionOf(objects: ClusterObjects, { flow, packet }: Dropped): FlowRuleQuery {
  const egress = directionOf(flow) === 'egress'
  const [own, other] = egress ? [flow.source, flow.destination] : [flow.destination, flow.source]
  const [ownAddress, peer] = egress ? [packet.source, packet.destination] : [packet.destination, packet.source]
  const [subjectPod, peerPod] = [
    flowPod(objects, own, ownAddress) ?? pastPod(objects, own, ownAddress),
    flowPod(objects, other, peer) ?? pastPod(objects, other, peer),
  ]
  return {
    direction: egress ? 'egress' : 'ingress',
    subject: own === null ? new Map() : flowLabels(own),
    subjectPod,
    peer,
    peerPod,
    peerIdentity: other?.identity ?? 0,
    peerLabels: isPod(other) ? flowLabels(other) : undefined,
    protocol: packet.protocol,
    port: packet.destinationPort,
    icmpType: packet.icmpType,
    receiver: egress ? peerPod : subjectPod,
    entities: (other?.labels ?? [])
      .filter((label) => label.startsWith('reserved:'))
      .map((label) => label.slice('reserved:'.length)),
  }
}

/** Identities of pods have labels of Kubernetes, all others reserved ones or addresses. */
function isPod(end: Endpoint | null): end is Endpoint {
  return end?.labels.some((label) => label.startsWith('k8s:io.kubernetes.pod.namespace')) ?? false
}

function common({ flow }: Dropped, query: FlowRuleQuery): Pick<DropAttribution, 'reason' | 'direction' | 'endpoint'> {
  return { reason: flow.dropReasonDesc, direction: query.direction, endpoint: endpointText(flow, query) }
}

/** "pod shop/db", or what the flow tells of it. */
function endpointText(flow: Flow, { subjectPod, direction }: FlowRuleQuery): string {
  if (subjectPod !== undefined) return `pod ${objectKey(subjectPod.meta)}`
  const end = direction === 'egress' ? flow.source : flow.destination
  const address = parseAddress((direction === 'egress' ? flow.ip?.source : flow.ip?.destination) ?? '')
  if (address !== undefined && isLinkLocal6(address)) return `a pod of ${flowNode(flow)}, as ${formatAddress(address)}`
  if (end === null) return `an endpoint of ${flowNode(flow)}`
  return end.podName === '' ? `identity ${end.identity} (${end.labels.join(',')})` : `pod ${end.namespace}/${end.podName}`
}

function wayText(query: FlowRuleQuery): string {
  return `${query.direction} ${query.direction === 'egress' ? 'to' : 'from'} ${peerText(query)}, ${portText(query)}`
}

function denied(facts: ClusterFacts, dropped: Dropped, query: FlowRuleQuery): DropAttribution {
  const { flow } = dropped
  const rules = ciliumRules(facts.objects, query).denying
  const named = query.direction === 'egress' ? flow.egressDeniedBy : flow.ingressDeniedBy
  const policies = named.length > 0 ? named.map((policy) => namedPolicy(facts.objects, policy, rules)) : denyingPolicies(rules)
  const who = policies.map(policyText).join(', ')
  const { endpoint, ...rest } = common(dropped, query)
  return {
    ...rest,
    endpoint,
    kind: 'denied',
    text: `${who || 'a rule that denies'} denies ${endpoint} ${wayText(query)}; what denies wins over what allows`,
    policies,
    nearRules: [],
    look: [...policyPlaces(policies), ...mapPlace(facts, dropped, query)],
    remedy: `an end of ${who || 'the rule'} for this peer and port`,
    unknowns: policies.length > 0 ? [] : [unexplained(query, endpoint ?? '', 'denies')],
  }
}

function isolated(facts: ClusterFacts, dropped: Dropped, query: FlowRuleQuery): DropAttribution {
  const { objects } = facts
  const metas = isolatingMetas(objects, query)
  const policies = metas.map((meta) => ({ ...referenceTo(meta, selectorField(meta)), source: 'objects' as const }))
  const near = nearRules(objects, query)
  const { endpoint, ...rest } = common(dropped, query)
  const names = policies.map(policyText).join(', ')
  const isolation = names === '' ? 'nothing in the facts' : names
  const changed = nowAllowed(objects, query)
  const rules = `none of ${policies.length > 1 ? 'their' : 'its'} rules ${changed === '' ? 'allows' : 'allowed'}`
  return {
    ...rest,
    endpoint,
    kind: 'isolated',
    text: `${isolation} ${policies.length > 1 ? 'isolate' : 'isolates'} ${endpoint}, and ${rules} ${wayText(query)}${strangerText(query)}${nearText(near)}${changed}`,
    policies,
    nearRules: near,
    look: [...near.slice(0, 1).map(nearPlace), ...policyPlaces(policies), ...mapPlace(facts, dropped, query)],
    remedy: `an ${query.direction} rule, in a policy that selects ${endpoint}, for ${peerText(query)}, ${portText(query)}${strangerRemedy(query)}`,
    unknowns: policies.length > 0 ? [] : [unexplained(query, endpoint ?? '', 'isolates')],
  }
}

/** What half-migrated clusters run into. */
function strangerText(query: FlowRuleQuery): string {
  const { peerPod } = query
  if (peerPod === undefined || !isStranger(query)) return ''
  return `. That is pod ${objectKey(peerPod.meta)}, but this node's Cilium does not know it as one, so that no label matches it`
}

function strangerRemedy(query: FlowRuleQuery): string {
  const { peerPod } = query
  if (peerPod === undefined || !isStranger(query)) return ''
  return ` (a CIDR; labels match once node ${peerPod.nodeName ?? ''} runs Cilium too)`
}

function nearText([closest]: DropAttribution['nearRules']): string {
  const [miss] = closest?.mismatches ?? []
  if (closest === undefined || miss === undefined) return ''
  return `. Closest is ${closest.kind} ${objectKey(closest)}, ${miss.field}: it ${miss.text}`
}

/** The objects are of another moment than the flow. */
function nowAllowed(objects: ClusterObjects, query: FlowRuleQuery): string {
  const { certain } = allowingOrigin(objects, query)
  const [first] = certain
  if (first === undefined) return ''
  return `. As the objects are now, ${first} allows it: they changed after the flow, or the node had not applied them yet`
}

function unexplained({ direction, subject }: FlowRuleQuery, endpoint: string, does: string): Unknown {
  const isKnown = [...subject.keys()].some((key) => !key.startsWith('world'))
  return {
    what: `which policy ${does} ${endpoint} (${direction})`,
    missing: isKnown
      ? 'the policy objects of that moment: none of those in the facts does'
      : 'which pod it is: its identity has no labels, and Hubble names none',
    evidence: null,
  }
}

function namedPolicy(objects: ClusterObjects, { kind, namespace, name }: Policy, rules: readonly RuleMatch[]): DecidingPolicy {
  const rule = rules.find(({ meta }) => meta.kind === kind && meta.namespace === namespace && meta.name === name)
  if (rule !== undefined) return { ...referenceTo(rule.meta, rule.field), source: 'hubble' }
  const meta = (objects.others.get(kind) ?? []).find((each) => each.meta.namespace === namespace && each.meta.name === name)?.meta
  if (meta !== undefined) return { ...referenceTo(meta, 'spec'), source: 'hubble' }
  return { kind, namespace, name, field: null, source: 'hubble', evidence: null }
}

/** Without Hubble's word: rules that deny it for certain, or else those that may. */
function denyingPolicies(rules: readonly RuleMatch[]): readonly DecidingPolicy[] {
  const certain = rules.filter(({ match }) => match === 'yes')
  return (certain.length > 0 ? certain : rules).map(({ meta, field }) => ({ ...referenceTo(meta, field), source: 'objects' }))
}

function referenceTo(meta: ObjectMeta, field: string): Omit<DecidingPolicy, 'source'> {
  const { kind, namespace, name } = meta
  return { kind, namespace, name, field, evidence: objectEvidence(meta, field) }
}

function selectorField({ kind }: ObjectMeta): string {
  return kind === 'NetworkPolicy' ? 'spec.podSelector' : 'spec.endpointSelector'
}

function policyText(policy: DecidingPolicy): string {
  const field = policy.field === null || policy.field.endsWith('Selector') ? '' : `, ${policy.field},`
  return `${policy.kind} ${objectKey(policy)}${field}`
}

function policyPlaces(policies: readonly DecidingPolicy[]): readonly Place[] {
  return policies.map(({ kind, namespace, name, field, evidence }) => ({
    text: `${field ?? 'spec'} of ${kind} ${objectKey({ namespace, name })}`,
    evidence,
  }))
}

function nearPlace({ kind, namespace, name, mismatches, field, evidence }: DropAttribution['nearRules'][number]): Place {
  const [miss] = mismatches
  return {
    text: `${miss?.field ?? field} of ${kind} ${objectKey({ namespace, name })}`,
    evidence: miss?.evidence ?? evidence,
  }
}

/** The entry of the node's policy map, or the lack of one, as the node's snapshot has it. */
function mapPlace(facts: ClusterFacts, { flow, packet }: Dropped, { direction }: FlowRuleQuery): readonly Place[] {
  const { source, destination, protocol, destinationPort: port } = packet
  const decision = datapathsOf(facts)?.on(flowNode(flow))?.policy({ direction, source, destination, protocol, port })
  if (decision === undefined || decision.evidence === null) return []
  const since = decision.verdict === 'allow' ? '; as the map is now, it would pass' : ''
  return [{ text: `${decision.text}${since}`, evidence: decision.evidence }]
}

/** Decoded once, however many flows are asked about. */
const known = new WeakMap<ClusterFacts, Datapaths | null>()

function datapathsOf(facts: ClusterFacts): Datapaths | undefined {
  const found = known.get(facts) ?? ciliumDatapaths(facts) ?? null
  known.set(facts, found)
  return found ?? undefined
}
