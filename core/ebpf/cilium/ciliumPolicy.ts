// SPDX-License-Identifier: Apache-2.0

import type { LabelSelector, ObjectMeta } from '../../facts/objects.ts'
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
}

/** "maybe": the rule has something that objects alone don't tell (names, groups, other services). */
export type Match = 'yes' | 'no' | 'maybe'

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
}

const NAMESPACE = 'io.kubernetes.pod.namespace'
const KINDS = ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'] as const

export function ciliumRules(objects: ClusterObjects, query: RuleQuery): CiliumRules {
  const isolating: ObjectMeta[] = []
  const allowing: RuleMatch[] = []
  const denying: RuleMatch[] = []
  for (const { meta, object } of KINDS.flatMap((kind) => objects.others.get(kind) ?? [])) {
    for (const { spec, path } of specsOf(object)) {
      if (!selectsSubject(spec, meta, query.subject)) continue
      const denied = spec.field(`${query.direction}Deny`)
      const allowed = spec.field(query.direction)
      const byDefault = spec.at('enableDefaultDeny', query.direction).flag() ?? true
      if (byDefault && (allowed.present || denied.present)) isolating.push(meta)
      allowing.push(...matching(allowed, `${path}.${query.direction}`, meta, query))
      denying.push(...matching(denied, `${path}.${query.direction}Deny`, meta, query))
    }
  }
  return { isolating, allowing, denying }
}

function specsOf(object: Shape): readonly { readonly spec: Shape; readonly path: string }[] {
  const one = object.field('spec')
  const many = object.field('specs').items()
  return [...(one.present ? [{ spec: one, path: 'spec' }] : []), ...many.map((spec, i) => ({ spec, path: `specs[${i}]` }))]
}

function selectsSubject(spec: Shape, meta: ObjectMeta, labels: ReadonlyMap<string, string>): boolean {
  const selector = spec.field('endpointSelector')
  return selector.present && selectsLabels(selector, meta, labels)
}

/** A policy of a namespace means endpoints of that namespace, unless it says otherwise. */
function selectsLabels(shape: Shape, meta: ObjectMeta, labels: ReadonlyMap<string, string>): boolean {
  const selector = withoutSources(parseSelector(shape))
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

function matching(rules: Shape, path: string, meta: ObjectMeta, query: RuleQuery): readonly RuleMatch[] {
  return rules.items().flatMap((rule, index) => {
    const match = both(matchesPeer(rule, meta, query), matchesPort(rule, query))
    return match === 'no' ? [] : [{ meta, field: `${path}[${index}]`, match }]
  })
}

function both(a: Match, b: Match): Match {
  if (a === 'no' || b === 'no') return 'no'
  return a === 'yes' && b === 'yes' ? 'yes' : 'maybe'
}

function any(matches: readonly Match[]): Match {
  return matches.includes('yes') ? 'yes' : matches.includes('maybe') ? 'maybe' : 'no'
}

function matchesPeer(rule: Shape, meta: ObjectMeta, query: RuleQuery): Match {
  const side = query.direction === 'ingress' ? 'from' : 'to'
  const known: Readonly<Record<string, (value: Shape) => Match>> = {
    [`${side}Endpoints`]: (value) => yes(query.peerLabels !== undefined && selectsLabels(value, meta, query.peerLabels)),
    [`${side}Entities`]: (value) => matchesEntity(value.text() ?? '', query.peerIdentity),
    [`${side}CIDR`]: (value) => matchesCidr(value, undefined, query),
    [`${side}CIDRSet`]: (value) => matchesCidr(value.field('cidr'), value, query),
  }
  const peers = Object.keys(rule.record() ?? {}).filter((name) => name.startsWith(side) && name !== 'toPorts')
  if (peers.length === 0) return 'yes'
  return any(
    peers.flatMap((name) => {
      const test = known[name]
      return test === undefined ? ['maybe' as const] : rule.field(name).items().map(test)
    }),
  )
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

function matchesPort(rule: Shape, { protocol, port }: RuleQuery): Match {
  const listed = rule.field('toPorts').items()
  if (rule.field('icmps').present) return protocol === 1 || protocol === 58 ? 'maybe' : 'no'
  if (listed.length === 0) return 'yes'
  return any(
    listed.flatMap((entry) => {
      const ports = entry.field('ports').items()
      return ports.length === 0 ? ['yes' as const] : ports.map((each) => matchesOnePort(each, protocol, port))
    }),
  )
}

function matchesOnePort(shape: Shape, protocol: number, port: number | undefined): Match {
  const name = shape.field('protocol').text() ?? 'ANY'
  if (name !== 'ANY' && PROTOCOLS[name.toUpperCase()] !== protocol) return 'no'
  const text = shape.field('port').text() ?? ''
  if (!/^\d+$/.test(text)) return 'maybe'
  const lowest = Number(text)
  if (lowest === 0) return 'yes'
  const highest = Math.max(lowest, shape.field('endPort').integer(0, 65_535) ?? 0)
  return yes(port !== undefined && port >= lowest && port <= highest)
}

function yes(holds: boolean): Match {
  return holds ? 'yes' : 'no'
}
