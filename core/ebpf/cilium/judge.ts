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
import { type CiliumMaps, policyMaps } from './maps.ts'
import { allowingOrigin, denyingOrigin, isolatingOrigin, type Origin, type OriginQuery } from './origin.ts'
import { agree, lookUpPolicy, type Policy, type PolicyVerdict, portsOf } from './policy.ts'

/** One question about an endpoint of the node. */
interface Case {
  readonly query: PolicyQuery
  /** Whose entries decide. */
  readonly policy: Policy
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
    const policies = this.#maps.policies(endpoint.value('endpoint'))
    const { direction, protocol } = query
    const { cluster } = this.#config
    const lookup = { direction, identity, cluster, protocol, port: query.port ?? ECHO[protocol] ?? 0 }
    const possible = policies.flatMap((policy) => lookUpPolicy(policy, lookup).map((verdict) => ({ policy, verdict })))
    const [first] = possible
    if (first === undefined) return this.#missing(query, endpoint)
    const decisions = possible.map(({ policy, verdict }) => {
      const decided = this.#decided(this.#case(query, endpoint, identity, policy), verdict, identity)
      return this.#config.auditMode && decided.verdict === 'deny' ? audited(decided) : decided
    })
    const sure = possible.every(({ verdict }) => agree(verdict, first.verdict))
    const judged = sure ? decisions[0] : undefined
    const decision = judged ?? this.#undecided(policies, decisions, this.#owner(query))
    return { ...decision, text: decision.text + this.#knownConnections(query) }
  }

  #case(query: PolicyQuery, endpoint: Entry, identity: number, policy: Policy): Case {
    const { objects } = this.#cluster.facts
    const [own, peer] = query.direction === 'egress' ? [query.source, query.destination] : [query.destination, query.source]
    const [subjectPod, peerPod] = [objects.podAt(own), objects.podAt(peer)]
    const { direction, protocol, port } = query
    return {
      query,
      policy,
      who: this.#owner(query),
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

  /** "shop/web-0", or the address of an endpoint that is no known pod. */
  #owner({ direction, source, destination }: PolicyQuery): string {
    const own = direction === 'egress' ? source : destination
    const pod = this.#cluster.facts.objects.podAt(own)
    return pod === undefined ? formatAddress(own) : objectKey(pod.meta)
  }

  #missing(query: PolicyQuery, endpoint: Entry): PolicyDecision {
    const maps = policyMaps(endpoint.value('endpoint')).join(', ')
    const unknown: Unknown = {
      what: `whether policies of ${this.#owner(query)} allow it (${query.direction})`,
      missing: `the contents of the endpoint's policy map on node ${this.#maps.snapshot.node}, which is one of ${maps}`,
      evidence: null,
    }
    const text = `none of ${maps} is in the snapshot as a known release of Cilium has it`
    return { verdict: 'unknown', actor: null, evidence: null, text, remedy: undefined, unknowns: [unknown] }
  }

  /** All that is possible, where it makes a difference. */
  #undecided(policies: readonly Policy[], decisions: readonly PolicyDecision[], who: string): PolicyDecision {
    const maps = policies.map(({ map }) => map).join(' and ')
    const missing =
      policies.length > 1
        ? `which of ${maps} the programs of ${who} read: maps of several releases are there`
        : `the number of Cilium's cluster, ClusterID and MaxConnectedClusters in nodes/${this.#maps.snapshot.node}/bpf/cilium.json`
    const evidence = decisions[0]?.evidence ?? null
    const text = `either ${decisions.map((each) => each.text).join('; or ')}`
    const unknown = { what: `whether policies of ${who} allow it`, missing, evidence }
    return { verdict: 'unknown', actor: null, evidence, text, remedy: undefined, unknowns: [unknown] }
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
        return this.#denied(
          asked,
          verdict.entry.evidence,
          denyingOrigin(objects, asked.origin),
          entryWords(verdict.entry, asked.policy),
        )
      case 'unmatched':
        return this.#denied(asked, noEntry(asked), isolatingOrigin(objects, asked.origin), undefined)
    }
  }

  #allowed({ query, policy, who, origin }: Case, entry: Entry, identity: number): PolicyDecision {
    const { objects } = this.#cluster.facts
    const from = allowingOrigin(objects, origin)
    const common = { verdict: 'allow', evidence: entry.evidence, remedy: undefined, unknowns: [] } as const
    const words = `an entry of ${policy.map} for ${entryWords(entry, policy)}`
    if (from.certain.length + from.possible.length > 0)
      return { ...common, actor: actorOf(from, ' or '), text: `allowed by ${words}, from ${originText(from)}` }
    const isolated = isolatingOrigin(objects, origin).certain.length > 0
    if (!isolated) return { ...common, actor: null, text: `no policy isolates ${who} for ${query.direction} (${words})` }
    // AllowLocalhost: a node always reaches its own pods, for their probes.
    const own = identity === IDENTITY.host && query.direction === 'ingress'
    const why = own ? ': a node always reaches its own pods' : ', which none of the policy objects explains'
    return { ...common, actor: null, text: `allowed by ${words}${why}` }
  }

  #denied({ query, policy, who, peer }: Case, evidence: Evidence, from: Origin, entry: string | undefined): PolicyDecision {
    const { map } = policy
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

function audited(denied: PolicyDecision): PolicyDecision {
  return { ...denied, verdict: 'allow', remedy: undefined, text: `passes, because policies are only audited: ${denied.text}` }
}

function noEntry({ policy, origin, query }: Case): Evidence {
  const { map } = policy
  const key = `identity=${origin.peerIdentity} direction=${query.direction} protocol=${query.protocol} port=${query.port ?? 0}`
  return { kind: 'map', map, key, value: 'no entry, nor one for every identity' }
}

/** Types of echo requests, which stand in the port's place. */
const ECHO: Readonly<Record<number, number>> = { 1: 8, 58: 128 }

/** "identity 25222, port 8080/TCP" */
function entryWords(entry: Entry, { precedence }: Policy): string {
  const identity = entry.key('identity')
  const who = precedence.names[identity] ?? `identity ${identity}`
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
