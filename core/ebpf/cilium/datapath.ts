// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import { objectKey } from '../../facts/objects.ts'
import { type Address, formatAddress, sameAddress } from '../../net/address.ts'
import { prefixContains } from '../../net/prefix.ts'
import type { Evidence, Unknown } from '../../path/answer.ts'
import type { ServiceFrontends } from '../../services/frontend.ts'
import type {
  BackendTarget,
  Balanced,
  BalanceQuery,
  Datapath,
  Located,
  Masquerade,
  MasqueradeQuery,
  PolicyDecision,
  PolicyQuery,
  Transport,
} from '../datapath.ts'
import { MapNames } from '../maps/names.ts'
import { describeFrontend } from '../planned.ts'
import { frontendText, ServiceLookup, type ServiceDecision } from './balance.ts'
import { type Configuration, readConfiguration } from './configuration.ts'
import type { Entry } from './entries.ts'
import { IDENTITY, type IdentityLabels, isRemoteNode, isWorld, worldOf } from './identity.ts'
import type { CiliumMaps } from './maps.ts'
import { PolicyJudge } from './judge.ts'

/** Flags of struct endpoint_info, bpf/lib/eps.h. */
const ENDPOINT = { host: 1, unmasqueraded: { 4: 4, 6: 8 } } as const

/** What the cluster as a whole tells, whichever node is asked. */
export interface CiliumCluster {
  readonly facts: ClusterFacts
  readonly frontends: ServiceFrontends
  readonly labels: IdentityLabels
}

/** The datapath of one node, as Cilium's maps have it: bpf/ of Cilium 1.19. */
export class CiliumDatapath implements Datapath {
  readonly note: string | undefined
  readonly unknowns: readonly Unknown[]
  readonly transport: Transport
  readonly hostRouting: boolean
  readonly judgesKnown = true
  readonly #node: string
  readonly #cluster: CiliumCluster
  readonly #maps: CiliumMaps
  readonly #config: Configuration
  readonly #services: ServiceLookup
  readonly #judge: PolicyJudge
  readonly #names: MapNames

  constructor(cluster: CiliumCluster, maps: CiliumMaps) {
    const { node } = maps.snapshot
    this.#node = node
    this.#cluster = cluster
    this.#maps = maps
    this.#config = readConfiguration(maps.snapshot)
    this.#services = new ServiceLookup(maps, this.#config)
    this.#names = new MapNames(cluster.facts, node)
    this.#judge = new PolicyJudge(cluster, maps, this.#config, this.#names)
    this.transport = this.#config.transport
    this.hostRouting = this.#config.hostRouting
    this.note = this.#config.agentRunning
      ? undefined
      : `Cilium's agent is not running on ${node}; its datapath still forwards, with maps that nobody updates`
    this.unknowns = this.#config.known ? [] : [unknownConfiguration(node)]
  }

  balance(query: BalanceQuery): Balanced | undefined {
    const decision = this.#services.decide(query)
    if (decision === undefined) return undefined
    const at = query.where === 'socket' && this.#services.atConnect(query) ? 'socket' : 'packet'
    const name = this.#frontendName(query)
    const common = { name, at, evidence: decision.master.evidence, snatRemote: false, unknowns: [] } as const
    switch (decision.kind) {
      case 'refused':
        return { ...common, backends: [], reason: decision.reason, failure: decision.failure }
      case 'unknown': {
        const unknown = { what: `${decision.what}, for ${name}`, missing: decision.missing, evidence: decision.master.evidence }
        return { ...common, backends: [], reason: decision.what, failure: 'unknown', unknowns: [unknown] }
      }
      case 'balanced':
        return this.#balanced(query, common, decision)
    }
  }

