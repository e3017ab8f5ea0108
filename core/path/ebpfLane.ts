// SPDX-License-Identifier: Apache-2.0

import type { Balanced, Datapath, Datapaths, Located, PolicyQuery } from '../ebpf/datapath.ts'
import { isLoopback, type Netns } from '../facts/netns.ts'
import { type Address, formatAddress, formatEndpoint, sameAddress } from '../net/address.ts'
import { addressFlow, routeOutput } from '../routing/output.ts'
import type { Lane, LaneNode } from './answer.ts'
import { chosen, masqueraded, noBackend, type Way } from './ebpfSteps.ts'
import { eachTarget, type LaneResult, laneOf } from './netfilterLane.ts'
import { replyOf } from './reply.ts'
import { serviceProtocol } from './resolve.ts'
import { hook, receive, sendLocal } from './stack.ts'
import { begin, packetOf, type Resolved, startFlight, travellerIn } from './start.ts'
import { leaveStack, type Ending, ended, type Movement, packetText, step, type Traveller, unknown } from './traveller.ts'
import { unseenNetns } from './unseen.ts'
import { walk, withCtState } from './walk.ts'
import { toMachine, transmit } from './wire.ts'
import type { World } from './world.ts'

/**
 * The packet's way through the nodes' eBPF datapaths. Rules of a host are met only where the packet still passes the host's
 * stack, and on nodes without such a datapath.
 */
export function ebpfLane(world: World, datapaths: Datapaths, resolved: Resolved): LaneResult {
  const lane = new EbpfLane(world, datapaths, resolved)
  const endings = walk(
    world,
    eachTarget(resolved, (one) => lane.begin(one)),
    {
      ctState: resolved.ctState,
      intercept: (movement) => lane.intercept(movement),
    },
  )
  const asked = packetOf(resolved)
  const result = laneOf('ebpf', datapaths.source, endings, (ending) =>
    // Where rules alone were at work, they have to undo their translations.
    ending.traveller.steps.every(({ node }) => datapaths.on(node) === undefined)
      ? replyOf(world, ending, asked)
      : answerText(ending, asked.dst, asked.dport),
  )
  return { ...result, lane: { ...result.lane, nodes: nodesOn(result.lane, datapaths) } }
}

function nodesOn({ outcomes }: Lane, datapaths: Datapaths): readonly LaneNode[] {
  const passed = new Set(outcomes.flatMap(({ steps }) => steps.map(({ node }) => node)).filter((node) => node !== ''))
  return [...passed].map((node) => {
    const datapath = datapaths.on(node)
    if (datapath === undefined) return { node, source: 'rules' }
    return { node, source: datapaths.source, ...(datapath.note !== undefined && { note: datapath.note }) }
  })
}

function answerText(
  { traveller, verdict }: Ending,
  address: Address,
  port: number | undefined,
): { text: string; lost: boolean } | undefined {
  const { packet } = traveller.flight
  const balanced = traveller.steps.some((entry) => entry.effect === 'select-backend')
  if (verdict !== 'delivered' || !balanced || (sameAddress(packet.dst, address) && packet.dport === port)) return undefined
  return { text: `answers reach the sender as from ${formatEndpoint(address, port)}`, lost: false }
}

class EbpfLane {
  readonly #world: World
  readonly #datapaths: Datapaths
  readonly #ctState: Resolved['ctState']
  readonly #unseen = new Map<string, Netns>()

  constructor(world: World, datapaths: Datapaths, resolved: Resolved) {
    this.#world = world
    this.#datapaths = datapaths
    this.#ctState = resolved.ctState
  }

  begin(resolved: Resolved): readonly Movement[] {
    const { source } = resolved
    if (source.kind === 'address') return this.#fromOutside(resolved, source.address)
    const datapath = this.#datapaths.on(source.node)
    if (datapath === undefined) return begin(this.#world, resolved)
    const netns = source.kind === 'pod' ? this.#podNetns(source.node, source.pod.meta) : this.#hostNetns(source.node)
    const flight = withCtState(startFlight(resolved, resolved.mark), resolved.ctState)
    const connecting = step(this.#introduced(travellerIn(netns, flight), datapath), {
      hook: 'socket',
      actor: { kind: 'socket', ref: netns.label },
      effect: 'pass',
      text: `connects to ${formatEndpoint(flight.packet.dst, flight.packet.dport)}`,
    })
    return this.#balance(connecting, 'socket').flatMap((way) => (way.kind === 'ended' ? [way] : this.#sendLocal(way.traveller)))
  }

