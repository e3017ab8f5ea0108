// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../facts/cluster.ts'
import type { PodObject, Protocol, ServiceObject, ServicePort } from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, type Family, formatAddress } from '../net/address.ts'
import { IPPROTO } from '../net/packet.ts'
import { didYouMean } from '../text/suggest.ts'
import { hasPorts, type Place, PlaceError } from './place.ts'

/** Where a packet starts. */
export type Source =
  | { readonly kind: 'pod'; readonly pod: PodObject; readonly node: string }
  | { readonly kind: 'host'; readonly node: string }
  /** From outside the cluster. */
  | { readonly kind: 'address'; readonly address: Address }

/** What it is for. */
export interface Target {
  readonly address: Address
  readonly port: number | undefined
  readonly protocol: number
  /** Addresses a name stands for, when there are several and the client picks one: headless Services. */
  readonly alternatives: readonly { readonly address: Address; readonly port: number | undefined }[]
  readonly service: ServiceObject | undefined
}

/** Throws PlaceError, naming what exists instead. */
export function resolveSource(facts: ClusterFacts, place: Place): Source {
  if (place.kind === 'address') return sourceAddress(facts, place.address)
  if (place.kind === 'host') return { kind: 'host', node: knownNode(facts, place.node) }
  if (place.kind === 'pod') return sourcePod(facts, knownPod(facts.objects, place.namespace, place.name))
  throw new PlaceError(`\`${place.text}\` can't send packets: a Service is no place; name a pod behind it, a host, or an address`)
}

function sourceAddress(facts: ClusterFacts, address: Address): Source {
  const pod = facts.objects.podAt(address)
  if (pod !== undefined) return sourcePod(facts, pod)
  const node = facts.objects.nodeAt(address)
  return node === undefined ? { kind: 'address', address } : { kind: 'host', node: node.meta.name }
}

function sourcePod(facts: ClusterFacts, pod: PodObject): Source {
  const { namespace, name } = pod.meta
  if (pod.nodeName === undefined)
    throw new PlaceError(`pod ${namespace}/${name} is on no node yet (${pod.phase}): it can't send anything`)
  if (pod.podIPs.length === 0) throw new PlaceError(`pod ${namespace}/${name} has no address: its phase is ${pod.phase}`)
  if (pod.hostNetwork) return { kind: 'host', node: knownNode(facts, pod.nodeName) }
  return { kind: 'pod', pod, node: pod.nodeName }
}

function knownNode(facts: ClusterFacts, name: string): string {
  if (facts.nodes.has(name) || facts.objects.nodes.has(name)) return name
  const known = [...new Set([...facts.nodes.keys(), ...facts.objects.nodes.keys()])]
  throw new PlaceError(`there is no node \`${name}\`${didYouMean(name, known) || listed('nodes', known)}`)
}

function knownPod(objects: ClusterObjects, namespace: string, name: string): PodObject {
  const pod = objects.pods.get(`${namespace}/${name}`)
  if (pod !== undefined) return pod
  throw notFound('pod', namespace, name, objects.pods.values(), objects)
}

function knownService(objects: ClusterObjects, namespace: string, name: string): ServiceObject {
  const service = objects.services.get(`${namespace}/${name}`)
  if (service !== undefined) return service
  throw notFound('service', namespace, name, objects.services.values(), objects)
}

function notFound(
  kind: string,
  namespace: string,
  name: string,
  all: Iterable<PodObject | ServiceObject>,
  objects: ClusterObjects,
): PlaceError {
  const every = [...all].map(({ meta }) => meta)
  const here = every.filter((meta) => meta.namespace === namespace).map((meta) => meta.name)
  if (here.length === 0 && !objects.namespaces.has(namespace)) {
    const known = new Set([...objects.namespaces.keys(), ...every.map((meta) => meta.namespace)])
    return new PlaceError(
      `there is no namespace \`${namespace}\`${didYouMean(namespace, known) || listed('namespaces', [...known])}`,
    )
  }
  const elsewhere = every.filter((meta) => meta.name === name).map((meta) => meta.namespace)
  const hint =
    elsewhere.length > 0
      ? `; there is one in namespace ${elsewhere.join(', ')}`
      : didYouMean(name, here) || listed(`${kind}s there`, here)
  return new PlaceError(`namespace ${namespace} has no ${kind} \`${name}\`${hint}`)
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return `; there are no ${what}`
  const shown = names.slice(0, 8).join(', ')
  return `; ${what}: ${shown}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`
}

