// SPDX-License-Identifier: Apache-2.0

import type { Device, Netns } from '../facts/netns.ts'
import { type Address, formatAddress, parseAddress, sameAddress } from '../net/address.ts'
import { type Flight, IPPROTO, type Packet } from '../net/packet.ts'
import { sendLocal } from './stack.ts'
import { ended, type Movement, packetText, step, type Traveller, unknown } from './traveller.ts'
import type { World } from './world.ts'

/** Packets within packets: VXLAN by its forwarding entries, IP in IP by the route's gateway. */

const IPIP = 4
const TUNNELS = ['vxlan', 'ipip', 'sit']

export function isTunnel(device: Device): boolean {
  return TUNNELS.includes(device.kind)
}

/** Wraps the packet and sends the outer one from this namespace, through its own OUTPUT and POSTROUTING. */
export function encapsulate(world: World, traveller: Traveller, device: Device, nexthop: Address): readonly Movement[] {
  const remote = remoteOf(traveller.netns, device, nexthop)
  if (remote === undefined) return [noRemote(traveller, device, nexthop)]
  const inner = traveller.flight
  const packet = outerPacket(device, inner.packet, remote)
  const wrapped = step(
    { ...traveller, inner: [...traveller.inner, inner], flight: outerFlight(inner, packet), hops: traveller.hops + 1 },
    {
      hook: 'tunnel',
      actor: { kind: 'device', ref: device.ifname },
      effect: 'encapsulate',
      before: packetText(inner.packet),
      after: `${device.kind} to ${formatAddress(remote)}`,
      text: `${device.ifname} wraps it for ${formatAddress(remote)} (${device.kind})`,
    },
  )
  return sendLocal(world, wrapped, parseAddress(device.vxlan?.local ?? ''))
}

/** The tunnel's other end: takes the packet out again. Undefined: not addressed to a tunnel of this namespace. */
export function decapsulate(traveller: Traveller): { readonly traveller: Traveller; readonly iif: string } | undefined {
  const inner = traveller.inner.at(-1)
  if (inner === undefined) return undefined
  const { packet } = traveller.flight
  const device = [...traveller.netns.devices].find((candidate) => acceptsTunnel(candidate, packet))
  if (device === undefined) return undefined
  const flight: Flight = {
    ...inner,
    iif: device.ifname,
    oif: undefined,
    physin: undefined,
    physout: undefined,
    mark: 0,
    connection: undefined,
  }
  const unwrapped = { ...traveller, inner: traveller.inner.slice(0, -1), flight }
  const noted = step(unwrapped, {
    hook: 'tunnel',
    actor: { kind: 'device', ref: device.ifname },
    effect: 'decapsulate',
    text: `${device.ifname} unwraps it: ${packetText(inner.packet)}`,
  })
  return { traveller: noted, iif: device.ifname }
}

function acceptsTunnel(device: Device, packet: Packet): boolean {
  if (packet.protocol === IPIP) return device.kind === 'ipip'
  return device.kind === 'vxlan' && packet.protocol === IPPROTO.udp && packet.dport === device.vxlan?.port
}

/** VXLAN: whoever has the MAC address of the next hop, or the default destination. IP in IP: the gateway. */
function remoteOf(netns: Netns, device: Device, nexthop: Address): Address | undefined {
  if (device.kind !== 'vxlan') return nexthop
  const lladdr = netns.neighbours.find((entry) => entry.ifindex === device.ifindex && sameAddress(entry.address, nexthop))?.lladdr
  const entry = device.fdb?.find((each) => each.dst !== undefined && each.lladdr === lladdr)
  return parseAddress(entry?.dst ?? device.vxlan?.group ?? '')
}

function outerPacket(device: Device, inner: Packet, remote: Address): Packet {
  const vxlan = device.kind === 'vxlan'
  return {
    family: remote.family,
    protocol: vxlan ? IPPROTO.udp : IPIP,
    src: remote,
    dst: remote,
    // Chosen by a hash of the inner packet.
    sport: undefined,
    dport: vxlan ? (device.vxlan?.port ?? 8472) : undefined,
    icmp: undefined,
    tcpFlags: undefined,
    length: inner.length === undefined ? undefined : inner.length + (vxlan ? 50 : 20),
    ttl: 64,
    dscp: inner.dscp,
    srcMac: undefined,
    dstMac: undefined,
  }
}

/** The mark stays with the packet; its connection doesn't (iptunnel_xmit). */
function outerFlight(inner: Flight, packet: Packet): Flight {
  return { ...inner, packet, iif: undefined, oif: undefined, physin: undefined, physout: undefined, connection: undefined }
}

function noRemote(traveller: Traveller, device: Device, nexthop: Address): Movement {
  const missing = {
    what: `which node ${device.ifname} sends ${packetText(traveller.flight.packet)} to`,
    missing: `neighbour and forwarding entries for ${formatAddress(nexthop)} on ${device.ifname}`,
    evidence: null,
  }
  const text = `${device.ifname} has no entry for ${formatAddress(nexthop)}`
  const asked = step(unknown(traveller, missing), {
    hook: 'tunnel',
    actor: { kind: 'device', ref: device.ifname },
    effect: 'unknown',
    text,
  })
  return ended(asked, 'unknown')
}
