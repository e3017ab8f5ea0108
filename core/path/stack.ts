// SPDX-License-Identifier: Apache-2.0

import { isLoopback, type Netns } from '../facts/netns.ts'
import { type Address, formatAddress, sameAddress } from '../net/address.ts'
import { type Flight, IPPROTO, type Packet } from '../net/packet.ts'
import type { HookBranch, HookLayer, HookName } from '../netfilter/traversal.ts'
import type { RouteDecision, Routed, Unrouted } from '../routing/decision.ts'
import { routeInput } from '../routing/input.ts'
import { routeOutput } from '../routing/output.ts'
import { type Flow, ruleText } from '../routing/rules.ts'
import { factEvidence, routeText } from '../routing/text.ts'
import type { Evidence, Verdict } from './answer.ts'
import {
  afterHook,
  branched,
  type Ended,
  ended,
  type Movement,
  packetText,
  step,
  type Traveller,
  unknown,
  withPacket,
} from './traveller.ts'
import type { World } from './world.ts'

/** The IP stack of one network namespace: hooks and routing, in the kernel's order. */

/** A packet made in the traveller's namespace. `src` undefined: the kernel selects the source address. */
export function sendLocal(world: World, traveller: Traveller, src: Address | undefined): readonly Movement[] {
  const { netns, flight } = traveller
  const flow = { ...flowOf(flight), src, iif: undefined, oif: undefined }
  return routeOutput(netns, flow).flatMap((decision) => {
    const routed = afterRoute(traveller, decision, 'route')
    if (decision.kind === 'unrouted') return [unroutable(routed, decision, true)]
    const packet: Packet = { ...flight.packet, src: decision.src }
    const outgoing = { ...routed, flight: { ...routed.flight, packet, oif: decision.oif } }
    return hook(world, outgoing, 'output').flatMap((branch) =>
      branch.kind === 'ended' ? [branch] : afterOutput(world, outgoing, branch, decision),
    )
  })
}

function afterOutput(world: World, before: Traveller, branch: Passed, first: Routed): readonly Movement[] {
  const { traveller } = branch
  if (!needsNewRoute(before.flight, traveller.flight)) return sendOut(world, traveller, first)
  const flow = { ...flowOf(traveller.flight), iif: undefined, oif: undefined }
  return routeOutput(traveller.netns, flow, { anySource: true }).flatMap((decision) => {
    const routed = afterRoute(traveller, decision, 'reroute')
    if (decision.kind === 'unrouted') return [unroutable(routed, toldAfterRules(decision, traveller.flight.packet), true)]
    return sendOut(world, { ...routed, flight: { ...routed.flight, oif: decision.oif } }, decision)
  })
}

/** TCP takes a lost SYN for granted and tries again; other senders get the error. */
function toldAfterRules(decision: Unrouted, { protocol }: Packet): Unrouted {
  return protocol === IPPROTO.tcp ? { ...decision, answer: undefined } : decision
}

/** ip_route_me_harder: rules on OUTPUT changed what routing looks at. The rest of OUTPUT still sees the first route's device. */
function needsNewRoute(before: Flight, after: Flight): boolean {
  return (
    before.mark !== after.mark ||
    !sameAddress(before.packet.dst, after.packet.dst) ||
    !sameAddress(before.packet.src, after.packet.src) ||
    before.packet.dscp !== after.packet.dscp
  )
}

/** POSTROUTING, and out by the device. */
function sendOut(world: World, traveller: Traveller, decision: Routed): readonly Movement[] {
  const nexthop = decision.via ?? traveller.flight.packet.dst
  return hook(world, traveller, 'postrouting').map((branch) =>
    branch.kind === 'ended' ? branch : { kind: 'leaving', traveller: branch.traveller, oif: decision.oif, nexthop },
  )
}

export interface ReceiveOptions {
  /** PREROUTING was run already, for a bridge that shows its packets to IP rules. */
  readonly prerouted?: boolean
}

/** A packet that came in by a device: delivered here, or forwarded. */
export function receive(world: World, arrived: Traveller, iif: string, options: ReceiveOptions = {}): readonly Movement[] {
  const traveller = { ...arrived, flight: { ...arrived.flight, iif, oif: undefined } }
  const prerouted: readonly HookResult[] =
    options.prerouted === true ? [{ kind: 'passed', traveller, tproxy: false }] : hook(world, traveller, 'prerouting')
  return prerouted.flatMap((branch) => {
    if (branch.kind === 'ended') return [branch]
    // Packets over loopback keep the route they were sent with; so do those a rule gave to a socket.
    if (branch.tproxy || isLoopback(branch.traveller.netns.devices.named(iif))) return deliver(world, branch.traveller)
    return routeIn(world, branch.traveller, iif)
  })
}

