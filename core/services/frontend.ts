// SPDX-License-Identifier: Apache-2.0

import type { NodeObject, PodObject, Protocol, ServiceObject, ServicePort } from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, formatAddress } from '../net/address.ts'

/** An address, port and protocol that a node's service datapath answers for. */
export type Frontend = ServiceFrontend | HostPortFrontend

export interface ServiceFrontend {
  readonly kind: 'ClusterIP' | 'NodePort' | 'ExternalIP' | 'LoadBalancer' | 'HealthCheckNodePort'
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
  /** The node that has it; undefined: every node. */
  readonly node: string | undefined
  readonly service: ServiceObject
  readonly servicePort: ServicePort
}

export interface HostPortFrontend {
  readonly kind: 'HostPort'
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
  readonly node: string
  readonly pod: PodObject
  readonly containerPort: number
}

/** All frontends of a cluster, by address, port and protocol. */
export class ServiceFrontends {
  readonly #byKey = new Map<string, Frontend>()

  constructor(objects: ClusterObjects) {
    const nodes = [...objects.nodes.values()]
    // Earlier ones win: a cluster IP is never taken over by somebody's external IP.
    const services = [...objects.services.values()]
    for (const service of services) this.#addAll(clusterIPs(service))
    for (const service of services) this.#addAll(externals(service))
    for (const service of services) this.#addAll(nodePorts(service, nodes))
    for (const pod of objects.pods.values()) this.#addAll(hostPorts(pod, objects))
  }

  lookup(address: Address, port: number, protocol: Protocol): Frontend | undefined {
    return this.#byKey.get(key(address, port, protocol))
  }

  /** Whether the address belongs to a Service, whatever the port: other ports of it are not answered. */
  serviceAt(address: Address): ServiceObject | undefined {
    return this.#addresses.get(formatAddress(address))
  }

  of(service: ServiceObject): readonly ServiceFrontend[] {
    return this.#ofServices().get(service) ?? []
  }

  /** Grouped when first asked for: a question about every Service must not go through all frontends each time. */
  #ofServices(): ReadonlyMap<ServiceObject, readonly ServiceFrontend[]> {
    if (this.#byService !== undefined) return this.#byService
    const grouped = new Map<ServiceObject, ServiceFrontend[]>()
    for (const frontend of this.#byKey.values()) {
      if (frontend.kind === 'HostPort') continue
      const group = grouped.get(frontend.service)
      if (group === undefined) grouped.set(frontend.service, [frontend])
      else group.push(frontend)
    }
    this.#byService = grouped
    return grouped
  }

  #byService: ReadonlyMap<ServiceObject, readonly ServiceFrontend[]> | undefined

  readonly #addresses = new Map<string, ServiceObject>()

  #addAll(frontends: readonly Frontend[]): void {
    for (const frontend of frontends) {
      const id = key(frontend.address, frontend.port, frontend.protocol)
      if (!this.#byKey.has(id)) this.#byKey.set(id, frontend)
      if (frontend.kind === 'ClusterIP' || frontend.kind === 'LoadBalancer') {
        this.#addresses.set(formatAddress(frontend.address), frontend.service)
      }
    }
  }
}

function clusterIPs(service: ServiceObject): readonly ServiceFrontend[] {
  return service.clusterIPs.flatMap((address) => everyPort(service, 'ClusterIP', address))
}

/** KEP-1860: with ipMode Proxy the load balancer is passed through, nodes leave its address alone. */
function externals(service: ServiceObject): readonly ServiceFrontend[] {
  const balanced = service.loadBalancerIPs.filter((ingress) => ingress.ipMode === 'VIP')
  return [
    ...service.externalIPs.flatMap((address) => everyPort(service, 'ExternalIP', address)),
    ...balanced.flatMap((ingress) => everyPort(service, 'LoadBalancer', ingress.address)),
  ]
}

function everyPort(service: ServiceObject, kind: ServiceFrontend['kind'], address: Address): readonly ServiceFrontend[] {
  return service.ports.map((servicePort) => {
    const { port, protocol } = servicePort
    return { kind, address, port, protocol, node: undefined, service, servicePort }
  })
}

function nodePorts(service: ServiceObject, nodes: readonly NodeObject[]): readonly ServiceFrontend[] {
  const families = new Set(service.clusterIPs.map((address) => address.family))
  return nodes.flatMap((node) =>
    [...node.internalIPs, ...node.externalIPs]
      .filter((address) => families.has(address.family))
      .flatMap((address) => nodePortsAt(service, node.meta.name, address)),
  )
}

/** What a Service's node ports look like at one address of a node. */
export function nodePortsAt(service: ServiceObject, node: string, address: Address): readonly ServiceFrontend[] {
  const ports = service.ports.flatMap((servicePort): readonly ServiceFrontend[] =>
    servicePort.nodePort === undefined
      ? []
      : [{ kind: 'NodePort', address, port: servicePort.nodePort, protocol: servicePort.protocol, node, service, servicePort }],
  )
  const [first] = service.ports
  if (service.healthCheckNodePort === undefined || first === undefined) return ports
  const health = { kind: 'HealthCheckNodePort', address, port: service.healthCheckNodePort, protocol: 'TCP', node } as const
  return [...ports, { ...health, service, servicePort: first }]
}

/** Ports of host-network pods are the node's own; only the others are mapped. */
function hostPorts(pod: PodObject, objects: ClusterObjects): readonly HostPortFrontend[] {
  const node = pod.nodeName === undefined ? undefined : objects.nodes.get(pod.nodeName)
  if (node === undefined || pod.hostNetwork || pod.phase !== 'Running') return []
  return pod.ports.flatMap(({ hostPort, hostIP, containerPort, protocol }) => {
    if (hostPort === undefined) return []
    const any = hostIP === undefined || formatAddress(hostIP) === '0.0.0.0' || formatAddress(hostIP) === '::'
    const addresses = any ? [...node.internalIPs, ...node.externalIPs] : [hostIP]
    return addresses.map((address) => ({
      kind: 'HostPort' as const,
      address,
      port: hostPort,
      protocol,
      node: node.meta.name,
      pod,
      containerPort,
    }))
  })
}

function key(address: Address, port: number, protocol: Protocol): string {
  return `${formatAddress(address)}|${port}|${protocol}`
}
