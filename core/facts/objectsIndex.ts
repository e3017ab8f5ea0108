// SPDX-License-Identifier: Apache-2.0

import { type Address, formatAddress } from '../net/address.ts'
import { prefixContains } from '../net/prefix.ts'
import {
  type EndpointSliceObject,
  type NamespaceObject,
  type NetworkPolicyObject,
  type NodeObject,
  type ObjectMeta,
  objectKey,
  type PodObject,
  type ServiceObject,
} from './objects.ts'
import { parseEndpointSlice, parseMeta, parseNetworkPolicy, parseNode, parsePod, parseService } from './objectsParse.ts'
import { type FactProblem, Shape } from './objectsShape.ts'

/** One parsed JSON or YAML document, and where it came from. Lists are unfolded. */
export interface ObjectDocument {
  readonly file: string
  /** JSON pointer of `value` in the file; empty for the whole file. */
  readonly pointer: string
  readonly value: unknown
}

/** Cluster objects, indexed by what questions ask for. */
export class ClusterObjects {
  readonly nodes = new Map<string, NodeObject>()
  readonly namespaces = new Map<string, NamespaceObject>()
  /** By "namespace/name", as are services, slices and policies. */
  readonly pods = new Map<string, PodObject>()
  readonly services = new Map<string, ServiceObject>()
  readonly endpointSlices = new Map<string, EndpointSliceObject>()
  readonly networkPolicies = new Map<string, NetworkPolicyObject>()
  /** Kinds that have no typed view here, as they came, by kind. */
  readonly others = new Map<string, { readonly meta: ObjectMeta; readonly object: Shape }[]>()
  readonly problems: FactProblem[] = []

  readonly #podsByAddress = new Map<string, PodObject[]>()
  readonly #nodesByAddress = new Map<string, NodeObject>()
  readonly #slicesByService = new Map<string, EndpointSliceObject[]>()
  readonly #policiesByNamespace = new Map<string, NetworkPolicyObject[]>()

  constructor(documents: Iterable<ObjectDocument>) {
    for (const { value, file, pointer } of documents) this.#add(new Shape(value, file, pointer, this.problems), undefined)
  }

  /** Pods with this address; several when they share their node's. Finished pods hold none. */
  podsAt(address: Address): readonly PodObject[] {
    return this.#podsByAddress.get(formatAddress(address)) ?? []
  }

  /** The pod that has this address for itself. */
  podAt(address: Address): PodObject | undefined {
    return this.podsAt(address).find((pod) => !pod.hostNetwork)
  }

  nodeAt(address: Address): NodeObject | undefined {
    return this.#nodesByAddress.get(formatAddress(address))
  }

  nodeOfPodCidr(address: Address): NodeObject | undefined {
    for (const node of this.nodes.values()) if (node.podCIDRs.some((cidr) => prefixContains(cidr, address))) return node
    return undefined
  }

  slicesOf(service: ServiceObject): readonly EndpointSliceObject[] {
    return this.#slicesByService.get(objectKey(service.meta)) ?? []
  }

  policiesIn(namespace: string): readonly NetworkPolicyObject[] {
    return this.#policiesByNamespace.get(namespace) ?? []
  }

  #add(object: Shape, listKind: { kind: string; apiVersion: string } | undefined): void {
    if (object.record() === undefined) return
    const kind = object.field('kind').text() ?? listKind?.kind ?? ''
    const apiVersion = object.field('apiVersion').text() ?? listKind?.apiVersion ?? ''
    if (kind.endsWith('List') && Array.isArray(object.field('items').value)) {
      // Items of a typed list come without kind and apiVersion of their own.
      const inherited = kind === 'List' ? undefined : { kind: kind.slice(0, -'List'.length), apiVersion }
      for (const item of object.field('items').items()) this.#add(item, inherited)
      return
    }
    const read = parseMeta(object)
    if (read === undefined) return
    const namespaced = ['Pod', 'Service', 'EndpointSlice', 'NetworkPolicy'].includes(kind) && read.namespace === ''
    const meta = { ...read, kind, apiVersion, namespace: namespaced ? 'default' : read.namespace }
    this.#keep(object, meta)
  }

  #keep(object: Shape, meta: ObjectMeta): void {
    switch (`${group(meta.apiVersion)}/${meta.kind}`) {
      case '/Node':
        this.#keepNode(parseNode(object, meta))
        break
      case '/Namespace':
        this.namespaces.set(meta.name, { meta })
        break
      case '/Pod':
        this.#keepPod(parsePod(object, meta))
        break
      case '/Service':
        this.services.set(objectKey(meta), parseService(object, meta))
        break
      case 'discovery.k8s.io/EndpointSlice':
        this.#keepSlice(parseEndpointSlice(object, meta))
        break
      case 'networking.k8s.io/NetworkPolicy':
        this.#keepPolicy(parseNetworkPolicy(object, meta))
        break
      default:
        append(this.others, meta.kind, { meta, object })
    }
  }

  #keepPolicy(policy: NetworkPolicyObject): void {
    this.networkPolicies.set(objectKey(policy.meta), policy)
    append(this.#policiesByNamespace, policy.meta.namespace, policy)
  }

  #keepNode(node: NodeObject): void {
    this.nodes.set(node.meta.name, node)
    for (const address of [...node.internalIPs, ...node.externalIPs]) this.#nodesByAddress.set(formatAddress(address), node)
  }

  #keepPod(pod: PodObject): void {
    this.pods.set(objectKey(pod.meta), pod)
    if (pod.phase === 'Succeeded' || pod.phase === 'Failed') return
    for (const address of pod.podIPs) append(this.#podsByAddress, formatAddress(address), pod)
  }

  #keepSlice(slice: EndpointSliceObject): void {
    this.endpointSlices.set(objectKey(slice.meta), slice)
    if (slice.serviceName !== undefined) {
      append(this.#slicesByService, objectKey({ namespace: slice.meta.namespace, name: slice.serviceName }), slice)
    }
  }
}

function group(apiVersion: string): string {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? '' : apiVersion.slice(0, slash)
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