function routeIn(world: World, traveller: Traveller, iif: string): readonly Movement[] {
  const flow = { ...flowOf(traveller.flight), iif, oif: undefined, src: traveller.flight.packet.src, uid: 0 }
  return routeInput(traveller.netns, flow).flatMap((decision) => {
    const routed = afterRoute(traveller, decision, 'route')
    if (decision.kind === 'unrouted') return [unroutable(routed, decision, false)]
    return decision.type === 'unicast' ? forward(world, routed, decision) : deliver(world, routed)
  })
}

function forward(world: World, traveller: Traveller, decision: Routed): readonly Movement[] {
  const { packet } = traveller.flight
  if (packet.ttl !== undefined && packet.ttl <= 1) return [expired(traveller)]
  const aged = withPacket(traveller, { ...packet, ttl: packet.ttl === undefined ? undefined : packet.ttl - 1 })
  const outgoing = { ...aged, flight: { ...aged.flight, oif: decision.oif } }
  return hook(world, outgoing, 'forward').flatMap((branch) =>
    branch.kind === 'ended' ? [branch] : sendOut(world, branch.traveller, decision),
  )
}

/** ip_forward: nothing is sent on that has no hop left. */
export function expired(traveller: Traveller): Ended {
  const told = step(traveller, {
    hook: 'route',
    actor: { kind: 'kernel', ref: 'ip_forward' },
    effect: 'drop',
    text: 'its time to live is used up: the sender is told, with ICMP time exceeded',
  })
  return ended(told, 'dropped')
}

/** INPUT, and up to a socket. */
export function deliver(world: World, traveller: Traveller): readonly Movement[] {
  const incoming = { ...traveller, flight: { ...traveller.flight, oif: undefined } }
  return hook(world, incoming, 'input').map((branch) => (branch.kind === 'ended' ? branch : arrivedAtSocket(branch.traveller)))
}

function arrivedAtSocket(traveller: Traveller): Movement {
  const { netns, flight } = traveller
  const virtual = ipvsDevice(netns, flight.packet.dst)
  if (virtual !== undefined) {
    const missing = {
      what: `which backend IPVS chooses for ${packetText(flight.packet)}`,
      missing: 'the IPVS table (ipvsadm -Sn)',
      evidence: null,
    }
    const asked = step(unknown(traveller, missing), {
      hook: 'ipvs/INPUT',
      actor: { kind: 'kernel', ref: 'IPVS' },
      effect: 'unknown',
      text: `${formatAddress(flight.packet.dst)} is on ${virtual}: IPVS chooses the backend`,
    })
    return ended(asked, 'unknown')
  }
  const who = netns.label === 'host' ? `node ${netns.node}` : netns.label
  const delivered = step(traveller, {
    hook: 'socket',
    actor: { kind: 'socket', ref: who },
    effect: 'deliver',
    text: `delivered to ${who}: ${packetText(flight.packet)}`,
  })
  return ended(delivered, 'delivered')
}

/** kube-proxy in IPVS mode puts Service addresses on a dummy device. */
function ipvsDevice(netns: Netns, address: Address): string | undefined {
  const device = netns.devices.named('kube-ipvs0')
  const own = netns.addresses.some((entry) => entry.ifindex === device?.ifindex && sameAddress(entry.address, address))
  return own ? device?.ifname : undefined
}

export interface Passed {
  readonly kind: 'passed'
  readonly traveller: Traveller
  readonly tproxy: boolean
}

export type HookResult = Passed | Extract<Movement, { kind: 'ended' }>

const VERDICTS: Readonly<Record<Exclude<HookBranch['verdict'], 'accept'>, Verdict>> = {
  drop: 'dropped',
  reject: 'rejected',
  // Whoever reads the queue decides, or the packet was taken for another purpose.
  queue: 'unknown',
  stolen: 'unknown',
}

/** All rules of one hook. */
/** @param device Of the netdev layer: the device whose hook it is. */
export function hook(
  world: World,
  traveller: Traveller,
  name: HookName,
  layer: HookLayer = 'ip',
  device?: string,
): readonly HookResult[] {
  const branches = world.hooks(traveller.netns).traverse(layer, name, traveller.flight, device)
  return branches.map((branch) => {
    const after = afterHook(traveller, branch)
    if (branch.verdict === 'accept') return { kind: 'passed', traveller: after, tproxy: branch.tproxy !== undefined }
    return { kind: 'ended', ending: { verdict: VERDICTS[branch.verdict], traveller: after, remedy: remedyFor(branch) } }
  })
}

