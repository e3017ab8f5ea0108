// SPDX-License-Identifier: Apache-2.0

import type { BackendTarget, Balanced, Datapath, Located, PolicyQuery } from '../ebpf/datapath.ts'
import { isLoopback, type Netns } from '../facts/netns.ts'
import { type Address, formatAddress, formatEndpoint, sameAddress } from '../net/address.ts'
import type { Flight } from '../net/packet.ts'
import { eachTarget, type LaneResult, laneOf } from './netfilterLane.ts'
import { serviceProtocol } from './resolve.ts'
import { hook, receive, sendLocal } from './stack.ts'
import { packetOf, type Resolved, startFlight, travellerIn } from './start.ts'
import {
  branched,
  leaveStack,
  type Ending,
  ended,
  type Movement,
  packetText,
  step,
  type Traveller,
  unknown,
  withPacket,
} from './traveller.ts'
import { unseenNetns } from './unseen.ts'
import { walk, withCtState } from './walk.ts'
import { transmit } from './wire.ts'
import type { World } from './world.ts'

/** The packet's way through an eBPF datapath. Rules of the host are met only where the packet still passes the host's stack. */
export function ebpfLane(world: World, datapath: Datapath, resolved: Resolved): LaneResult {
  const lane = new EbpfLane(world, datapath, resolved)
  const endings = walk(
    world,
    eachTarget(resolved, (one) => lane.begin(one)),
    {
      ctState: resolved.ctState,
      intercept: (movement) => lane.intercept(movement),
    },
  )
  const asked = packetOf(resolved)
  return laneOf('ebpf', datapath.source, endings, (ending) => answerText(ending, asked.dst, asked.dport))
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
  readonly #datapath: Datapath
  readonly #ctState: Resolved['ctState']
  readonly #unseen = new Map<string, Netns>()

  constructor(world: World, datapath: Datapath, resolved: Resolved) {
    this.#world = world
    this.#datapath = datapath
    this.#ctState = resolved.ctState
  }

  begin(resolved: Resolved): readonly Movement[] {
    const { source } = resolved
    if (source.kind === 'address') return this.#fromOutside(resolved, source.address)
    const netns = source.kind === 'pod' ? this.#podNetns(source.node, source.pod.meta) : this.#hostNetns(source.node)
    const flight = withCtState(startFlight(resolved, resolved.mark), resolved.ctState)
    const connecting = step(travellerIn(netns, flight), {
      hook: 'socket',
      actor: { kind: 'socket', ref: netns.label },
      effect: 'pass',
      text: `connects to ${formatEndpoint(flight.packet.dst, flight.packet.dport)}`,
    })
    return this.#balance(connecting, 'socket').flatMap((way) => (way.kind === 'ended' ? [way] : this.#sendLocal(way.traveller)))
  }

  /** What leaves a namespace by a device meets eBPF programs there instead of the wires the rules' lane follows. */
  intercept(movement: Movement): readonly Movement[] | undefined {
    if (movement.kind !== 'leaving') return undefined
    const { traveller, oif } = movement
    if (isLoopback(traveller.netns.devices.named(oif))) return transmit(this.#world, movement)
    const left = leaveStack(traveller)
    return this.#onWire({ ...left, flight: { ...left.flight, oif: undefined } })
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
    const balanced = this.#datapath.balance({
      where,
      node: traveller.netns.node,
      inCluster: where === 'socket',
      client: where === 'packet' ? packet.src : undefined,
      address: packet.dst,
      port: packet.dport,
      protocol,
    })
    if (balanced === undefined) return [{ kind: 'passed', traveller, balanced: undefined }]
    if (balanced.backends.length === 0) return [noBackend(traveller, balanced, where)]
    return balanced.backends.map((backend) => ({
      kind: 'passed',
      traveller: chosen(traveller, balanced, backend, where),
      balanced,
    }))
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
    const target = this.#datapath.locate(traveller.flight.packet.dst)
    const { node } = traveller.netns
    if (target.kind === 'world') return this.#leaveCluster(traveller, viaHost)
    if (target.node === undefined || target.node === node) return this.#arriveAt(traveller, target, viaHost)
    const through = viaHost ? this.#pastHost(traveller, `node ${target.node}`) : [{ kind: 'passed', traveller } as const]
    return through.flatMap((way) => {
      if (way.kind === 'ended') return [way]
      const there = this.#toNode(way.traveller, target.node ?? node)
      return this.#arriveAt(there, target, true)
    })
  }

  #leaveCluster(traveller: Traveller, viaHost: boolean): readonly Movement[] {
    const { packet } = traveller.flight
    const { node } = traveller.netns
    const masquerade = this.#datapath.masquerade({ node, source: packet.src, destination: packet.dst })
    const through = viaHost ? this.#pastHost(traveller, 'the network outside') : [{ kind: 'passed', traveller } as const]
    return through.map((way) => {
      if (way.kind === 'ended') return way
      const out = masquerade === undefined ? way.traveller : masqueraded(way.traveller, masquerade)
      const text = `leaves node ${node} towards ${formatAddress(packet.dst)}, outside what is known`
      return ended(step(out, { hook: 'link', actor: { kind: 'node', ref: node }, effect: 'forward', text }), 'forwarded')
    })
  }

  /** On the node that has the destination. */
  #arriveAt(traveller: Traveller, target: Located, bypassing: boolean): readonly Movement[] {
    if (target.kind !== 'pod') {
      const iif = this.#world.uplinkOf(traveller.netns) ?? 'eth0'
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
    if (this.#datapath.hostRouting) {
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

  #toNode(traveller: Traveller, node: string): Traveller {
    const { transport } = this.#datapath
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
    return step(arrived, { hook: 'link', actor: { kind: 'device', ref: iif }, effect: 'receive', text: `in by ${iif}` })
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
    if (this.#ctState === 'established' || this.#ctState === 'related') {
      const text = 'the connection is known: its first packet passed the policies'
      const passed = step(traveller, {
        hook: `policy-${direction}`,
        actor: { kind: 'conntrack', ref: this.#ctState },
        effect: 'allow',
        text,
      })
      return [{ kind: 'passed', traveller: passed }]
    }
    const decision = this.#datapath.policy(query)
    const judged = step(unknown(traveller, ...decision.unknowns), {
      hook: `policy-${direction}`,
      actor: { kind: 'policy', ref: decision.actor ?? 'no policy' },
      effect: decision.verdict,
      evidence: decision.evidence,
      text: decision.text,
    })
    return decision.verdict === 'allow' ? [{ kind: 'passed', traveller: judged }] : [ended(judged, 'dropped', decision.remedy)]
  }

  #fromOutside(resolved: Resolved, address: Address): readonly Movement[] {
    const { target } = resolved
    const located = this.#datapath.locate(target.address)
    const facts = this.#world.facts
    const names = [...facts.nodes.keys(), ...facts.objects.nodes.keys()]
    const node = (located.kind === 'world' ? undefined : located.node) ?? names[0] ?? 'node'
    const host = this.#hostNetns(node)
    const iif = resolved.iif ?? this.#world.uplinkOf(host) ?? 'eth0'
    const start = step(travellerIn(host, startFlight(resolved, resolved.mark)), {
      hook: 'link',
      actor: { kind: 'device', ref: iif },
      effect: 'receive',
      text: `in from ${formatAddress(address)} by ${iif}`,
    })
    return this.#balance(start, 'packet').flatMap((way) => {
      if (way.kind === 'ended') return [way]
      const { traveller, balanced } = way
      return this.#towards(this.#nodeSnat(traveller, balanced), true)
    })
  }

  /** A backend elsewhere has to answer through this node. */
  #nodeSnat(traveller: Traveller, balanced: Balanced | undefined): Traveller {
    const target = this.#datapath.locate(traveller.flight.packet.dst)
    const { node } = traveller.netns
    const remote = target.kind !== 'world' && target.node !== undefined && target.node !== node
    const object = this.#world.facts.objects.nodes.get(node)
    const address = object?.internalIPs.find((candidate) => candidate.family === traveller.flight.packet.family)
    if (balanced?.snatRemote !== true || !remote || address === undefined) return traveller
    return masqueraded(traveller, {
      address,
      evidence: null,
      text: `the backend is on node ${target.node}: it has to answer through ${node}`,
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

type Way =
  | { readonly kind: 'passed'; readonly traveller: Traveller; readonly balanced?: Balanced | undefined }
  | Extract<Movement, { kind: 'ended' }>

function noBackend(traveller: Traveller, balanced: Balanced, where: 'socket' | 'packet'): Movement & { kind: 'ended' } {
  const verdict = balanced.failure === 'drop' ? 'dropped' : 'rejected'
  const told = verdict === 'rejected' ? (where === 'socket' ? ': connect fails at once' : ': the sender is told') : ''
  const failed = step(traveller, {
    hook: where === 'socket' ? 'socket' : 'tc',
    actor: { kind: 'service', ref: balanced.name },
    effect: verdict === 'dropped' ? 'drop' : 'reject',
    evidence: balanced.evidence,
    text: `${balanced.name}: ${balanced.reason}${told}`,
  })
  return { kind: 'ended', ending: { verdict, traveller: failed, remedy: undefined } }
}

function chosen(traveller: Traveller, balanced: Balanced, backend: BackendTarget, where: 'socket' | 'packet'): Traveller {
  const { packet } = traveller.flight
  const after = withPacket(branched(traveller, backend.probability), { ...packet, dst: backend.address, dport: backend.port })
  const count = balanced.backends.length
  return step(after, {
    hook: where === 'socket' ? 'socket' : 'tc',
    actor: { kind: 'service', ref: balanced.name },
    effect: 'select-backend',
    before: formatEndpoint(packet.dst, packet.dport),
    after: formatEndpoint(backend.address, backend.port),
    evidence: backend.evidence ?? balanced.evidence,
    text: `${balanced.name}: ${backend.text}${count > 1 ? `, 1 of ${count}` : ''} (${balanced.reason})`,
  })
}

function masqueraded(
  traveller: Traveller,
  { address, evidence, text }: { address: Address; evidence: Traveller['steps'][number]['evidence']; text: string },
): Traveller {
  const { packet } = traveller.flight
  const after: Flight['packet'] = { ...packet, src: address, sport: undefined }
  return step(withPacket(traveller, after), {
    hook: 'snat',
    actor: { kind: 'program', ref: 'eBPF masquerade' },
    effect: 'masquerade',
    before: packetText(packet),
    after: packetText(after),
    evidence,
    text,
  })
}
