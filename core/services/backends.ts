// SPDX-License-Identifier: Apache-2.0

import type { EndpointObject, EndpointSliceObject, NodeObject, PodObject } from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import type { Address } from '../net/address.ts'
import type { Frontend, ServiceFrontend } from './frontend.ts'

/** One place a connection to a frontend may end. */
export interface Backend {
  readonly address: Address
  readonly port: number
  /** Undefined for endpoints that are no pods of a node. */
  readonly node: string | undefined
  readonly pod: PodObject | undefined
  /** Where the API says so; undefined for host ports. */
  readonly slice: { readonly object: EndpointSliceObject; readonly endpoint: number } | undefined
}

export interface BackendChoice {
  /** Each is as likely as the others. */
  readonly backends: readonly Backend[]
  /** Which traffic policy was applied. */
  readonly policy: 'Cluster' | 'Local'
  /** Why exactly these, or why none. */
  readonly reason: string
  /** Without backends: whether the node answers "no such port" or stays silent because others have some. */
  readonly none: 'reject' | 'drop' | undefined
}

/** Where the connection comes from: the node it is balanced on, and whether it was made inside the cluster. */
export interface Origin {
  readonly node: NodeObject | undefined
  readonly inCluster: boolean
}

/**
 * Endpoints a node balances over, as kube-proxy chooses them (pkg/proxy/topology.go CategorizeEndpoints) and other
 * implementations have to: traffic policies, readiness with KEP-1669's fallback to terminating ones, topology hints.
 */
export function chooseBackends(objects: ClusterObjects, frontend: Frontend, origin: Origin): BackendChoice {
  if (frontend.kind === 'HostPort') return hostPortBackend(frontend)
  const { service } = frontend
  const external = frontend.kind !== 'ClusterIP'
  // Inside the cluster, external addresses are short cuts to the Service: every endpoint will do (KEP-2086, KEP-3685).
  const policy = external ? (origin.inCluster ? 'Cluster' : service.externalTrafficPolicy) : service.internalTrafficPolicy
  const all = endpointsOf(objects, frontend)
  return policy === 'Local' ? localChoice(all, origin) : clusterChoice(all, origin)
}

function hostPortBackend(frontend: Extract<Frontend, { kind: 'HostPort' }>): BackendChoice {
  const { pod, address, node, containerPort } = frontend
  const target = pod.podIPs.find((ip) => ip.family === address.family)
  const backends = target === undefined ? [] : [{ address: target, port: containerPort, node, pod, slice: undefined }]
  return {
    backends,
    policy: 'Local',
    reason: `host port of the pod on ${node}`,
    none: target === undefined ? 'reject' : undefined,
  }
}

interface Candidate {
  readonly backend: Backend
  readonly endpoint: EndpointObject
}

/** Every endpoint of a Service port in the frontend's address family, whatever its condition. */
export function endpointsOf(objects: ClusterObjects, frontend: ServiceFrontend): readonly Candidate[] {
  const { service, servicePort, address } = frontend
  const family = address.family === 4 ? 'IPv4' : 'IPv6'
  const seen = new Set<string>()
  return objects
    .slicesOf(service)
    .filter((slice) => slice.addressType === family)
    .flatMap((slice) => {
      const port = slice.ports.find((entry) => entry.name === servicePort.name && entry.protocol === servicePort.protocol)?.port
      return slice.endpoints.flatMap((endpoint, index): readonly Candidate[] => {
        const [target] = endpoint.addresses
        if (port === undefined || target === undefined) return []
        const id = `${target.value}|${port}`
        // While endpoints move between slices they are in both.
        if (seen.has(id)) return []
        seen.add(id)
        const pod =
          endpoint.target?.kind === 'Pod' ? objects.pods.get(`${endpoint.target.namespace}/${endpoint.target.name}`) : undefined
        const node = endpoint.nodeName ?? pod?.nodeName
        return [{ endpoint, backend: { address: target, port, node, pod, slice: { object: slice, endpoint: index } } }]
      })
    })
}

function clusterChoice(all: readonly Candidate[], { node }: Origin): BackendChoice {
  const ready = all.filter(({ endpoint }) => endpoint.ready)
  const topology = node === undefined ? undefined : topologyOf(ready, node)
  const chosen = topology === undefined ? ready : ready.filter(topology.holds)
  if (chosen.length > 0)
    return choice(chosen, 'Cluster', topology?.reason ?? `${ready.length} of ${all.length} endpoints are ready`)
  const terminating = all.filter(({ endpoint }) => endpoint.serving && endpoint.terminating)
  if (terminating.length > 0) return choice(terminating, 'Cluster', 'none is ready; those that terminate still serve (KEP-1669)')
  return { backends: [], policy: 'Cluster', reason: noneReason(all), none: 'reject' }
}

function localChoice(all: readonly Candidate[], { node }: Origin): BackendChoice {
  const name = node?.meta.name
  const local = all.filter(({ backend }) => name !== undefined && backend.node === name)
  const ready = local.filter(({ endpoint }) => endpoint.ready)
  if (ready.length > 0) return choice(ready, 'Local', `traffic policy Local keeps to ${name}`)
  const terminating = local.filter(({ endpoint }) => endpoint.serving && endpoint.terminating)
  if (terminating.length > 0) {
    return choice(terminating, 'Local', `traffic policy Local keeps to ${name}; those that terminate still serve (KEP-1669)`)
  }
  const elsewhere = all.some(({ endpoint }) => endpoint.ready || (endpoint.serving && endpoint.terminating))
  const reason = elsewhere ? `traffic policy Local, and no usable endpoint on ${name ?? 'this node'}` : noneReason(all)
  return { backends: [], policy: 'Local', reason, none: elsewhere ? 'drop' : 'reject' }
}

function choice(candidates: readonly Candidate[], policy: 'Cluster' | 'Local', reason: string): BackendChoice {
  return { backends: candidates.map(({ backend }) => backend), policy, reason, none: undefined }
}

function noneReason(all: readonly Candidate[]): string {
  return all.length === 0 ? 'the Service has no endpoints' : `none of its ${all.length} endpoints is ready`
}

interface Topology {
  readonly holds: (candidate: Candidate) => boolean
  readonly reason: string
}

/** topology.go topologyModeFromHints: hints count only when every ready endpoint has them and one names this node or zone. */
function topologyOf(ready: readonly Candidate[], node: NodeObject): Topology | undefined {
  const { name } = node.meta
  const forNode = ({ endpoint }: Candidate) => endpoint.hintNodes.includes(name)
  if (ready.length > 0 && ready.every(({ endpoint }) => endpoint.hintNodes.length > 0) && ready.some(forNode)) {
    return { holds: forNode, reason: `topology hints keep to node ${name}` }
  }
  const { zone } = node
  const forZone = ({ endpoint }: Candidate) => zone !== undefined && endpoint.hintZones.includes(zone)
  if (ready.length > 0 && ready.every(({ endpoint }) => endpoint.hintZones.length > 0) && ready.some(forZone)) {
    return { holds: forZone, reason: `topology hints keep to zone ${zone}` }
  }
  return undefined
}
