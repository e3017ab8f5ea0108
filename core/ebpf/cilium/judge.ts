// SPDX-License-Identifier: Apache-2.0

import { objectKey } from '../../facts/objects.ts'
import { type Address, formatAddress } from '../../net/address.ts'
import type { Evidence, Unknown } from '../../path/answer.ts'
import type { PolicyDecision, PolicyQuery } from '../datapath.ts'
import type { MapNames } from '../maps/names.ts'
import type { Configuration } from './configuration.ts'
import type { CiliumCluster } from './datapath.ts'
import type { Entry } from './entries.ts'
import { IDENTITY } from './identity.ts'
import { type CiliumMaps, policyMap } from './maps.ts'
import { allowingOrigin, denyingOrigin, isolatingOrigin, type Origin, type OriginQuery } from './origin.ts'
import { lookUpPolicy, type PolicyVerdict, portsOf } from './policy.ts'

/** One question about an endpoint of the node. */
interface Case {
  readonly query: PolicyQuery
  readonly map: string
  /** "shop/web-0" */
  readonly who: string
  /** "identity 2 (reserved:world)" */
  readonly peer: string
  readonly origin: OriginQuery
}

/** Policies of a node's endpoints: what their maps decide, and which policy objects that comes from. */
export class PolicyJudge {
  readonly #cluster: CiliumCluster
  readonly #maps: CiliumMaps
  readonly #config: Configuration
  readonly #names: MapNames

  constructor(cluster: CiliumCluster, maps: CiliumMaps, config: Configuration, names: MapNames) {
    this.#cluster = cluster
    this.#maps = maps
    this.#config = config
    this.#names = names
  }

  /** @param identity of the other side. */
  decide(query: PolicyQuery, endpoint: Entry, identity: number): PolicyDecision {
    const asked = this.#case(query, endpoint, identity)
    const entries = this.#maps.policy(endpoint.value('endpoint'))
    if (entries === undefined) return missingMap(asked, this.#maps.snapshot.node)
    const { direction, protocol } = query
    const verdict = lookUpPolicy(entries, { direction, identity, protocol, port: query.port ?? ECHO[protocol] ?? 0 })
    const decided = this.#decided(asked, verdict, identity)
    const known = this.#knownConnections(query)
    const judged = { ...decided, text: decided.text + known }
    return this.#config.auditMode && judged.verdict === 'deny' ? audited(judged) : judged
  }

  #case(query: PolicyQuery, endpoint: Entry, identity: number): Case {
    const { objects } = this.#cluster.facts
    const [own, peer] = query.direction === 'egress' ? [query.source, query.destination] : [query.destination, query.source]
    const [subjectPod, peerPod] = [objects.podAt(own), objects.podAt(peer)]
    const { direction, protocol, port } = query
    return {
      query,
      map: policyMap(endpoint.value('endpoint')),
      who: subjectPod === undefined ? formatAddress(own) : objectKey(subjectPod.meta),
      peer: this.#identityText(identity, peer),
      origin: {
        direction,
        protocol,
        port,
        peer,
        peerIdentity: identity,
        peerLabels: this.#cluster.labels.of(identity),
        peerPod,
        receiver: direction === 'ingress' ? subjectPod : peerPod,
        subject: this.#cluster.labels.of(endpoint.value('identity')) ?? new Map(),
        subjectPod,
      },
    }
  }

