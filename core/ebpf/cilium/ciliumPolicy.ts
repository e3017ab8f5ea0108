// SPDX-License-Identifier: Apache-2.0

import type { LabelSelector, ObjectMeta, PodObject } from '../../facts/objects.ts'
import { selects } from '../../facts/objects.ts'
import type { ClusterObjects } from '../../facts/objectsIndex.ts'
import { parseSelector } from '../../facts/objectsParse.ts'
import type { Shape } from '../../facts/objectsShape.ts'
import type { Address } from '../../net/address.ts'
import { parsePrefix, prefixContains } from '../../net/prefix.ts'
import { IDENTITY, isCidr, isRemoteNode, isWorld } from './identity.ts'

/**
 * Which rules of CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy objects speak of a packet (cilium.io/v2, pkg/policy/api).
 * Only for naming the origin of a map's entry: what happens is decided by the map.
 */

export interface RuleQuery {
  readonly direction: 'egress' | 'ingress'
  /** Labels of the endpoint whose policy it is, as its identity has them. */
  readonly subject: ReadonlyMap<string, string>
  readonly peer: Address
  readonly peerIdentity: number
  /** Undefined: the peer is no pod. */
  readonly peerLabels: ReadonlyMap<string, string> | undefined
  readonly protocol: number
  readonly port: number | undefined
  /** Type of an ICMP message. Undefined: an echo request. */
  readonly icmpType?: number | undefined
  /** Pod whose container ports named ports mean: the receiver. Undefined: no pod, or nobody knows which. */
  readonly receiver?: PodObject | undefined
}

/** "maybe": the rule has something that objects alone don't tell (names, groups, other services). */
export type Match = 'yes' | 'no' | 'maybe'

/** One rule of a policy that selects the endpoint, held against a packet. */
export interface AssessedRule {
  readonly meta: ObjectMeta
  /** "spec.ingress[0]" */
  readonly field: string
  /** Empty: every peer. */
  readonly peers: readonly Term[]
  /** Empty: every port. */
  readonly ports: readonly Term[]
}

export interface Term {
  /** Below the rule: "fromEndpoints[0]". */
  readonly field: string
  /** "fromEndpoints", "fromEntities", "toPorts", … */
  readonly kind: string
  readonly value: Shape
  readonly match: Match
}

export interface RuleMatch {
  readonly meta: ObjectMeta
  readonly field: string
  readonly match: Exclude<Match, 'no'>
}

export interface CiliumRules {
  /** Policies that leave the endpoint nothing but what is allowed. */
  readonly isolating: readonly ObjectMeta[]
  readonly allowing: readonly RuleMatch[]
  readonly denying: readonly RuleMatch[]
  /** Every rule that could allow something in this direction. */
  readonly assessed: readonly AssessedRule[]
}

const NAMESPACE = 'io.kubernetes.pod.namespace'
const KINDS = ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'] as const

export function ciliumRules(objects: ClusterObjects, query: RuleQuery): CiliumRules {
  const isolating: ObjectMeta[] = []
  const allowing: RuleMatch[] = []
  const denying: RuleMatch[] = []
  const assessed: AssessedRule[] = []
  for (const { meta, spec, path, subjects } of specsOf(objects)) {
    if (subjects === undefined || !matchesSelector(subjects, meta, query.subject)) continue
    const denied = spec.field(`${query.direction}Deny`)
    const allowed = spec.field(query.direction)
    const byDefault = spec.at('enableDefaultDeny', query.direction).flag() ?? true
    if (byDefault && (allowed.present || denied.present)) isolating.push(meta)
    const rules = assess(allowed, `${path}.${query.direction}`, meta, query)
    assessed.push(...rules)
    allowing.push(...rules.flatMap(matching))
    denying.push(...assess(denied, `${path}.${query.direction}Deny`, meta, query).flatMap(matching))
  }
  return { isolating, allowing, denying, assessed }
}

interface Spec {
  readonly meta: ObjectMeta
  readonly spec: Shape
  /** "spec", "specs[1]" */
  readonly path: string
  /** Undefined: a policy of nodes. */
  readonly subjects: LabelSelector | undefined
}

/** Read once, however many questions there are. */
const known = new WeakMap<ClusterObjects, readonly Spec[]>()