  #balanced(
    query: BalanceQuery,
    common: Pick<Balanced, 'name' | 'at' | 'evidence'>,
    { master, backends, dsr, notes }: Extract<ServiceDecision, { kind: 'balanced' }>,
  ): Balanced {
    const count = master.value('count')
    const known = backends.flatMap(({ backend }) => (backend === undefined ? [] : [this.#target(backend, 1 / count)]))
    const torn = known.length < count
    const missing: Unknown = {
      what: `${count - known.length} of ${count} backends of ${common.name}`,
      missing: 'another snapshot: the maps changed while they were read',
      evidence: common.evidence,
    }
    return {
      ...common,
      backends: torn ? known.map((target) => ({ ...target, probability: null })) : known,
      reason: [`${count} active ${count === 1 ? 'backend' : 'backends'}`, ...notes].join('; '),
      failure: torn && known.length === 0 ? 'unknown' : undefined,
      unknowns: torn ? [missing] : [],
      snatRemote: query.where === 'packet' && !dsr,
    }
  }

  #target(backend: Entry, probability: number): BackendTarget {
    const address = backend.valueAddress('address')
    const pod = this.#cluster.facts.objects.podAt(address)
    const node = pod?.nodeName ?? this.#cluster.facts.objects.nodeAt(address)?.meta.name
    const name = pod === undefined ? formatAddress(address) : `pod ${objectKey(pod.meta)}`
    const text = node === undefined ? name : `${name} on ${node}`
    return { address, port: backend.value('port'), probability, evidence: backend.evidence, text }
  }

  #frontendName({ address, port, protocol }: BalanceQuery): string {
    const frontend = this.#cluster.frontends.lookup(address, port, protocol)
    return frontend === undefined ? `frontend ${frontendText(address, port, protocol)}` : describeFrontend(frontend).name
  }

  locate(address: Address): Located {
    const { objects } = this.#cluster.facts
    const endpoint = this.#maps.endpoint(address)
    const identity = this.#identityOf(address)
    const name = `identity ${identity} (${this.#names.identity(identity) ?? 'without a name'})`
    const isHere = endpoint !== undefined && (endpoint.value('flags') & ENDPOINT.host) !== 0
    if (isHere || identity === IDENTITY.host) return { kind: 'node', node: this.#node, identity: name }
    const pod = objects.podAt(address)
    if (endpoint !== undefined) {
      const { namespace, name: podName } = pod?.meta ?? { namespace: '', name: `endpoint ${endpoint.value('endpoint')}` }
      return { kind: 'pod', namespace, name: podName, node: this.#node, identity: name }
    }
    if (isRemoteNode(identity)) {
      const node = objects.nodeAt(address) ?? this.#behind(address) ?? objects.nodeOfPodCidr(address)
      return node === undefined ? { kind: 'world', identity: name } : { kind: 'node', node: node.meta.name, identity: name }
    }
    if (pod === undefined || isWorld(identity)) return { kind: 'world', identity: name }
    return { kind: 'pod', namespace: pod.meta.namespace, name: pod.meta.name, node: pod.nodeName, identity: name }
  }

  /** The node whose tunnel endpoint the ipcache names for an address. */
  #behind(address: Address) {
    const entry = this.#maps.identity(address)
    return entry === undefined ? undefined : this.#cluster.facts.objects.nodeAt(entry.valueAddress('tunnel'))
  }

  #identityOf(address: Address): number {
    return this.#maps.identity(address)?.value('identity') ?? worldOf(address.family)
  }

  policy(query: PolicyQuery): PolicyDecision {
    const [own, peer] = query.direction === 'egress' ? [query.source, query.destination] : [query.destination, query.source]
    const endpoint = this.#maps.endpoint(own)
    if (sameAddress(own, peer)) return allowed('a pod reaches itself without leaving its namespace')
    if (endpoint === undefined) return allowed('no policy applies: no endpoint of this node')
    if ((endpoint.value('flags') & ENDPOINT.host) === 0) return this.#judge.decide(query, endpoint, this.#identityOf(peer))
    if (!this.#config.hostFirewall) return allowed("no policy applies to the node itself: Cilium's host firewall is off")
    const missing = 'reading policies of the host firewall, which Plumbline does not'
    const what = `what the host firewall of ${this.#node} says (${query.direction})`
    return { ...allowed(what), verdict: 'unknown', unknowns: [{ what, missing, evidence: null }] }
  }

  /** snat_v4_needs_masquerade of bpf/lib/nat.h. */
  masquerade({ source, destination }: MasqueradeQuery): Masquerade | undefined {
    const { family } = source
    const endpoint = this.#maps.endpoint(source)
    const flags = endpoint?.value('flags') ?? 0
    if (endpoint === undefined || (flags & (ENDPOINT.host | ENDPOINT.unmasqueraded[family])) !== 0) return undefined
    if (!this.#config.masquerade.has(family)) return undefined
    if (this.#config.unmasqueraded.some((prefix) => prefixContains(prefix, destination))) return undefined
    const identity = this.#identityOf(destination)
    if (isRemoteNode(identity) && this.transport.kind === 'native') return undefined
    const address = this.#nodeAddress(family)
    if (address === undefined) return undefined
    const text = `${formatAddress(destination)} is outside the network that sees pods' own addresses: the source becomes ${this.#node}'s address`
    const unknowns = this.#config.masqueradedOtherwise.map((feature) => ({
      what: `whether ${feature} of Cilium has another address for packets from ${formatAddress(source)} to ${formatAddress(destination)}`,
      missing: `what ${feature} of ${this.#node} is configured for`,
      evidence: null,
    }))
    return { address, evidence: this.#configurationEvidence(), text, unknowns }
  }

  #nodeAddress(family: Address['family']): Address | undefined {
    const node = this.#cluster.facts.objects.nodes.get(this.#node)
    return node?.internalIPs.find((address) => address.family === family)
  }

  #configurationEvidence(): Evidence {
    const file = `${this.#maps.snapshot.folder}/bpf/cilium.json`
    return { kind: 'fact', file, pointer: '/config/EnableBPFMasquerade', text: 'EnableBPFMasquerade = true' }
  }
}

function allowed(text: string): PolicyDecision {
  return { verdict: 'allow', actor: null, evidence: null, text, remedy: undefined, unknowns: [] }
}

function unknownConfiguration(node: string): Unknown {
  return {
    what: `how Cilium is configured on ${node}: its defaults are taken (native routing, host routing and masquerading in eBPF)`,
    missing: `nodes/${node}/bpf/cilium.json with Cilium's configuration`,
    evidence: null,
  }
}
