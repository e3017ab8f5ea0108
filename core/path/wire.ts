// SPDX-License-Identifier: Apache-2.0

import { type Device, isLoopback, type Netns } from '../facts/netns.ts'
import { type Address, formatAddress, sameAddress } from '../net/address.ts'
import { factEvidence } from '../routing/text.ts'
import { bridgeOut } from './bridge.ts'
import { ended, leaveStack, type Movement, packetText, step, type Traveller, unknown } from './traveller.ts'
import { encapsulate, isTunnel } from './tunnel.ts'
import type { World } from './world.ts'

type Leaving = Extract<Movement, { kind: 'leaving' }>

/** From a device to whatever is at its other end. */
export function transmit(world: World, { traveller, oif, nexthop }: Leaving): readonly Movement[] {
  const { netns } = traveller
  const device = netns.devices.named(oif)
  if (device !== undefined && isLoopback(device)) {
    // The entry stays with the packet on its short way around.
    const around = { ...traveller, hops: traveller.hops + 1, flight: { ...traveller.flight, oif: undefined } }
    return [{ kind: 'arriving', traveller: around, iif: oif, nexthop }]
  }
  const left = neighbourNote(leaveStack(traveller), device, nexthop)
  if (device?.kind === 'bridge') return bridgeOut(world, left, device, nexthop, undefined)
  if (device !== undefined && isTunnel(device)) return encapsulate(world, left, device, nexthop)
  return wireOut(world, left, device, oif, nexthop)
}

/** Out by a device that is neither bridge nor tunnel: into the peer's namespace, or to another machine. */
export function wireOut(
  world: World,
  traveller: Traveller,
  device: Device | undefined,
  oif: string,
  nexthop: Address,
): readonly Movement[] {
  const peer = peerOf(world, traveller.netns, device)
  if (peer !== undefined) return [enter(traveller, oif, peer.netns, peer.device.ifname, nexthop)]
  const pod = traveller.netns.label === 'host' ? podBehind(world, traveller.netns, device, nexthop) : undefined
  if (pod !== undefined)
    return pod.netns === undefined
      ? [atUnseenPod(traveller, pod.name, oif)]
      : [enter(traveller, oif, pod.netns, pod.iif, nexthop)]
  if (traveller.netns.id !== 'host') return [intoUnseenHost(world, traveller, oif, nexthop)]
  return [toMachine(world, traveller, oif, nexthop)]
}

/** Both ends of a veth are in the facts. */
function peerOf(world: World, netns: Netns, device: Device | undefined): { netns: Netns; device: Device } | undefined {
  if (device?.peerIfindex === undefined) return undefined
  const other = device.peerNetns === undefined ? undefined : world.netnsAt(netns.node, device.peerNetns)
  const found = other?.devices.at(device.peerIfindex)
  if (other !== undefined && found !== undefined) return { netns: other, device: found }
  if (device.peerNetns !== undefined) return undefined
  // Within one namespace, or a peer that says itself where its other end is.
  const candidates = [netns, ...(world.facts.nodes.get(netns.node)?.netns.values() ?? [])]
  for (const candidate of candidates) {
    const back = candidate.devices.at(device.peerIfindex)
    if (back?.peerIfindex === device.ifindex && back !== device && back.peerNetns === netns.id)
      return { netns: candidate, device: back }
  }
  return undefined
}

/** A pod behind a host device whose other end the snapshot doesn't tell: by its address. */
function podBehind(
  world: World,
  netns: Netns,
  device: Device | undefined,
  nexthop: Address,
): { name: string; netns: Netns | undefined; iif: string } | undefined {
  const pod = world.facts.objects.podAt(nexthop)
  if (pod === undefined || pod.nodeName !== netns.node || device?.kind === '') return undefined
  const { namespace, name } = pod.meta
  const inside = world.facts.nodes.get(netns.node)?.netnsOfPod(namespace, name)
  const own = inside?.addresses.find((entry) => sameAddress(entry.address, nexthop))
  const iif = inside?.devices.nameOf(own?.ifindex) ?? 'eth0'
  return { name: `${namespace}/${name}`, netns: inside, iif }
}

