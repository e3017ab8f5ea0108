// SPDX-License-Identifier: Apache-2.0

import { type PodObject, type ServiceObject, type ServicePort, objectKey } from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, sameAddress } from '../net/address.ts'
import type { Place } from './place.ts'

/** Whose facts a question needs: a live connection collects these, and no more of a large cluster. */
export interface Involved {
  /** Node names, sorted. */
  readonly nodes: readonly string[]
  /** Pods as "namespace/name", sorted. */
  readonly pods: readonly string[]
}

/** Every node and pod a packet between two places may start on, be forwarded to, or end in. */
export function involved(objects: ClusterObjects, from: Place, to: Place): Involved {
  const search = new Search(objects)
  search.place(from)
  search.place(to)
  return { nodes: [...search.nodes].sort(), pods: [...search.pods].sort() }
}

class Search {
  readonly nodes = new Set<string>()
  readonly pods = new Set<string>()
  readonly #objects: ClusterObjects

  constructor(objects: ClusterObjects) {
    this.#objects = objects
  }

  place(place: Place): void {
    switch (place.kind) {
      case 'host':
        this.nodes.add(place.node)
        this.#servicesAt(place.port, (_service, port) => port.nodePort)
        break
      case 'pod':
        this.#pod(this.#objects.pods.get(objectKey(place)))
        break
      case 'service':
        this.#service(this.#objects.services.get(objectKey(place)))
        break
      case 'address':
        this.#address(place.address, place.port)
    }
  }

  #address(address: Address, port: Place['port']): void {
    const node = this.#objects.nodeAt(address) ?? this.#objects.nodeOfPodCidr(address)
    if (node !== undefined) this.nodes.add(node.meta.name)
    this.#pod(this.#objects.podAt(address))
    this.#servicesAt(port, (service, each) => (frontends(service).some((ip) => sameAddress(ip, address)) ? each.port : undefined))
    if (this.#objects.nodeAt(address) !== undefined) this.#servicesAt(port, (_service, each) => each.nodePort)
  }

  /** Services that have this port at the place in question, as `portOf` tells. */
  #servicesAt(port: Place['port'], portOf: (service: ServiceObject, port: ServicePort) => number | undefined): void {
    if (port === undefined) return
    for (const service of this.#objects.services.values()) {
      if (service.ports.some((each) => portOf(service, each) === port)) this.#service(service)
    }
  }

  #service(service: ServiceObject | undefined): void {
    if (service === undefined) return
    for (const slice of this.#objects.slicesOf(service)) {
      for (const { target, nodeName, addresses } of slice.endpoints) {
        if (nodeName !== undefined) this.nodes.add(nodeName)
        if (target?.kind === 'Pod') this.#pod(this.#objects.pods.get(objectKey(target)))
        for (const address of addresses) this.#pod(this.#objects.podAt(address))
      }
    }
  }

  #pod(pod: PodObject | undefined): void {
    if (pod === undefined) return
    if (pod.nodeName !== undefined) this.nodes.add(pod.nodeName)
    if (!pod.hostNetwork) this.pods.add(objectKey(pod.meta))
  }
}

function frontends(service: ServiceObject): readonly Address[] {
  return [...service.clusterIPs, ...service.externalIPs, ...service.loadBalancerIPs.map(({ address }) => address)]
}
