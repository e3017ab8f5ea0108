// SPDX-License-Identifier: Apache-2.0

import { FLAG } from '../../ebpf/cilium/balance.ts'
import { objectKey, type NodeObject, type PodObject, type Protocol, type ServiceObject } from '../../facts/objects.ts'
import type { ClusterObjects } from '../../facts/objectsIndex.ts'
import { type Address, formatAddress, formatEndpoint } from '../../net/address.ts'
import { isLoopbackAddress } from '../../routing/source.ts'
import type { Evidence } from '../../path/answer.ts'
import { type Backend, endpointsOf } from '../backends.ts'
import { type Frontend, nodePortsAt, type ServiceFrontend, ServiceFrontends } from '../frontend.ts'
import type { FrontendKey } from './programmed.ts'
import type { NotCompared } from './report.ts'

/** A master entry that the objects ask for, with all that it should say. */
export interface ExpectedFrontend extends FrontendKey {
  readonly kind: Frontend['kind']
  /** "Service shop/web" */
  readonly subject: string
  readonly evidence: Evidence
  readonly backends: readonly Backend[]
  /** Flags that must be set, and those that must not. */
  readonly set: number
  readonly unset: number
  /** Seconds; undefined: no session affinity. */
  readonly affinityTimeout: number | undefined
  /** Empty: every source is let in. Only of load balancers. */
  readonly sourceRanges: readonly string[]
}

export interface ExpectedServices {
  readonly frontends: readonly ExpectedFrontend[]
  /** Of Services that are not compared: whatever entries they have is no finding. */
  readonly passedOver: readonly ExpectedFrontend[]
  readonly notCompared: readonly NotCompared[]
}

/** Labels and annotations with which a service is somebody else's, or something that is not read here. */
const PROXY_NAME = 'service.kubernetes.io/service-proxy-name'
const CILIUM_ANNOTATION = /^(service|io)\.cilium(\.io)?\//

/** The frontends that Cilium's kube-proxy replacement has on a node (pkg/loadbalancer of 1.19). */
export function expectedServices(objects: ClusterObjects, node: NodeObject): ExpectedServices {
  const notCompared: NotCompared[] = []
  const frontends: ExpectedFrontend[] = []
  const passedOver: ExpectedFrontend[] = []
  const all = new ServiceFrontends(objects)
  for (const service of objects.services.values()) {
    const reason = whyNot(service) ?? whyNotHere(objects, service, node)
    if (reason !== undefined) notCompared.push({ what: `Service ${objectKey(service.meta)}`, reason })
    const own = serviceFrontends(objects, service, all.of(service), node)
    ;(reason === undefined ? frontends : passedOver).push(...own)
  }
  for (const pod of objects.pods.values()) {
    if (pod.nodeName === node.meta.name && !pod.hostNetwork && pod.phase === 'Running') frontends.push(...hostPorts(pod, node))
  }
  return { frontends, passedOver, notCompared }
}

function whyNot({ meta }: ServiceObject): string | undefined {
  const proxy = meta.labels.get(PROXY_NAME)
  if (proxy !== undefined) return `its label ${PROXY_NAME} leaves it to ${proxy}`
  const annotation = [...meta.annotations.keys()].find((key) => CILIUM_ANNOTATION.test(key))
  return annotation === undefined ? undefined : `its annotation ${annotation} changes how Cilium programs it, which is not read`
}

/** With service topology on, which no snapshot tells for sure, a node in a zone keeps to the endpoints that hint at it. */
function whyNotHere(objects: ClusterObjects, service: ServiceObject, { zone }: NodeObject): string | undefined {
  const hinted = objects.slicesOf(service).some(({ endpoints }) => endpoints.some(({ hintZones }) => hintZones.length > 0))
  if (zone === undefined || !hinted) return undefined
  return 'its endpoints have topology hints, which Cilium follows or not by an option that is not read'
}

/** Addresses and ports at which Cilium may answer health checks of load balancers, if it was told to. */
export function healthChecks(objects: ClusterObjects): ReadonlySet<string> {
  const balanced = [...objects.services.values()].flatMap(({ loadBalancerIPs, healthCheckNodePort }) =>
    healthCheckNodePort === undefined ? [] : loadBalancerIPs.map(({ address }) => formatEndpoint(address, healthCheckNodePort)),
  )
  return new Set(balanced)
}

function serviceFrontends(
  objects: ClusterObjects,
  service: ServiceObject,
  own: readonly ServiceFrontend[],
  node: NodeObject,
): readonly ExpectedFrontend[] {
  const everywhere = own.filter(({ kind }) => kind !== 'NodePort' && kind !== 'HealthCheckNodePort')
  const families = new Set(service.clusterIPs.map(({ family }) => family))
  const nodePorts = [...families].flatMap((family) => nodePortsAt(service, node.meta.name, nowhere(family)))
  const atNode = nodePorts.filter(({ kind }) => kind === 'NodePort')
  return [...everywhere, ...atNode].flatMap((frontend) => scoped(objects, frontend, node))
}

/** Address 0: what stands for every address of the node. */
export function nowhere(family: 4 | 6): Address {
  return family === 4 ? { family, value: 0 } : { family, value: 0n }
}

