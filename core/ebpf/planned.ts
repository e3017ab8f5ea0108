// SPDX-License-Identifier: Apache-2.0

import { objectKey, type ObjectMeta, type PodObject, type Protocol } from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, formatAddress } from '../net/address.ts'
import { formatPrefix, prefixContains } from '../net/prefix.ts'
import type { Evidence } from '../path/answer.ts'
import { isLoopbackAddress } from '../routing/source.ts'
import { type Backend, chooseBackends } from '../services/backends.ts'
import { type Frontend, ServiceFrontends } from '../services/frontend.ts'
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
} from './datapath.ts'
import { evaluateNetworkPolicies } from './networkPolicy.ts'

/**
 * The eBPF datapath as a kube-proxy replacement would build it from the API objects alone: socket load balancing, identity
 * policy, native routing with BPF host routing, and masquerading of what leaves the cluster.
 */
export class PlannedDatapath implements Datapath {
  readonly note = undefined
  readonly unknowns = []
  readonly judgesKnown = false
  readonly transport: Transport = { kind: 'native' }
  readonly hostRouting = true
  readonly #objects: ClusterObjects
  readonly #frontends: ServiceFrontends

  constructor(objects: ClusterObjects) {
    this.#objects = objects
    this.#frontends = new ServiceFrontends(objects)
  }

  balance(query: BalanceQuery): Balanced | undefined {
    const frontend = this.#frontends.lookup(this.#frontendAddress(query), query.port, query.protocol)
    if (frontend === undefined || frontend.kind === 'HealthCheckNodePort') return undefined
    // Host ports exist on their own node only; packets to another node are balanced there.
    if (frontend.kind === 'HostPort' && frontend.node !== query.node) return undefined
    // At the packet level a node answers for its own node ports.
    if (query.where === 'packet' && frontend.kind === 'NodePort' && frontend.node !== query.node) return undefined
    const balanced = { ...describeFrontend(frontend), at: query.where, unknowns: [] }
    const refused = sourceRangeRefusal(frontend, query.client)
    if (refused !== undefined) return { ...balanced, backends: [], reason: refused, failure: 'drop', snatRemote: false }
    const origin = { node: this.#objects.nodes.get(query.node), inCluster: query.inCluster }
    const choice = chooseBackends(this.#objects, frontend, origin)
    const share = 1 / choice.backends.length
    return {
      ...balanced,
      backends: choice.backends.map((backend) => target(backend, share)),
      reason: choice.reason + affinityNote(frontend),
      failure: choice.none,
      snatRemote: frontend.kind !== 'ClusterIP',
    }
  }

  /** On the node itself, sockets reach node ports by loopback addresses too. */
  #frontendAddress({ where, node, address }: BalanceQuery): Address {
    if (where !== 'socket' || !isLoopbackAddress(address)) return address
    return this.#objects.nodes.get(node)?.internalIPs.find((own) => own.family === address.family) ?? address
  }

  locate(address: Address): Located {
    const pod = this.#objects.podAt(address)
    if (pod !== undefined) {
      const { namespace, name } = pod.meta
      return { kind: 'pod', namespace, name, node: pod.nodeName, identity: `pod ${namespace}/${name}` }
    }
    const node = this.#objects.nodeAt(address)
    if (node !== undefined) return { kind: 'node', node: node.meta.name, identity: `node ${node.meta.name}` }
    // The first address of a pod CIDR is its node's own, on the bridge or cilium_host.
    const owner = this.#objects.nodeOfPodCidr(address)
    const gateway = owner?.podCIDRs.some((cidr) => isFirst(cidr.address, address)) ?? false
    if (owner !== undefined && gateway) return { kind: 'node', node: owner.meta.name, identity: `node ${owner.meta.name}` }
    return { kind: 'world', identity: 'reserved:world' }
  }

  policy(query: PolicyQuery): PolicyDecision {
    const [own, other] = query.direction === 'egress' ? [query.source, query.destination] : [query.destination, query.source]
    const subject = this.#objects.podAt(own)
    if (subject === undefined) return allowed('no policy applies: not a pod with an address of its own')
    const peerPod = this.#objects.podAt(other)
    if (peerPod === subject) return allowed('a pod may always reach itself')
    const located = this.locate(other)
    if (located.kind === 'node' && located.node === subject.nodeName) {
      return allowed(`traffic ${query.direction === 'egress' ? 'to' : 'from'} the pod's own node is always allowed`)
    }
    return this.#networkPolicy(query, subject, other, peerPod)
  }

  #networkPolicy(query: PolicyQuery, subject: PodObject, peer: Address, peerPod: PodObject | undefined): PolicyDecision {
    const { direction, protocol, port } = query
    const receiver = direction === 'ingress' ? subject : peerPod
    const verdict = evaluateNetworkPolicies(this.#objects, { direction, subject, peer, peerPod, receiver, protocol, port })
    const who = `${subject.meta.namespace}/${subject.meta.name}`
    if (verdict.kind === 'not-isolated') return allowed(`no policy isolates ${who} for ${direction}`)
    if (verdict.kind === 'allowed') {
      const { policy, field, unknowns } = verdict
      return {
        ...allowed(`allowed by NetworkPolicy ${objectKey(policy.meta)}, ${field}`),
        actor: objectKey(policy.meta),
        evidence: objectEvidence(policy.meta, field),
        unknowns,
      }
    }
    const [first] = verdict.isolatedBy
    const names = verdict.isolatedBy.map((policy) => objectKey(policy.meta)).join(', ')
    return {
      verdict: 'deny',
      actor: names,
      evidence: first === undefined ? null : objectEvidence(first.meta, 'spec.podSelector'),
      text: `${who} is isolated for ${direction} by NetworkPolicy ${names}, and none of its rules allows this`,
      remedy: `an ${direction} rule, in a NetworkPolicy that selects ${who}, for ${this.#describePeer(peer, peerPod)}${portWords(query)}`,
      unknowns: [],
    }
  }

  #describePeer(peer: Address, pod: PodObject | undefined): string {
    return pod === undefined ? formatAddress(peer) : `pod ${pod.meta.namespace}/${pod.meta.name}`
  }

