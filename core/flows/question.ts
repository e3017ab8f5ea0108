// SPDX-License-Identifier: Apache-2.0

import { objectKey, type ServiceObject } from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, formatAddress, formatEndpoint, sameAddress } from '../net/address.ts'
import { type CtState, IPPROTO } from '../net/packet.ts'
import { protocolName, serviceProtocol } from '../path/resolve.ts'
import { isLinkLocal6, isMulticast } from '../routing/source.ts'
import type { Endpoint, Flow, Service } from './flow.ts'
import { type FlowPacket, flowPacket, flowPod } from './flowPacket.ts'

/** A question as `plumbline trace` asks it: `parsePlace` reads both ends. */
export interface FlowQuestion {
  /** "pod:shop/web", "host:n1", "10.0.0.5" */
  readonly from: string
  /** "svc:shop/db:5432/TCP", "pod:shop/db:5432/TCP", "10.0.0.5:80/TCP" */
  readonly to: string
  readonly ctState: CtState
}

/**
 * The question whose answer is what happened to this flow. About an answer it asks how the request goes: the way of answers follows from
 * it. Undefined: the flow has no addresses or ports to ask about.
 */
export function questionOfFlow(objects: ClusterObjects, flow: Flow): FlowQuestion | undefined {
  const seen = flowPacket(flow)
  if (seen === undefined) return undefined
  const reply = isReply(flow, seen)
  const packet = reply ? turned(seen) : seen
  // Socket events of answers know no ports.
  if (packet.destinationPort === 0 || !isRoutable(packet)) return undefined
  const [sender, receiver] = reply ? [flow.destination, flow.source] : [flow.source, flow.destination]
  const service = reply ? flow.sourceService : flow.destinationService
  return {
    from: placeOf(objects, sender, packet.source),
    to: targetOf(objects, receiver, service, packet),
    ctState: stateOf(flow, reply),
  }
}

/** What stays on its link has no way to ask about, and link-local addresses are nobody's in particular. */
function isRoutable({ source, destination }: FlowPacket): boolean {
  return !isLinkLocal6(source) && !isLinkLocal6(destination) && !isMulticast(destination)
}

const EPHEMERAL = 32_768

/** Before connection tracking saw it, only the ports tell: clients have high ones. */
function isReply({ isReply: known, l4 }: Flow, { sourcePort = 0, destinationPort = 0 }: FlowPacket): boolean {
  const flags = l4?.tcp?.flags
  if (flags?.syn) return flags.ack
  return known ?? (destinationPort >= EPHEMERAL && sourcePort < EPHEMERAL)
}

function turned(packet: FlowPacket): FlowPacket {
  const { source, destination, sourcePort, destinationPort } = packet
  return { ...packet, source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort }
}

function placeOf(objects: ClusterObjects, end: Endpoint | null, address: Address): string {
  const pod = flowPod(objects, end, address)
  if (pod !== undefined) return `pod:${objectKey(pod.meta)}`
  const node = objects.nodeAt(address)
  return node === undefined ? formatAddress(address) : `host:${node.meta.name}`
}

function targetOf(objects: ClusterObjects, end: Endpoint | null, named: Service | null, packet: FlowPacket): string {
  const { destination, destinationPort: port, protocol } = packet
  const name = protocolName(protocol)
  if (port === undefined) return `${formatAddress(destination)}/${protocol === IPPROTO.icmpv6 ? 'ICMP' : name}`
  const service = named === null ? undefined : objects.services.get(objectKey(named))
  const servicePort = service === undefined ? undefined : portOf(objects, service, packet)
  if (service !== undefined && servicePort !== undefined) return `svc:${objectKey(service.meta)}:${servicePort}/${name}`
  const pod = flowPod(objects, end, destination)
  // A pod's name stands for its first address.
  const first = pod?.podIPs[0]
  if (pod !== undefined && first !== undefined && sameAddress(first, destination))
    return `pod:${objectKey(pod.meta)}:${port}/${name}`
  return `${formatEndpoint(destination, port)}/${name}`
}

/** The Service's port that was asked for: as such, or as the backend's port that it was translated to. */
function portOf(objects: ClusterObjects, service: ServiceObject, packet: FlowPacket): number | undefined {
  const { destination, destinationPort, protocol } = packet
  const wanted = service.ports.filter((port) => port.protocol === serviceProtocol(protocol))
  const first = service.clusterIPs[0]
  if (first !== undefined && sameAddress(first, destination)) return wanted.find(({ port }) => port === destinationPort)?.port
  const names = objects.slicesOf(service).flatMap(({ endpoints, ports }) => {
    const here = endpoints.some(({ addresses }) => addresses.some((address) => sameAddress(address, destination)))
    return here ? ports.filter(({ port }) => port === destinationPort).map((port) => port.name) : []
  })
  return wanted.find(({ name }) => names.includes(name))?.port
}

/** What connection tracking held of it, as the trace's reason or TCP's flags tell. */
function stateOf(flow: Flow, reply: boolean): CtState {
  if (reply || ['ESTABLISHED', 'REPLY', 'REOPENED'].includes(flow.traceReason)) return 'established'
  if (flow.traceReason === 'RELATED') return 'related'
  const flags = flow.l4?.tcp?.flags
  return flags === null || flags === undefined || flags.syn || !(flags.ack || flags.fin || flags.rst || flags.psh)
    ? 'new'
    : 'established'
}