/** Where the two traffic policies are not alike, traffic from inside and outside of the cluster have an entry each. */
function scoped(objects: ClusterObjects, frontend: ServiceFrontend, node: NodeObject): readonly ExpectedFrontend[] {
  const { externalTrafficPolicy, internalTrafficPolicy } = frontend.service
  if (frontend.kind === 'ClusterIP') return [expected(objects, frontend, node, 'external', internalTrafficPolicy)]
  const external = expected(objects, frontend, node, 'external', externalTrafficPolicy)
  if (externalTrafficPolicy === internalTrafficPolicy) return [external]
  return [external, expected(objects, frontend, node, 'internal', internalTrafficPolicy)]
}

function expected(
  objects: ClusterObjects,
  frontend: ServiceFrontend,
  node: NodeObject,
  scope: FrontendKey['scope'],
  policy: 'Cluster' | 'Local',
): ExpectedFrontend {
  const { service, address, port, protocol, kind } = frontend
  const twoScopes = kind !== 'ClusterIP' && service.externalTrafficPolicy !== service.internalTrafficPolicy
  const flags: readonly (readonly [number, boolean])[] = [
    [FLAG.affinity, service.sessionAffinity === 'ClientIP'],
    [FLAG.internalLocal, service.internalTrafficPolicy === 'Local'],
    [FLAG.twoScopes, twoScopes],
    [FLAG.nodePort, kind === 'NodePort'],
    [FLAG.externalIp, kind === 'ExternalIP'],
    [FLAG.loadBalancer, kind === 'LoadBalancer'],
    ...(kind === 'ClusterIP' ? [] : [[FLAG.externalLocal, service.externalTrafficPolicy === 'Local'] as const]),
    ...(kind === 'LoadBalancer' ? [[FLAG.sourceRange, service.loadBalancerSourceRanges.length > 0] as const] : []),
  ]
  const mask = (wanted: boolean) => flags.reduce((sum, [flag, on]) => (on === wanted ? sum | flag : sum), 0)
  return {
    kind,
    address,
    port,
    protocol,
    scope,
    subject: `Service ${objectKey(service.meta)}`,
    evidence: objectEvidence(service, FIELDS[kind]),
    backends: balanced(objects, frontend, policy === 'Local' ? node.meta.name : undefined),
    set: mask(true),
    unset: mask(false),
    affinityTimeout: service.sessionAffinity === 'ClientIP' ? service.affinityTimeout : undefined,
    sourceRanges:
      kind === 'LoadBalancer'
        ? service.loadBalancerSourceRanges
            .filter((range) => range.address.family === address.family)
            .map((range) => `${formatAddress(range.address)}/${range.bits}`)
        : [],
  }
}

const FIELDS: Readonly<Record<ServiceFrontend['kind'], string>> = {
  ClusterIP: 'spec.clusterIPs',
  NodePort: 'spec.ports',
  ExternalIP: 'spec.externalIPs',
  LoadBalancer: 'status.loadBalancer.ingress',
  HealthCheckNodePort: 'spec.healthCheckNodePort',
}

/** Ready endpoints, or where there is none those that still serve while they terminate (KEP-1669). */
function balanced(objects: ClusterObjects, frontend: ServiceFrontend, localTo: string | undefined): readonly Backend[] {
  const near = endpointsOf(objects, frontend).filter(
    // An endpoint of no node is as near as any.
    ({ backend }) => localTo === undefined || backend.node === undefined || backend.node === localTo,
  )
  const ready = near.filter(({ endpoint }) => endpoint.ready)
  const chosen = ready.length > 0 ? ready : near.filter(({ endpoint }) => endpoint.serving && endpoint.terminating)
  return chosen.map(({ backend }) => backend)
}

function hostPorts(pod: PodObject, node: NodeObject): readonly ExpectedFrontend[] {
  return pod.ports.flatMap(({ hostPort, hostIP, containerPort, protocol }) => {
    // One for the node's own processes alone has an entry of another kind, which is passed over.
    if (hostPort === undefined || (hostIP !== undefined && isLoopbackAddress(hostIP))) return []
    const everywhere = hostIP === undefined || ['0.0.0.0', '::'].includes(formatAddress(hostIP))
    return pod.podIPs
      .filter((target) => everywhere || target.family === hostIP.family)
      .map((target) => {
        const address = everywhere ? nowhere(target.family) : hostIP
        const backend = { address: target, port: containerPort, node: node.meta.name, pod, slice: undefined }
        return hostPortFrontend(pod, address, hostPort, protocol, backend)
      })
  })
}

function hostPortFrontend(
  pod: PodObject,
  address: Address,
  port: number,
  protocol: Protocol,
  backend: Backend,
): ExpectedFrontend {
  return {
    kind: 'HostPort',
    address,
    port,
    protocol,
    scope: 'external',
    subject: `Pod ${objectKey(pod.meta)}`,
    evidence: objectEvidence(pod, 'spec.containers'),
    backends: [backend],
    set: FLAG.hostPort,
    unset: FLAG.nodePort,
    affinityTimeout: undefined,
    sourceRanges: [],
  }
}

export function objectEvidence({ meta }: Pick<ServiceObject, 'meta'>, field: string): Evidence {
  return {
    kind: 'object',
    apiVersion: meta.apiVersion,
    object: meta.kind,
    namespace: meta.namespace,
    name: meta.name,
    field,
  }
}