/** Families a source can speak, best first. */
export function familiesOf(facts: ClusterFacts, source: Source): readonly Family[] {
  if (source.kind === 'address') return [source.address.family]
  const addresses = source.kind === 'pod' ? source.pod.podIPs : (facts.objects.nodes.get(source.node)?.internalIPs ?? [])
  const families = [...new Set(addresses.map((address) => address.family))]
  return families.length === 0 ? [4, 6] : families
}

/** Throws PlaceError. */
export function resolveTarget(facts: ClusterFacts, place: Place, families: readonly Family[]): Target {
  switch (place.kind) {
    case 'address':
      return plainTarget(place, place.address, place.port)
    case 'host': {
      const node = facts.objects.nodes.get(knownNode(facts, place.node))
      const address = pick(node?.internalIPs ?? [], families)
      if (address === undefined) throw new PlaceError(`node ${place.node} has no internal address in a family the source speaks`)
      return plainTarget(place, address, place.port)
    }
    case 'pod':
      return podTarget(facts, place, families)
    case 'service':
      return serviceTarget(facts, place, families)
  }
}

function plainTarget(place: Place, address: Address, port: number | string | undefined): Target {
  const protocol = place.protocol ?? (port === undefined ? icmpOf(address) : IPPROTO.tcp)
  if (typeof port === 'string')
    throw new PlaceError(`\`${place.text}\` names port \`${port}\`, and only services and pods name theirs`)
  if (hasPorts(protocol) && port === undefined)
    throw new PlaceError(`\`${place.text}\` needs a port: ${place.text}:PORT/PROTOCOL`)
  return { address, port, protocol, alternatives: [], service: undefined }
}

/** Without a port the question is whether it can be reached at all: a ping. */
function icmpOf(address: Address): number {
  return address.family === 4 ? IPPROTO.icmp : IPPROTO.icmpv6
}

function podTarget(facts: ClusterFacts, place: Place & { namespace: string; name: string }, families: readonly Family[]): Target {
  const pod = knownPod(facts.objects, place.namespace, place.name)
  const address = pick(pod.podIPs, families)
  const name = `${place.namespace}/${place.name}`
  if (address === undefined) throw new PlaceError(`pod ${name} has no address the source can reach: its phase is ${pod.phase}`)
  if (typeof place.port !== 'string') return plainTarget(place, address, place.port ?? onlyPort(pod, place))
  const named = pod.ports.find((port) => port.name === place.port)
  if (named === undefined) {
    const names = pod.ports.flatMap((port) => port.name ?? [])
    throw new PlaceError(
      `pod ${name} has no port named \`${place.port}\`${didYouMean(place.port, names) || listed('named ports', names)}`,
    )
  }
  return {
    address,
    port: named.containerPort,
    protocol: place.protocol ?? NUMBERS[named.protocol],
    alternatives: [],
    service: undefined,
  }
}

function onlyPort(pod: PodObject, place: Place): number | undefined {
  if (place.protocol !== undefined && !hasPorts(place.protocol)) return undefined
  const [only, another] = pod.ports
  return only !== undefined && another === undefined ? only.containerPort : undefined
}

const NUMBERS: Readonly<Record<Protocol, number>> = { TCP: IPPROTO.tcp, UDP: IPPROTO.udp, SCTP: IPPROTO.sctp }

