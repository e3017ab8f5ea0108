// SPDX-License-Identifier: Apache-2.0

import type { Device, Netns } from '../facts/netns.ts'
import { type Address, formatAddress, sameAddress } from '../net/address.ts'
import { routeInput } from '../routing/input.ts'
import { globalSetting } from '../routing/settings.ts'
import { flowOf, hook, receive } from './stack.ts'
import { ended, leaveStack, type Movement, step, type Traveller } from './traveller.ts'
import { atUnseenPod, enter, wireOut } from './wire.ts'
import type { World } from './world.ts'

/**
 * A Linux bridge. With bridge-nf-call-iptables it shows IP packets to the IP stack's hooks although it forwards them itself
 * (net/bridge/br_netfilter_hooks.c), which is how a node's rules see traffic between pods of one bridge.
 */

/** In by a port. `nexthop` is whom the sender asked for: the owner of the destination MAC address. */
export function bridgeIn(world: World, arrived: Traveller, port: Device, bridge: Device, nexthop: Address): readonly Movement[] {
  const { netns } = arrived
  const shown = showsToIp(netns, bridge, arrived.flight.packet.family)
  const physin = shown ? port.ifname : undefined
  const traveller = { ...arrived, flight: { ...arrived.flight, iif: bridge.ifname, physin } }
  const forHost = netns.addresses.some((entry) => sameAddress(entry.address, nexthop))
  return hook(world, traveller, 'prerouting', 'bridge').flatMap((bridged) => {
    if (bridged.kind === 'ended') return [bridged]
    if (!shown)
      return forHost
        ? receive(world, bridged.traveller, bridge.ifname)
        : bridgeOn(world, bridged.traveller, bridge, port, nexthop)
    return hook(world, bridged.traveller, 'prerouting').flatMap((branch) => {
      if (branch.kind === 'ended') return [branch]
      const target = stays(branch.traveller, traveller, bridge, nexthop, forHost)
      if (target === undefined) return receive(world, branch.traveller, bridge.ifname, { prerouted: true })
      return bridgeOn(world, branch.traveller, bridge, port, target)
    })
  })
}

/**
 * Whether the frame goes on by the bridge, and to whom; undefined: up into the IP stack. A changed destination that is
 * behind the same bridge is bridged to, even if the sender meant the host (br_nf_pre_routing_finish).
 */
function stays(after: Traveller, before: Traveller, bridge: Device, nexthop: Address, forHost: boolean): Address | undefined {
  const { packet } = after.flight
  if (sameAddress(packet.dst, before.flight.packet.dst)) return forHost ? undefined : nexthop
  const flow = { ...flowOf(after.flight), iif: bridge.ifname, oif: undefined, src: packet.src, uid: 0 }
  const [decision] = routeInput(after.netns, flow)
  if (decision?.kind !== 'routed' || decision.type !== 'unicast' || decision.oif !== bridge.ifname) return undefined
  return decision.via ?? packet.dst
}

/** From one port to another. */
function bridgeOn(world: World, traveller: Traveller, bridge: Device, from: Device, nexthop: Address): readonly Movement[] {
  const to = portTowards(world, traveller.netns, bridge, nexthop)
  if (to?.ifname === from.ifname && from.port?.hairpin === false) return [noHairpin(traveller, from)]
  if (to !== undefined && from.port?.isolated === true && to.port?.isolated === true) return [isolated(traveller, from, to)]
  const shown = showsToIp(traveller.netns, bridge, traveller.flight.packet.family)
  const bridged = step(traveller, {
    hook: 'bridge',
    actor: { kind: 'device', ref: bridge.ifname },
    effect: 'forward',
    text: `${bridge.ifname} forwards it itself, from ${from.ifname} to ${to?.ifname ?? 'every port'}${shown ? ', and shows it to IP rules' : ''}`,
  })
  const physout = shown ? to?.ifname : undefined
  const flight = { ...bridged.flight, iif: bridge.ifname, oif: bridge.ifname, physout }
  const hooks = shown ? (['forward', 'postrouting'] as const) : []
  return hooks
    .reduce<readonly Way[]>(
      (ways, name) => ways.flatMap((way) => (way.kind === 'ended' ? [way] : hook(world, way.traveller, name))),
      hook(world, { ...bridged, flight }, 'forward', 'bridge'),
    )
    .flatMap((way) => (way.kind === 'ended' ? [way] : bridgeOut(world, leaveStack(way.traveller), bridge, nexthop, to)))
}