  #identityText(identity: number, address: Address): string {
    const name = this.#names.identity(identity)
    return `${formatAddress(address)}, identity ${identity}${name === undefined ? '' : ` (${name})`}`
  }

  #decided(asked: Case, verdict: PolicyVerdict, identity: number): PolicyDecision {
    const { objects } = this.#cluster.facts
    switch (verdict.kind) {
      case 'allowed':
        return this.#allowed(asked, verdict.entry, identity)
      case 'proxied': {
        const what = `what the L7 proxy on port ${verdict.port} makes of it`
        const unknown = {
          what,
          missing: "the L7 rules, which Cilium's Envoy applies to requests",
          evidence: verdict.entry.evidence,
        }
        return { ...this.#allowed(asked, verdict.entry, identity), unknowns: [unknown] }
      }
      case 'authenticated': {
        const what = `whether ${asked.who} and ${asked.peer} have authenticated each other`
        const unknown = { what, missing: 'cilium_auth_map', evidence: verdict.entry.evidence }
        return { ...this.#allowed(asked, verdict.entry, identity), verdict: 'unknown', unknowns: [unknown] }
      }
      case 'denied':
        return this.#denied(asked, verdict.entry.evidence, denyingOrigin(objects, asked.origin), entryWords(verdict.entry))
      case 'unmatched':
        return this.#denied(asked, noEntry(asked), isolatingOrigin(objects, asked.origin), undefined)
    }
  }

  #allowed({ query, map, who, origin }: Case, entry: Entry, identity: number): PolicyDecision {
    const { objects } = this.#cluster.facts
    const from = allowingOrigin(objects, origin)
    const common = { verdict: 'allow', evidence: entry.evidence, remedy: undefined, unknowns: [] } as const
    const words = `an entry of ${map} for ${entryWords(entry)}`
    if (from.certain.length + from.possible.length > 0)
      return { ...common, actor: actorOf(from, ' or '), text: `allowed by ${words}, from ${originText(from)}` }
    const isolated = isolatingOrigin(objects, origin).certain.length > 0
    if (!isolated) return { ...common, actor: null, text: `no policy isolates ${who} for ${query.direction} (${words})` }
    // AllowLocalhost: a node always reaches its own pods, for their probes.
    const own = identity === IDENTITY.host && query.direction === 'ingress'
    const why = own ? ': a node always reaches its own pods' : ', which none of the policy objects explains'
    return { ...common, actor: null, text: `allowed by ${words}${why}` }
  }

  #denied({ query, map, who, peer }: Case, evidence: Evidence, from: Origin, entry: string | undefined): PolicyDecision {
    const some = from.certain.length + from.possible.length > 0
    const all = entry === undefined ? from.certain.join(', ') : originText(from)
    const because = some ? all : 'none of the policy objects explains it'
    const port = portText(query)
    const text =
      entry === undefined
        ? `no entry of ${map} allows ${query.direction} of ${who} ${query.direction === 'egress' ? 'to' : 'from'} ${peer}${port}; ${some ? 'isolated by ' : ''}${because}`
        : `denied by an entry of ${map} for ${entry}, ${some ? 'from ' : ''}${because}`
    const remedy =
      entry === undefined
        ? `an ${query.direction} rule, in a policy that selects ${who}, for ${peer}${port}`
        : `an end of the deny rule for ${peer}${port}`
    return {
      verdict: 'deny',
      actor: some ? actorOf(from, entry === undefined ? ', ' : ' or ') : map,
      evidence,
      text,
      remedy,
      unknowns: [],
    }
  }

  /** Cilium asks the policies for each packet on its way there; what comes back is let through. */
  #knownConnections({ source, destination, protocol, port }: PolicyQuery): string {
    const count = port === undefined ? 0 : this.#maps.connections(source, destination, protocol, port).length
    if (count === 0) return ''
    return `; ${count} such ${count === 1 ? 'connection is' : 'connections are'} known: judged again with every packet, answers pass`
  }
}

function missingMap({ map, who, query }: Case, node: string): PolicyDecision {
  const unknown: Unknown = {
    what: `whether policies of ${who} allow it (${query.direction})`,
    missing: `the contents of ${map} of node ${node}, as Cilium 1.19 has them`,
    evidence: null,
  }
  const text = `${map} is not in the snapshot, or not as Cilium 1.19 has it`
  return { verdict: 'unknown', actor: null, evidence: null, text, remedy: undefined, unknowns: [unknown] }
}

function audited(denied: PolicyDecision): PolicyDecision {
  return { ...denied, verdict: 'allow', remedy: undefined, text: `passes, because policies are only audited: ${denied.text}` }
}

function noEntry({ map, origin, query }: Case): Evidence {
  const key = `identity=${origin.peerIdentity} direction=${query.direction} protocol=${query.protocol} port=${query.port ?? 0}`
  return { kind: 'map', map, key, value: 'no entry, nor one for every identity' }
}

/** Types of echo requests, which stand in the port's place. */
const ECHO: Readonly<Record<number, number>> = { 1: 8, 58: 128 }

/** "identity 25222, port 8080/TCP" */
function entryWords(entry: Entry): string {
  const identity = entry.key('identity')
  const who = identity === 0 ? 'every identity' : `identity ${identity}`
  const ports = portsOf(entry)
  const protocol = entry.key('protocol')
  const name = PROTOCOLS[protocol] ?? String(protocol)
  if (ports === undefined) return protocol === 0 ? who : `${who}, ${name}`
  const { lowest, highest } = ports
  return `${who}, ${lowest === highest ? `port ${lowest}` : `ports ${lowest} to ${highest}`}/${name}`
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6', 132: 'SCTP' }

function portText({ protocol, port }: PolicyQuery): string {
  const name = PROTOCOLS[protocol] ?? String(protocol)
  return port === undefined ? `, ${name}` : `, port ${port}/${name}`
}

/** Names of the policies alone; several are several candidates. */
function actorOf({ certain, possible }: Origin, separator: string): string {
  const names = (certain.length > 0 ? certain : possible).map((name) => name.split(', ')[0] ?? name)
  return [...new Set(names)].join(separator)
}

function originText({ certain, possible }: Origin): string {
  const maybe = possible.map((name) => `perhaps ${name}`)
  return [...certain, ...maybe].join('; or ')
}