  masquerade({ node, source, destination }: MasqueradeQuery): Masquerade | undefined {
    if (this.locate(source).kind !== 'pod') return undefined
    const target = this.locate(destination)
    const inPodCidr = [...this.#objects.nodes.values()].some((entry) =>
      entry.podCIDRs.some((cidr) => prefixContains(cidr, destination)),
    )
    if (target.kind !== 'world' || inPodCidr) return undefined
    const object = this.#objects.nodes.get(node)
    const address = object?.internalIPs.find((candidate) => candidate.family === source.family)
    if (object === undefined || address === undefined) return undefined
    return {
      address,
      evidence: objectEvidence(object.meta, 'status.addresses'),
      text: `${formatAddress(destination)} is outside the cluster: the source becomes ${node}'s address`,
      unknowns: [],
    }
  }
}

function allowed(text: string): PolicyDecision {
  return { verdict: 'allow', actor: null, evidence: null, text, remedy: undefined, unknowns: [] }
}

/** What a service's frontend is called, and the object it comes from. */
export function describeFrontend(frontend: Frontend): Pick<Balanced, 'name' | 'evidence'> {
  const where = `${frontend.port}/${frontend.protocol} (${frontend.kind})`
  if (frontend.kind === 'HostPort') {
    const { meta } = frontend.pod
    return { name: `pod ${objectKey(meta)}:${where}`, evidence: objectEvidence(meta, 'spec.containers[*].ports') }
  }
  const { meta, ports } = frontend.service
  const field = `spec.ports[${ports.indexOf(frontend.servicePort)}]`
  return { name: `svc ${objectKey(meta)}:${where}`, evidence: objectEvidence(meta, field) }
}

/** loadBalancerSourceRanges guards the load balancer's addresses. */
function sourceRangeRefusal(frontend: Frontend, client: Address | undefined): string | undefined {
  if (frontend.kind !== 'LoadBalancer' || client === undefined) return undefined
  const ranges = frontend.service.loadBalancerSourceRanges.filter((range) => range.address.family === client.family)
  if (ranges.length === 0 || ranges.some((range) => prefixContains(range, client))) return undefined
  return `${formatAddress(client)} is in none of loadBalancerSourceRanges ${ranges.map(formatPrefix).join(', ')}`
}

function affinityNote(frontend: Frontend): string {
  if (frontend.kind === 'HostPort' || frontend.service.sessionAffinity === 'None') return ''
  return `; a client keeps its backend for ${frontend.service.affinityTimeout} s (ClientIP affinity)`
}

function target(backend: Backend, probability: number): BackendTarget {
  const { address, port, pod, slice, node } = backend
  const name = pod === undefined ? formatAddress(address) : `pod ${objectKey(pod.meta)}`
  return {
    address,
    port,
    probability,
    evidence: slice === undefined ? null : objectEvidence(slice.object.meta, `endpoints[${slice.endpoint}]`),
    text: node === undefined ? name : `${name} on ${node}`,
  }
}

export function objectEvidence(meta: ObjectMeta, field: string): Evidence {
  const { apiVersion, kind, namespace, name } = meta
  return { kind: 'object', apiVersion, object: kind, namespace, name, field }
}

function portWords({ port, protocol }: PolicyQuery): string {
  const names: Readonly<Record<number, Protocol>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' }
  return port === undefined ? '' : `, port ${port}/${names[protocol] ?? protocol}`
}

function isFirst(network: Address, address: Address): boolean {
  return BigInt(address.value) === BigInt(network.value) + BigInt(1)
}