type Way = ReturnType<typeof hook>[number]

/** Out of the bridge by the port behind which `nexthop` is. */
export function bridgeOut(
  world: World,
  traveller: Traveller,
  bridge: Device,
  nexthop: Address,
  known: Device | undefined,
): readonly Movement[] {
  const port = known ?? portTowards(world, traveller.netns, bridge, nexthop)
  if (port !== undefined) return wireOut(world, traveller, port, port.ifname, nexthop)
  const pod = world.facts.objects.podAt(nexthop)
  if (pod?.nodeName === traveller.netns.node) {
    const inside = world.facts.nodes.get(traveller.netns.node)?.netnsOfPod(pod.meta.namespace, pod.meta.name)
    const own = inside?.addresses.find((entry) => sameAddress(entry.address, nexthop))
    if (inside === undefined) return [atUnseenPod(traveller, `${pod.meta.namespace}/${pod.meta.name}`, bridge.ifname)]
    return [enter(traveller, bridge.ifname, inside, inside.devices.nameOf(own?.ifindex) ?? 'eth0', nexthop)]
  }
  const nobody = step(traveller, {
    hook: 'neighbour',
    actor: { kind: 'neighbour', ref: formatAddress(nexthop) },
    effect: 'drop',
    text: `nobody behind ${bridge.ifname} has ${formatAddress(nexthop)}: the sender is told "host unreachable" when nobody answers`,
  })
  return [ended(nobody, 'dropped')]
}

/** By the namespace at the port's other end, by forwarding entries, or the only port that leads out of the node. */
function portTowards(world: World, netns: Netns, bridge: Device, nexthop: Address): Device | undefined {
  const ports = [...netns.devices].filter((device) => device.master === bridge.ifindex)
  const owner = world.ownerOf(nexthop)
  const direct = ports.find((port) => {
    const inside = port.peerNetns === undefined ? undefined : world.netnsAt(netns.node, port.peerNetns)
    return inside !== undefined && inside === owner
  })
  if (direct !== undefined) return direct
  const lladdr = netns.neighbours.find((entry) => entry.ifindex === bridge.ifindex && sameAddress(entry.address, nexthop))?.lladdr
  const learned = lladdr && ports.find((port) => port.fdb?.some((entry) => entry.lladdr === lladdr))
  if (learned) return learned
  const outward = ports.filter((port) => port.kind !== 'veth')
  return owner?.node !== netns.node && outward.length === 1 ? outward[0] : undefined
}

/** The bridge's own switch, or the namespace's. */
function showsToIp(netns: Netns, bridge: Device, family: 4 | 6): boolean {
  const own = family === 4 ? bridge.bridge?.nfCallIptables : bridge.bridge?.nfCallIp6tables
  const key = `net.bridge.bridge-nf-call-ip${family === 4 ? '' : '6'}tables`
  return own === true || globalSetting(netns, key, 0).value !== 0
}

function noHairpin(traveller: Traveller, port: Device): Movement {
  const text = `${port.ifname} is where it came from, and a bridge sends nothing back without hairpin mode`
  const stopped = step(traveller, { hook: 'bridge', actor: { kind: 'device', ref: port.ifname }, effect: 'drop', text })
  return ended(stopped, 'dropped', `hairpin mode on ${port.ifname} (kubelet's --hairpin-mode=hairpin-veth)`)
}

function isolated(traveller: Traveller, from: Device, to: Device): Movement {
  const text = `${from.ifname} and ${to.ifname} are isolated ports, which don't reach each other`
  const stopped = step(traveller, { hook: 'bridge', actor: { kind: 'device', ref: to.ifname }, effect: 'drop', text })
  return ended(stopped, 'dropped')
}