  /** What passes a device meets eBPF programs there instead of the wires and rules that the rules' lane follows. */
  intercept(movement: Movement): readonly Movement[] | undefined {
    if (movement.kind === 'ended') return undefined
    const { traveller } = movement
    const { netns } = traveller
    const datapath = this.#datapaths.on(netns.node)
    if (datapath === undefined) return undefined
    if (movement.kind === 'arriving') {
      if (netns.id !== 'host' || isLoopback(netns.devices.named(movement.iif))) return undefined
      return this.#fromWire({ ...traveller, flight: { ...traveller.flight, iif: movement.iif } })
    }
    if (isLoopback(netns.devices.named(movement.oif))) return transmit(this.#world, movement)
    const left = leaveStack(traveller)
    return this.#onWire({ ...left, flight: { ...left.flight, oif: undefined } })
  }

  /** What a reader has to know about a node's datapath, once. */
  #introduced(traveller: Traveller, { note, unknowns }: Datapath): Traveller {
    const asked = unknown(traveller, ...unknowns)
    if (note === undefined) return asked
    return step(asked, { hook: 'link', actor: { kind: 'program', ref: 'eBPF datapath' }, effect: 'pass', text: note })
  }

  /** Only asked on nodes that have one. */
  #datapathOf({ netns }: Traveller): Datapath {
    const datapath = this.#datapaths.on(netns.node)
    if (datapath === undefined) throw new Error(`node ${netns.node} has no eBPF datapath`)
    return datapath
  }

  #sendLocal(traveller: Traveller): readonly Movement[] {
    // Without a snapshot there are neither routes nor rules to ask.
    if (traveller.netns.routes.length === 0) return this.#onWire(traveller)
    return sendLocal(this.#world, traveller, undefined)
  }

  /** Service load balancing, at connect or per packet. */
  #balance(traveller: Traveller, where: 'socket' | 'packet'): readonly Way[] {
    const { packet } = traveller.flight
    const protocol = serviceProtocol(packet.protocol)
    if (protocol === undefined || packet.dport === undefined) return [{ kind: 'passed', traveller, balanced: undefined }]
    const balanced = this.#datapathOf(traveller).balance({
      where,
      node: traveller.netns.node,
      inCluster: where === 'socket',
      inHostNetns: traveller.netns.id === 'host',
      client: where === 'packet' ? packet.src : undefined,
      address: packet.dst,
      port: packet.dport,
      protocol,
    })
    if (balanced === undefined) return [{ kind: 'passed', traveller, balanced: undefined }]
    if (balanced.backends.length === 0) return [noBackend(traveller, balanced)]
    return balanced.backends.map((backend) => ({ kind: 'passed', traveller: chosen(traveller, balanced, backend), balanced }))
  }

  /** From a pod's or node's device on: egress policy, then to wherever the destination is. */
  #onWire(traveller: Traveller): readonly Movement[] {
    const { node } = traveller.netns
    const host = this.#hostNetns(node)
    const fromPod = traveller.netns !== host
    const outside: Traveller = fromPod
      ? { ...traveller, netns: host, flight: { ...traveller.flight, mark: 0, socket: undefined } }
      : traveller
    return this.#policy(outside, 'egress').flatMap((way) =>
      way.kind === 'ended' ? [way] : this.#towards(way.traveller, fromPod),
    )
  }

  #towards(traveller: Traveller, viaHost: boolean): readonly Movement[] {
    const target = this.#datapathOf(traveller).locate(traveller.flight.packet.dst)
    const { node } = traveller.netns
    if (target.kind === 'world') return this.#leaveCluster(traveller, viaHost)
    if (target.node === undefined || target.node === node) return this.#arriveAt(traveller, target, viaHost)
    const through = viaHost ? this.#pastHost(traveller, `node ${target.node}`) : [{ kind: 'passed', traveller } as const]
    return through.flatMap((way) => {
      return way.kind === 'ended' ? [way] : [this.#toNode(way.traveller, target.node ?? node)]
    })
  }

  #leaveCluster(traveller: Traveller, viaHost: boolean): readonly Movement[] {
    const { packet } = traveller.flight
    const { node } = traveller.netns
    const masquerade = this.#datapathOf(traveller).masquerade({ node, source: packet.src, destination: packet.dst })
    const through = viaHost ? this.#pastHost(traveller, 'the network outside') : [{ kind: 'passed', traveller } as const]
    return through.map((way) => {
      if (way.kind === 'ended') return way
      const out = masquerade === undefined ? way.traveller : masqueraded(way.traveller, masquerade)
      const machine = this.#towardsNode(out)
      if (machine !== undefined) return machine
      const text = `leaves node ${node} towards ${formatAddress(packet.dst)}, outside what is known`
      return ended(step(out, { hook: 'link', actor: { kind: 'node', ref: node }, effect: 'forward', text }), 'forwarded')
    })
  }

  /** To a node that the datapath knows nothing of, if the host's routes lead there. */
  #towardsNode(traveller: Traveller): Movement | undefined {
    const { netns, flight } = traveller
    const { objects } = this.#world.facts
    const [decision] = netns.routes.length === 0 ? [] : routeOutput(netns, addressFlow(flight.packet.dst))
    if (decision?.kind !== 'routed' || decision.type !== 'unicast') return undefined
    const nexthop = decision.via ?? flight.packet.dst
    const node = objects.nodeAt(nexthop)?.meta.name ?? this.#world.ownerOf(nexthop)?.node
    if (node === undefined || node === netns.node) return undefined
    return toMachine(this.#world, { ...traveller, flight: { ...flight, iif: undefined } }, decision.oif, nexthop)
  }

  /** On the node that has the destination. */
  #arriveAt(traveller: Traveller, target: Located, bypassing: boolean): readonly Movement[] {
    if (target.kind !== 'pod') {
      const { netns, flight } = traveller
      const iif = flight.iif ?? this.#world.deviceTowards(netns, flight.packet.src) ?? this.#world.uplinkOf(netns) ?? 'eth0'
      return this.#intoStack(traveller, iif)
    }
    const sameNode = bypassing
      ? this.#pastHost(traveller, `pod ${target.namespace}/${target.name}`)
      : [{ kind: 'passed', traveller } as const]
    return sameNode.flatMap((way) => {
      if (way.kind === 'ended') return [way]
      return this.#policy(way.traveller, 'ingress').flatMap((allowed) =>
        allowed.kind === 'ended' ? [allowed] : this.#intoPod(allowed.traveller, target),
      )
    })
  }

  #intoPod(traveller: Traveller, { namespace, name }: Extract<Located, { kind: 'pod' }>): readonly Movement[] {
    const inside = this.#podNetns(traveller.netns.node, { namespace, name })
    const flight = { ...traveller.flight, mark: 0, connection: undefined, iif: undefined, oif: undefined }
    const { dst } = flight.packet
    const own = inside.addresses.find((entry) => sameAddress(entry.address, dst))
    const iif = inside.devices.nameOf(own?.ifindex) ?? 'eth0'
    const within = step(
      { ...traveller, netns: inside, flight },
      { hook: 'link', actor: { kind: 'device', ref: iif }, effect: 'receive', text: `in by ${iif}` },
    )
    return inside.routes.length === 0 ? [this.#unseenEnd(within, namespace, name)] : this.#intoStack(within, iif)
  }

  #unseenEnd(traveller: Traveller, namespace: string, name: string): Movement {
    const { netns, flight } = traveller
    const delivered = step(traveller, {
      hook: 'socket',
      actor: { kind: 'socket', ref: netns.label },
      effect: 'deliver',
      text: `delivered to ${netns.label}: ${packetText(flight.packet)}`,
    })
    // With objects alone nobody expects to see inside a pod.
    if (!this.#world.facts.nodes.has(netns.node)) return ended(delivered, 'delivered')
    const missing = {
      what: `what happens inside the network namespace of pod ${namespace}/${name}`,
      missing: `the snapshot of pod ${namespace}/${name}'s network namespace on node ${netns.node}`,
      evidence: null,
    }
    return ended(unknown(delivered, missing), 'delivered')
  }

  #intoStack(traveller: Traveller, iif: string): readonly Movement[] {
    if (traveller.netns.routes.length > 0)
      return receive(this.#world, { ...traveller, flight: withCtState(traveller.flight, this.#ctState) }, iif)
    const who = traveller.netns.label === 'host' ? `node ${traveller.netns.node}` : traveller.netns.label
    const text = `delivered to ${who}: ${packetText(traveller.flight.packet)}`
    return [ended(step(traveller, { hook: 'socket', actor: { kind: 'socket', ref: who }, effect: 'deliver', text }), 'delivered')]
  }

  /** Forwarded by eBPF; without host routing the host's rules are met all the same. */
  #pastHost(traveller: Traveller, to: string): readonly Way[] {
    if (this.#datapathOf(traveller).hostRouting) {
      return [
        {
          kind: 'passed',
          traveller: step(traveller, {
            hook: 'tc',
            actor: { kind: 'program', ref: 'eBPF host routing' },
            effect: 'bypass',
            text: `redirected straight to ${to}: the host's IP stack and its rules are not passed`,
          }),
        },
      ]
    }
    return (['prerouting', 'forward', 'postrouting'] as const).reduce<readonly Way[]>(
      (ways, name) => ways.flatMap((way) => (way.kind === 'ended' ? [way] : hook(this.#world, way.traveller, name))),
      [{ kind: 'passed', traveller }],
    )
  }

  #toNode(traveller: Traveller, node: string): Movement {
    const { transport } = this.#datapathOf(traveller)
    const host = this.#hostNetns(node)
    const how = transport.kind === 'native' ? 'by native routing' : `in a ${transport.protocol} tunnel`
    const sent = step(traveller, {
      hook: 'route',
      actor: { kind: 'node', ref: node },
      effect: 'route',
      text: `to node ${node} ${how}`,
    })
    const iif = this.#world.uplinkOf(host) ?? 'eth0'
    const arrived = { ...sent, netns: host, flight: { ...sent.flight, mark: 0, connection: undefined }, hops: sent.hops + 1 }
    const received = step(arrived, { hook: 'link', actor: { kind: 'device', ref: iif }, effect: 'receive', text: `in by ${iif}` })
    return { kind: 'arriving', traveller: received, iif, nexthop: received.flight.packet.dst }
  }

  #policy(traveller: Traveller, direction: 'egress' | 'ingress'): readonly Way[] {
    const { packet } = traveller.flight
    const query: PolicyQuery = {
      direction,
      source: packet.src,
      destination: packet.dst,
      protocol: packet.protocol,
      port: packet.dport,
    }
    const datapath = this.#datapathOf(traveller)
    if (this.#ctState === 'related' || (this.#ctState === 'established' && !datapath.judgesKnown)) {
      const text = 'the connection is known: its first packet passed the policies'
      const passed = step(traveller, {
        hook: `policy-${direction}`,
        actor: { kind: 'conntrack', ref: this.#ctState },
        effect: 'allow',
        text,
      })
      return [{ kind: 'passed', traveller: passed }]
    }
    const decision = datapath.policy(query)
    const judged = step(unknown(traveller, ...decision.unknowns), {
      hook: `policy-${direction}`,
      actor: { kind: 'policy', ref: decision.actor ?? 'no policy' },
      effect: decision.verdict,
      evidence: decision.evidence,
      text: decision.text,
    })
    if (decision.verdict === 'allow') return [{ kind: 'passed', traveller: judged }]
    return [ended(judged, decision.verdict === 'deny' ? 'dropped' : 'unknown', decision.remedy)]
  }

  #fromOutside(resolved: Resolved, address: Address): readonly Movement[] {
    const { address: to } = resolved.target
    const { objects, nodes } = this.#world.facts
    const owner = objects.nodeAt(to)?.meta.name ?? objects.podAt(to)?.nodeName ?? this.#world.ownerOf(to)?.node
    const [first] = [...nodes.keys(), ...objects.nodes.keys()]
    const node = owner ?? objects.nodeOfPodCidr(to)?.meta.name ?? first ?? 'node'
    const datapath = this.#datapaths.on(node)
    if (datapath === undefined) return begin(this.#world, resolved)
    const host = this.#hostNetns(node)
    const iif = resolved.iif ?? this.#world.uplinkOf(host) ?? 'eth0'
    const flight = { ...startFlight(resolved, resolved.mark), iif }
    const start = step(this.#introduced(travellerIn(host, flight), datapath), {
      hook: 'link',
      actor: { kind: 'device', ref: iif },
      effect: 'receive',
      text: `in from ${formatAddress(address)} by ${iif}`,
    })
    return this.#fromWire(start)
  }

  /** In from the network by a node's device. */
  #fromWire(arrived: Traveller): readonly Movement[] {
    return this.#balance(arrived, 'packet').flatMap((way) => {
      if (way.kind === 'ended') return [way]
      const { traveller, balanced } = way
      return this.#towards(this.#nodeSnat(traveller, balanced), true)
    })
  }

  /** A backend elsewhere has to answer through this node. */
  #nodeSnat(traveller: Traveller, balanced: Balanced | undefined): Traveller {
    const target = this.#datapathOf(traveller).locate(traveller.flight.packet.dst)
    const { node } = traveller.netns
    const here = target.kind !== 'world' && (target.node === undefined || target.node === node)
    const object = this.#world.facts.objects.nodes.get(node)
    const address = object?.internalIPs.find((candidate) => candidate.family === traveller.flight.packet.family)
    if (balanced?.snatRemote !== true || here || address === undefined) return traveller
    return masqueraded(traveller, {
      address,
      evidence: null,
      text: `the backend is ${target.kind === 'world' ? 'elsewhere' : `on node ${target.node}`}: it has to answer through ${node}`,
      unknowns: [],
    })
  }

  #hostNetns(node: string): Netns {
    return this.#world.hostOf(node) ?? this.#unseenNetns(node, 'host')
  }

  #podNetns(node: string, { namespace, name }: { readonly namespace: string; readonly name: string }): Netns {
    const seen = this.#world.facts.nodes.get(node)?.netnsOfPod(namespace, name)
    return seen ?? this.#unseenNetns(node, `pod:${namespace}/${name}`)
  }

  #unseenNetns(node: string, label: string): Netns {
    const key = `${node}|${label}`
    const existing = this.#unseen.get(key)
    if (existing) return existing
    const netns = unseenNetns(node, label)
    this.#unseen.set(key, netns)
    return netns
  }
}