function remedyFor({ verdict, steps }: HookBranch): string | undefined {
  const last = steps.at(-1)
  const empty = /"([^"]+) has no (local )?endpoints"/.exec(evidenceText(last?.evidence ?? null))
  if (empty !== null) return `a ready endpoint of ${empty[1]}${empty[2] === undefined ? '' : ' on this node'}`
  if (last === undefined || (verdict !== 'drop' && verdict !== 'reject')) return undefined
  return last.actor.kind === 'chain-policy'
    ? `a rule in ${last.hook} that accepts this packet, before the chain's policy applies`
    : `a rule in ${last.hook} that accepts this packet, before ${last.actor.ref}`
}

function evidenceText(evidence: Evidence | null): string {
  return evidence?.kind === 'file' || evidence?.kind === 'fact' ? evidence.text : ''
}

export function flowOf({ packet, mark, iif }: Flight): Flow {
  return {
    family: packet.family,
    dst: packet.dst,
    src: packet.src,
    mark,
    tos: (packet.dscp ?? 0) << 2,
    iif,
    oif: undefined,
    protocol: packet.protocol,
    sport: packet.sport,
    dport: packet.dport,
    uid: undefined,
  }
}

/** Notes a routing decision. */
export function afterRoute(traveller: Traveller, decision: RouteDecision, effect: 'route' | 'reroute'): Traveller {
  const { netns } = traveller
  const known = branched(traveller, decision.probability)
  const asked = unknown(
    known,
    ...decision.missing.map((missing) => ({ what: 'which policy routing rule applies', missing, evidence: null })),
  )
  if (decision.kind === 'unrouted') return asked
  const { route, rule } = decision
  const ref = route === undefined ? `dev ${decision.oif}` : routeText(netns, route)
  const again = effect === 'reroute' ? 'routed again: ' : ''
  const chosen =
    decision.probability !== null && decision.probability < 1 ? `, 1 of ${Math.round(1 / decision.probability)} nexthops` : ''
  const because = rule !== undefined && rule.priority !== 0 && rule.priority < 32_766 ? ` (rule ${ruleText(rule)})` : ''
  return step(asked, {
    hook: 'route',
    actor: { kind: 'route', ref },
    effect,
    evidence: routeEvidence(netns, decision),
    text: again + directionText(decision) + chosen + because,
  })
}

function directionText({ type, oif, via }: Routed): string {
  if (type === 'local') return 'the destination is here'
  if (type === 'broadcast' || type === 'multicast') return `${type} by ${oif}`
  return via === undefined ? `on the link of ${oif}` : `via ${formatAddress(via)} by ${oif}`
}

function routeEvidence(netns: Netns, { route, rule }: RouteDecision): Evidence | null {
  if (route !== undefined) return factEvidence(route.place, routeText(netns, route))
  return rule === undefined ? null : factEvidence(rule.place, ruleText(rule))
}

function unroutable(traveller: Traveller, decision: Unrouted, local: boolean): Movement {
  const { netns } = traveller
  const told = decision.answer !== undefined
  const kind =
    decision.sysctl !== undefined
      ? 'sysctl'
      : decision.rule !== undefined && decision.route === undefined
        ? 'policy-rule'
        : 'route'
  const ref = decision.sysctl ?? (decision.route === undefined ? decision.failure : routeText(netns, decision.route))
  const answer = told ? (local ? `; the sender gets ${decision.answer}` : `; the sender is told, ${decision.answer}`) : ''
  const noted = step(traveller, {
    hook: 'route',
    actor: { kind, ref },
    effect: told ? 'reject' : 'drop',
    evidence: decision.sysctl === undefined ? routeEvidence(netns, decision) : sysctlEvidence(netns, decision.sysctl),
    text: decision.text + answer,
  })
  return ended(noted, told ? 'rejected' : 'dropped', remedyForRoute(decision))
}

function sysctlEvidence(netns: Netns, key: string): Evidence {
  const pointer = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
  return factEvidence({ file: `${netns.folder}/sysctl.json`, pointer }, `${key} = ${netns.sysctl(key) ?? 'not set'}`)
}

function remedyForRoute({ failure, sysctl }: Unrouted): string | undefined {
  if (failure === 'no-route') return 'a route to the destination'
  if (failure === 'rp-filter') return `${sysctl} = 2 or 0, or a route back by the device it came in by`
  if (failure === 'not-forwarding' || (failure === 'invalid-source' && sysctl !== undefined)) return `${sysctl} = 1`
  return undefined
}