/** Into another namespace of the same kernel: mark, priority and connection stay behind (skb_scrub_packet). */
export function enter(traveller: Traveller, oif: string, netns: Netns, iif: string, nexthop: Address): Movement {
  const sent = step(traveller, { hook: 'link', actor: { kind: 'device', ref: oif }, effect: 'transmit', text: `out by ${oif}` })
  const crossed = netns !== traveller.netns
  const flight = {
    ...sent.flight,
    ...(crossed ? { mark: 0, priority: undefined, socket: undefined } : {}),
    oif: undefined,
    physin: undefined,
    physout: undefined,
  }
  const inside = { ...sent, netns, flight, hops: sent.hops + 1 }
  const received = step(inside, { hook: 'link', actor: { kind: 'device', ref: iif }, effect: 'receive', text: `in by ${iif}` })
  return { kind: 'arriving', traveller: received, iif, nexthop }
}

/** The pod's own namespace is not in the snapshot, so nothing is known of rules inside it. */
export function atUnseenPod(traveller: Traveller, pod: string, oif: string): Movement {
  const missing = {
    what: `what happens inside the network namespace of pod ${pod}`,
    missing: `the snapshot of pod ${pod}'s network namespace on node ${traveller.netns.node}`,
    evidence: null,
  }
  const given = step(unknown(traveller, missing), {
    hook: 'link',
    actor: { kind: 'device', ref: oif },
    effect: 'deliver',
    text: `handed to pod ${pod} by ${oif}: ${packetText(traveller.flight.packet)}`,
  })
  return ended(given, 'delivered')
}

/** From a pod whose host end is not known: the host receives it by the device it would answer on. */
function intoUnseenHost(world: World, traveller: Traveller, oif: string, nexthop: Address): Movement {
  const host = world.hostOf(traveller.netns.node)
  if (host === undefined) return leaves(traveller, oif, nexthop, undefined)
  const iif = world.deviceTowards(host, traveller.flight.packet.src) ?? world.uplinkOf(host) ?? 'eth0'
  return enter(traveller, oif, host, iif, nexthop)
}

/** Onto the network between machines. */
export function toMachine(world: World, traveller: Traveller, oif: string, nexthop: Address): Movement {
  const { dst } = traveller.flight.packet
  const node = world.ownerOf(nexthop) ?? behindRouter(world, traveller, nexthop, dst)
  if (node !== undefined && node.node !== traveller.netns.node && node.label === 'host') {
    const own = node.addresses.find((entry) => sameAddress(entry.address, nexthop))
    return enter(traveller, oif, node, node.devices.nameOf(own?.ifindex) ?? world.uplinkOf(node) ?? 'eth0', nexthop)
  }
  const unseen = world.facts.objects.nodeAt(nexthop) ?? world.facts.objects.nodeAt(dst)
  return leaves(traveller, oif, nexthop, unseen?.meta.name)
}

/** Through a router that is no node, towards an address of one. */
function behindRouter(world: World, traveller: Traveller, nexthop: Address, dst: Address): Netns | undefined {
  if (sameAddress(nexthop, dst)) return undefined
  const owner = world.ownerOf(dst)
  if (owner === undefined) return undefined
  return owner.node === traveller.netns.node ? undefined : world.hostOf(owner.node)
}

function leaves(traveller: Traveller, oif: string, nexthop: Address, unseenNode: string | undefined): Movement {
  const to = formatAddress(nexthop)
  const missing = {
    what: `what node ${unseenNode} does with ${packetText(traveller.flight.packet)}`,
    missing: `the snapshot of node ${unseenNode}`,
    evidence: null,
  }
  const asked = unseenNode === undefined ? traveller : unknown(traveller, missing)
  const text =
    unseenNode === undefined
      ? `leaves by ${oif} towards ${to}, outside what is known`
      : `leaves by ${oif} towards node ${unseenNode} (${to})`
  const sent = step(asked, { hook: 'link', actor: { kind: 'device', ref: oif }, effect: 'forward', text })
  return ended(sent, 'forwarded')
}

const UNANSWERED = ['failed', 'incomplete']

function neighbourNote(traveller: Traveller, device: Device | undefined, nexthop: Address): Traveller {
  const { netns } = traveller
  const entry = netns.neighbours.find((each) => each.ifindex === device?.ifindex && sameAddress(each.address, nexthop))
  if (entry === undefined || !UNANSWERED.includes(entry.state)) return traveller
  const text = `${formatAddress(nexthop)} on ${device?.ifname}: ${entry.state}`
  return step(traveller, {
    hook: 'neighbour',
    actor: { kind: 'neighbour', ref: text },
    effect: 'unknown',
    evidence: factEvidence(entry.place, text),
    text: `nobody answered for ${formatAddress(nexthop)} when the snapshot was taken: the packet would wait, and then be dropped`,
  })
}