function specsOf(objects: ClusterObjects): readonly Spec[] {
  const specs = known.get(objects) ?? KINDS.flatMap((kind) => objects.others.get(kind) ?? []).flatMap(readSpecs)
  known.set(objects, specs)
  return specs
}

function readSpecs({ meta, object }: { readonly meta: ObjectMeta; readonly object: Shape }): readonly Spec[] {
  const one = object.field('spec')
  const many = object.field('specs').items()
  const specs = [...(one.present ? [{ spec: one, path: 'spec' }] : []), ...many.map((spec, i) => ({ spec, path: `specs[${i}]` }))]
  return specs.map(({ spec, path }) => {
    const selector = spec.field('endpointSelector')
    return { meta, spec, path, subjects: selector.present ? withoutSources(parseSelector(selector)) : undefined }
  })
}

function selectsLabels(shape: Shape, meta: ObjectMeta, labels: ReadonlyMap<string, string>): boolean {
  return matchesSelector(withoutSources(parseSelector(shape)), meta, labels)
}

/** A policy of a namespace means endpoints of that namespace, unless it says otherwise. */
function matchesSelector(selector: LabelSelector, meta: ObjectMeta, labels: ReadonlyMap<string, string>): boolean {
  const namesNamespace =
    selector.matchLabels.has(NAMESPACE) ||
    selector.matchExpressions.some(({ key }) => key.startsWith('io.kubernetes.pod.namespace'))
  if (meta.namespace !== '' && !namesNamespace && labels.get(NAMESPACE) !== meta.namespace) return false
  return selects(selector, labels)
}

/** "k8s:app" and "any:app" mean the label "app". */
function withoutSources(selector: LabelSelector): LabelSelector {
  const plain = (key: string) => key.replace(/^(k8s|any)[:.]/, '')
  return {
    ...selector,
    matchLabels: new Map([...selector.matchLabels].map(([key, value]) => [plain(key), value])),
    matchExpressions: selector.matchExpressions.map((entry) => ({ ...entry, key: plain(entry.key) })),
  }
}

function assess(rules: Shape, path: string, meta: ObjectMeta, query: RuleQuery): readonly AssessedRule[] {
  return rules.items().map((rule, index) => ({
    meta,
    field: `${path}[${index}]`,
    peers: peerTerms(rule, meta, query),
    ports: portTerms(rule, query),
  }))
}

function matching({ meta, field, peers, ports }: AssessedRule): readonly RuleMatch[] {
  const match = both(matchOf(peers), matchOf(ports))
  return match === 'no' ? [] : [{ meta, field, match }]
}

/** Of alternatives, of which none at all means no condition. */
export function matchOf(terms: readonly Term[]): Match {
  return terms.length === 0 ? 'yes' : any(terms.map(({ match }) => match))
}

function both(a: Match, b: Match): Match {
  if (a === 'no' || b === 'no') return 'no'
  return a === 'yes' && b === 'yes' ? 'yes' : 'maybe'
}

function any(matches: readonly Match[]): Match {
  return matches.includes('yes') ? 'yes' : matches.includes('maybe') ? 'maybe' : 'no'
}

function peerTerms(rule: Shape, meta: ObjectMeta, query: RuleQuery): readonly Term[] {
  const side = query.direction === 'ingress' ? 'from' : 'to'
  const known: Readonly<Record<string, (value: Shape) => Match>> = {
    [`${side}Endpoints`]: (value) => yes(query.peerLabels !== undefined && selectsLabels(value, meta, query.peerLabels)),
    [`${side}Entities`]: (value) => matchesEntity(value.text() ?? '', query.peerIdentity),
    [`${side}CIDR`]: (value) => matchesCidr(value, undefined, query),
    [`${side}CIDRSet`]: (value) => matchesCidr(value.field('cidr'), value, query),
  }
  const kinds = Object.keys(rule.record() ?? {}).filter((name) => name.startsWith(side) && name !== 'toPorts')
  return kinds.flatMap((kind) => {
    const test = known[kind]
    const list = rule.field(kind)
    if (test === undefined) return [{ kind, field: kind, value: list, match: 'maybe' as const }]
    const terms = list.items().map((value, at) => ({ kind, field: `${kind}[${at}]`, value, match: test(value) }))
    // An empty list of peers means nobody.
    return terms.length === 0 ? [{ kind, field: kind, value: list, match: 'no' as const }] : terms
  })
}