export function protocolName(protocol: number): string {
  const found = Object.entries(IPPROTO).find(([, number]) => number === protocol)?.[0]
  return found === undefined ? String(protocol) : found === 'icmpv6' ? 'ICMPv6' : found.toUpperCase()
}

/** A sender's port, where it was given as a number. */
export function portOf(place: Place): number | undefined {
  return typeof place.port === 'number' ? place.port : undefined
}

/** As Service ports name it; undefined for what they can't carry. */
export function serviceProtocol(protocol: number): Protocol | undefined {
  return (Object.keys(NUMBERS) as Protocol[]).find((name) => NUMBERS[name] === protocol)
}

function serviceTarget(
  facts: ClusterFacts,
  place: Place & { namespace: string; name: string },
  families: readonly Family[],
): Target {
  const service = knownService(facts.objects, place.namespace, place.name)
  const name = `${place.namespace}/${place.name}`
  if (service.type === 'ExternalName') {
    throw new PlaceError(
      `service ${name} is an ExternalName: DNS answers with \`${service.externalName ?? ''}\` and no packet ever meets the Service; trace to an address of that name`,
    )
  }
  const port = knownPort(service, place)
  const protocol = NUMBERS[port.protocol]
  if (service.headless) return headlessTarget(facts, service, port, families)
  const address = pick(service.clusterIPs, families)
  if (address === undefined) throw new PlaceError(`service ${name} has no cluster IP in a family the source speaks`)
  return { address, port: port.port, protocol, alternatives: [], service }
}

function knownPort(service: ServiceObject, place: Place): ServicePort {
  const ofProtocol = service.ports.filter((port) => place.protocol === undefined || NUMBERS[port.protocol] === place.protocol)
  const found = ofProtocol.find((port) => port.port === place.port || (place.port !== undefined && port.name === place.port))
  const [only, another] = ofProtocol
  const chosen = found ?? (place.port === undefined && another === undefined ? only : undefined)
  if (chosen !== undefined) return chosen
  const has = service.ports.map((port) => `${port.port}/${port.protocol}${port.name === '' ? '' : ` (${port.name})`}`).join(', ')
  const { namespace, name } = service.meta
  const asked = place.port === undefined ? 'name one of its ports' : `it has no port \`${place.port}\``
  throw new PlaceError(`service ${namespace}/${name}: ${asked}; it has ${has || 'no ports'}`)
}

/** DNS answers with the pods themselves. */
function headlessTarget(facts: ClusterFacts, service: ServiceObject, port: ServicePort, families: readonly Family[]): Target {
  const family = families[0] === 6 ? 'IPv6' : 'IPv4'
  const alternatives = facts.objects
    .slicesOf(service)
    .filter((slice) => slice.addressType === family)
    .flatMap((slice) => {
      const number = slice.ports.find((entry) => entry.name === port.name && entry.protocol === port.protocol)?.port
      const usable = slice.endpoints.filter((endpoint) => endpoint.ready || service.publishNotReadyAddresses)
      return usable.flatMap((endpoint) => endpoint.addresses.map((address) => ({ address, port: number })))
    })
  const [first] = alternatives
  const { namespace, name } = service.meta
  if (first === undefined) {
    throw new PlaceError(`service ${namespace}/${name} is headless and has no ready endpoint: DNS has no address for it`)
  }
  return { ...first, protocol: NUMBERS[port.protocol], alternatives, service }
}

function pick(addresses: readonly Address[], families: readonly Family[]): Address | undefined {
  for (const family of families) {
    const found = addresses.find((address) => address.family === family)
    if (found !== undefined) return found
  }
  return undefined
}

/** "pod shop/web", "node n1", "203.0.113.9" */
export function sourceText(source: Source): string {
  if (source.kind === 'pod') return `pod ${source.pod.meta.namespace}/${source.pod.meta.name}`
  return source.kind === 'host' ? `node ${source.node}` : formatAddress(source.address)
}
