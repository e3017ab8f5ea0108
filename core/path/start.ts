// SPDX-License-Identifier: Apache-2.0

import type { Netns } from '../facts/netns.ts'
import { type Address, formatAddress } from '../net/address.ts'
import { type CtState, type Flight, IPPROTO, type Packet, TCP_FLAG } from '../net/packet.ts'
import type { Unknown } from './answer.ts'
import { PlaceError } from './place.ts'
import type { Source, Target } from './resolve.ts'
import { sendLocal } from './stack.ts'
import { type Movement, step, type Traveller, unknown } from './traveller.ts'
import { withCtState } from './walk.ts'
import type { World } from './world.ts'

/** A question with its names looked up. */
export interface Resolved {
  readonly source: Source
  readonly target: Target
  /** As the sender has it, before anything happens. */
  readonly sourceAddress: Address
  /** Undefined: an ephemeral port the kernel chooses. */
  readonly sourcePort: number | undefined
  readonly ctState: CtState
  readonly mark: number
  /** Device a packet from outside comes in by. */
  readonly iif: string | undefined
}

/** First packet of the conversation, or one in its middle. */
export function packetOf({ sourceAddress, sourcePort, target, ctState }: Resolved): Packet {
  const { address, port, protocol } = target
  const { family } = address
  const icmp =
    protocol === IPPROTO.icmp
      ? { type: 8, code: 0, id: undefined }
      : protocol === IPPROTO.icmpv6
        ? { type: 128, code: 0, id: undefined }
        : undefined
  return {
    family,
    protocol,
    src: sourceAddress,
    dst: address,
    sport: sourcePort,
    dport: port,
    icmp,
    tcpFlags: protocol === IPPROTO.tcp ? (ctState === 'new' ? TCP_FLAG.syn : TCP_FLAG.ack) : undefined,
    length: undefined,
    ttl: 64,
    dscp: 0,
    srcMac: undefined,
    dstMac: undefined,
  }
}

export function startFlight(resolved: Resolved, mark: number): Flight {
  return {
    packet: packetOf(resolved),
    mark,
    iif: undefined,
    oif: undefined,
    physin: undefined,
    physout: undefined,
    connection: undefined,
    notrack: false,
    priority: undefined,
    socket: undefined,
  }
}

export function travellerIn(netns: Netns, flight: Flight): Traveller {
  return { flight, netns, probability: 1, steps: [], unknowns: [], visited: [], translations: [], hops: 0, inner: [] }
}

/** Where the packet starts. Throws PlaceError when no snapshot covers the place. */
export function begin(world: World, resolved: Resolved): readonly Movement[] {
  const { source } = resolved
  if (source.kind === 'address') return [fromOutside(world, resolved, source.address)]
  const host = world.hostOf(source.node)
  if (source.kind === 'host') {
    if (host === undefined) throw missingSnapshot(world, source.node)
    return local(world, host, resolved)
  }
  const { namespace, name } = source.pod.meta
  const inside = world.facts.nodes.get(source.node)?.netnsOfPod(namespace, name)
  if (inside !== undefined) return local(world, inside, resolved)
  if (host === undefined) throw missingSnapshot(world, source.node)
  return [fromUnseenPod(world, host, resolved, `${namespace}/${name}`)]
}

function missingSnapshot(world: World, node: string): PlaceError {
  const known = [...world.facts.nodes.keys()]
  const have = known.length === 0 ? 'there is none of any node' : `there are snapshots of ${known.join(', ')}`
  return new PlaceError(`the packet starts on node ${node}, and there is no snapshot of it: ${have}`)
}

function local(world: World, netns: Netns, resolved: Resolved): readonly Movement[] {
  const flight = withCtState(startFlight(resolved, resolved.mark), resolved.ctState)
  const { packet } = flight
  const to = `${formatAddress(packet.dst)}${packet.dport === undefined ? '' : `:${packet.dport}`}`
  const connecting = step(travellerIn(netns, flight), {
    hook: 'socket',
    actor: { kind: 'socket', ref: netns.label },
    effect: 'pass',
    text: `connects to ${to}`,
  })
  return sendLocal(world, connecting, undefined)
}

/** A pod whose namespace is not in the snapshot comes in by the device the host would answer it on. */
function fromUnseenPod(world: World, host: Netns, resolved: Resolved, pod: string): Movement {
  const missing: Unknown = {
    what: `what happens inside the network namespace of pod ${pod}`,
    missing: `the snapshot of pod ${pod}'s network namespace on node ${host.node}`,
    evidence: null,
  }
  const iif = resolved.iif ?? world.deviceTowards(host, resolved.sourceAddress) ?? 'eth0'
  const traveller = unknown(travellerIn(host, startFlight(resolved, 0)), missing)
  return arriving(traveller, iif, host.addresses[0]?.address, `in from pod ${pod} by ${iif}`)
}

/** Packets from outside enter the node they are addressed to, or that has what they are for. */
function fromOutside(world: World, resolved: Resolved, address: Address): Movement {
  const entry = entryNode(world, resolved)
  const { host, unknowns } = entry
  const iif = resolved.iif ?? world.deviceTowards(host, address) ?? world.uplinkOf(host) ?? 'eth0'
  const traveller = unknown(travellerIn(host, startFlight(resolved, resolved.mark)), ...unknowns)
  return arriving(traveller, iif, host.addresses[0]?.address, `in from ${formatAddress(address)} by ${iif}`)
}

function entryNode(world: World, { target }: Resolved): { readonly host: Netns; readonly unknowns: readonly Unknown[] } {
  const { objects, nodes } = world.facts
  const owner =
    objects.nodeAt(target.address)?.meta.name ?? objects.podAt(target.address)?.nodeName ?? world.ownerOf(target.address)?.node
  if (owner !== undefined) {
    const host = world.hostOf(owner)
    if (host === undefined) throw missingSnapshot(world, owner)
    return { host, unknowns: [] }
  }
  const hosts = [...nodes.values()].flatMap((node) => node.host ?? [])
  const [host] = hosts
  if (host === undefined) throw new PlaceError('there is no node snapshot a packet from outside could enter')
  const what = `which node receives packets for ${formatAddress(target.address)}: ${host.node} is taken`
  const missing = 'what the network outside does (routes, load balancer), or ask with --to NODE-ADDRESS:PORT'
  return { host, unknowns: hosts.length === 1 ? [] : [{ what, missing, evidence: null }] }
}

function arriving(traveller: Traveller, iif: string, nexthop: Address | undefined, text: string): Movement {
  const received = step(traveller, { hook: 'link', actor: { kind: 'device', ref: iif }, effect: 'receive', text })
  // Addressed to the machine itself, whatever it makes of it.
  return { kind: 'arriving', traveller: received, iif, nexthop: nexthop ?? traveller.flight.packet.dst }
}