function matchesEntity(entity: string, identity: number): Match {
  switch (entity) {
    case 'all':
      return 'yes'
    case 'world':
      return yes(isWorld(identity))
    case 'cluster':
      return yes(!isWorld(identity))
    case 'host':
      return yes(identity === IDENTITY.host)
    case 'remote-node':
      return yes(isRemoteNode(identity))
    case 'kube-apiserver':
      // Addresses of API servers outside the cluster have an identity of the agent's own.
      return identity === IDENTITY.kubeApiserver ? 'yes' : isCidr(identity) ? 'maybe' : 'no'
    case 'unmanaged':
      return yes(identity === IDENTITY.unmanaged)
    default:
      return 'maybe'
  }
}

/** CIDRs mean addresses outside of the cluster. */
function matchesCidr(cidr: Shape, set: Shape | undefined, { peer, peerIdentity }: RuleQuery): Match {
  if (!isWorld(peerIdentity)) return 'no'
  const text = cidr.text()
  if (text === undefined) return 'maybe'
  const contains = (value: string) => {
    const prefix = parsePrefix(value)
    return prefix !== undefined && prefixContains(prefix, peer)
  }
  return yes(contains(text) && !(set?.field('except').texts() ?? []).some(contains))
}

const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 }

function portTerms(rule: Shape, query: RuleQuery): readonly Term[] {
  const listed = rule.field('toPorts').items()
  const ports = listed.flatMap((entry, at) => {
    const kind = 'toPorts'
    const field = `${kind}[${at}]`
    const each = entry.field('ports').items()
    if (each.length === 0) return [{ kind, field, value: entry, match: 'yes' as const }]
    return each.map((value, i) => ({ kind, field: `${field}.ports[${i}]`, value, match: matchesOnePort(value, query) }))
  })
  const icmps = rule.field('icmps').items()
  const types = icmps.flatMap((entry, at) =>
    entry
      .field('fields')
      .items()
      .map((value, i) => ({ kind: 'icmps', field: `icmps[${at}].fields[${i}]`, value, match: matchesIcmp(value, query) })),
  )
  return [...ports, ...types]
}

/** IP protocol, and the type of an echo request, by family. */
const ICMP = { IPv4: { protocol: 1, echo: 8 }, IPv6: { protocol: 58, echo: 128 } } as const

function matchesIcmp(field: Shape, { protocol, icmpType }: RuleQuery): Match {
  const family = ICMP[field.field('family').value === 'IPv6' ? 'IPv6' : 'IPv4']
  if (protocol !== family.protocol) return 'no'
  const { value } = field.field('type')
  const asked = icmpType ?? family.echo
  if (value === 'EchoRequest') return yes(asked === family.echo)
  return /^\d+$/.test(String(value)) ? yes(asked === Number(value)) : 'maybe'
}

function matchesOnePort(shape: Shape, { protocol, port, receiver }: RuleQuery): Match {
  const name = shape.field('protocol').text() ?? 'ANY'
  if (name !== 'ANY' && PROTOCOLS[name.toUpperCase()] !== protocol) return 'no'
  if (name === 'ANY' && !Object.values(PROTOCOLS).includes(protocol)) return 'no'
  const text = shape.field('port').text() ?? ''
  if (!/^\d+$/.test(text)) return matchesNamedPort(text, protocol, port, receiver)
  const lowest = Number(text)
  if (lowest === 0) return 'yes'
  const highest = Math.max(lowest, shape.field('endPort').integer(0, 65_535) ?? 0)
  return yes(port !== undefined && port >= lowest && port <= highest)
}

function matchesNamedPort(name: string, protocol: number, port: number | undefined, receiver: PodObject | undefined): Match {
  if (receiver === undefined) return 'maybe'
  const named = receiver.ports.filter((each) => each.name === name && PROTOCOLS[each.protocol] === protocol)
  return yes(named.some(({ containerPort }) => containerPort === port))
}

function yes(holds: boolean): Match {
  return holds ? 'yes' : 'no'
}
