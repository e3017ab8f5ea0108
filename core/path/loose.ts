// SPDX-License-Identifier: Apache-2.0

import { everywhere } from '../ebpf/datapath.ts'
import { PlannedDatapath } from '../ebpf/planned.ts'
import { clusterOfObjects } from '../facts/cluster.ts'
import type { ObjectDocument } from '../facts/objectsIndex.ts'
import { formatAddress, sameAddress } from '../net/address.ts'
import type { CtState, Packet } from '../net/packet.ts'
import { Netfilter } from '../netfilter/evaluate.ts'
import type { IpSet } from '../netfilter/ipset/set.ts'
import { type LooseFacts, looseEnvironment } from '../netfilter/loose-environment.ts'
import type { Ruleset } from '../netfilter/ruleset.ts'
import type { HookName } from '../netfilter/traversal.ts'
import { isLoopbackAddress } from '../routing/source.ts'
import { TRACE_SCHEMA, type TraceAnswer } from './answer.ts'
import { differenceOf } from './difference.ts'
import { ebpfLane } from './ebpfLane.ts'
import { type LaneResult, laneOf } from './netfilterLane.ts'
import { type Place, PlaceError } from './place.ts'
import { portOf, protocolName, resolveTarget } from './resolve.ts'
import { expired, hook } from './stack.ts'
import { packetOf, type Resolved, startFlight, travellerIn } from './start.ts'
import { branched, type Ended, type Ending, ended, leaveStack, step, type Traveller, unknown } from './traveller.ts'
import { unseenNetns } from './unseen.ts'
import { withCtState } from './walk.ts'
import { type Hooks, World } from './world.ts'

/** Rules of one machine, without a cluster around it. */
export interface LooseRules {
  readonly ruleset: Pick<Ruleset, 'tables'>
  readonly ipsets: ReadonlyMap<string, IpSet>
  /** The machine's own addresses, as far as they are known. */
  readonly local: LooseFacts
  /** Cluster objects, for an eBPF lane beside it. */
  readonly objects?: readonly ObjectDocument[]
}

/** Which hooks the packet passes: through the machine, to it, or from it. */
export type HookPath = 'forward' | 'input' | 'output'

export interface LooseQuestion {
  /** An address. */
  readonly from: Place
  /** An address, with port where the protocol has one. */
  readonly to: Place
  /** Default: derived from the machine's own addresses. */
  readonly hookPath?: HookPath
  readonly iif?: string
  readonly oif?: string
  readonly mark?: number
  readonly ctState?: CtState
  readonly lanes?: 'netfilter' | 'ebpf' | 'both'
}

/**
 * What one machine's rules do to a packet. Nothing is known of routes and of where it goes afterwards, so what no rule stops
 * is `accepted`. Throws PlaceError when a place is no address.
 */
export function traceLoose(rules: LooseRules, question: LooseQuestion): TraceAnswer {
  const facts = clusterOfObjects('loose rules', rules.objects ?? [])
  const resolved = resolveLoose(question)
  const wanted = question.lanes ?? 'both'
  const netfilter = wanted === 'ebpf' ? undefined : looseLane(rules, question, resolved)
  const world = new World(facts, () => PASS)
  const ebpf =
    wanted === 'netfilter' || rules.objects === undefined
      ? undefined
      : ebpfLane(world, everywhere('planned', new PlannedDatapath(facts.objects)), resolved)
  return {
    schema: TRACE_SCHEMA,
    question: {
      from: question.from.text,
      to: question.to.text,
      source: { ip: formatAddress(resolved.sourceAddress), port: resolved.sourcePort ?? null },
      destination: { ip: formatAddress(resolved.target.address), port: resolved.target.port ?? null },
      protocol: protocolName(resolved.target.protocol),
      ctState: resolved.ctState,
      mark: resolved.mark,
    },
    lanes: [netfilter, ebpf].flatMap((result) => result?.lane ?? []),
    difference: netfilter === undefined || ebpf === undefined ? null : differenceOf(netfilter, ebpf),
    proof: null,
  }
}

const PASS: Hooks = {
  traverse: (_layer, _hook, flight) => [
    { probability: 1, verdict: 'accept', detail: undefined, flight, steps: [], unknowns: [], visited: [], tproxy: undefined },
  ],
}

function resolveLoose({ from, to, ctState, mark, iif }: LooseQuestion): Resolved {
  if (from.kind !== 'address' || to.kind !== 'address') {
    const odd = from.kind === 'address' ? to : from
    throw new PlaceError(`\`${odd.text}\` needs a cluster to be looked up in; with loose rules, name an address`)
  }
  const nowhere = clusterOfObjects('', [])
  const target = resolveTarget(nowhere, to, [from.address.family])
  if (from.address.family !== target.address.family) {
    throw new PlaceError(`\`${from.text}\` and \`${to.text}\` are of different address families`)
  }
  return {
    source: { kind: 'address', address: from.address },
    target,
    sourceAddress: from.address,
    sourcePort: portOf(from),
    ctState: ctState ?? 'new',
    mark: mark ?? 0,
    iif,
  }
}

function looseLane(rules: LooseRules, question: LooseQuestion, resolved: Resolved): LaneResult {
  const netfilter = new Netfilter(rules.ruleset, rules.ipsets, looseEnvironment(rules.local))
  const machine = new Machine(new World(clusterOfObjects('', []), () => netfilter), rules, question)
  const asked = packetOf(resolved)
  const flight = withCtState(startFlight(resolved, resolved.mark), resolved.ctState)
  const endings = machine.run(travellerIn(unseenNetns('this machine', 'host'), flight))
  return laneOf('netfilter', 'rules', endings, ({ traveller, verdict }) => {
    const { packet } = traveller.flight
    const translated = !sameAddress(packet.dst, asked.dst) || packet.dport !== asked.dport || !sameAddress(packet.src, asked.src)
    if (verdict !== 'accepted' || !translated) return undefined
    return { text: `answers that pass here again reach the sender as from ${formatAddress(asked.dst)}`, lost: false }
  })
}

class Machine {
  readonly #world: World
  readonly #rules: LooseRules
  readonly #question: LooseQuestion

  constructor(world: World, rules: LooseRules, question: LooseQuestion) {
    this.#world = world
    this.#rules = rules
    this.#question = question
  }

  run(start: Traveller): readonly Ending[] {
    const { hookPath, iif, oif } = this.#question
    const fromHere = hookPath === undefined ? this.#isOwn(start.flight.packet.src) : hookPath === 'output'
    const placed = { ...start, flight: { ...start.flight, iif: fromHere ? undefined : iif, oif: fromHere ? oif : undefined } }
    const ways = fromHere ? this.#send(placed) : this.#enter(placed).flatMap((way) => this.#route(way))
    return ways.map(({ ending }) => ({ ...ending, traveller: leaveStack(ending.traveller) }))
  }

  /** From the device it comes in by, as far as that one is known. */
  #enter(start: Traveller): readonly Way[] {
    const { iif } = this.#question
    if (iif === undefined) return this.#hooks([this.#hasIngress() ? withoutIngress(start) : start], ['prerouting'])
    return hook(this.#world, start, 'ingress', 'netdev', iif).flatMap((way) =>
      way.kind === 'ended' ? [way] : this.#hooks([way.traveller], ['prerouting']),
    )
  }

  #hasIngress(): boolean {
    return this.#rules.ruleset.tables.some(({ chains }) => [...chains.values()].some(({ base }) => base?.hook === 'ingress'))
  }

  #send(start: Traveller): readonly Ended[] {
    return this.#hooks([this.#sentBy(start)], ['output']).flatMap((out) => {
      if (out.kind === 'ended') return [out]
      const toItself = this.#question.hookPath === undefined && this.#isOwn(out.traveller.flight.packet.dst)
      return this.#hooks([this.#sentBy(out.traveller)], ['postrouting']).flatMap((way) => {
        if (way.kind === 'ended') return [way]
        if (!toItself) return [accepted(way.traveller)]
        const around = { ...way.traveller, flight: { ...way.traveller.flight, iif: 'lo', oif: undefined } }
        return this.#hooks([around], ['prerouting', 'input']).map((end) => (end.kind === 'ended' ? end : accepted(end.traveller)))
      })
    })
  }

  /** What a machine sends to itself goes over the loopback device. */
  #sentBy(traveller: Traveller): Traveller {
    const { oif, hookPath } = this.#question
    const loops = hookPath === undefined && this.#isOwn(traveller.flight.packet.dst)
    return { ...traveller, flight: { ...traveller.flight, oif: loops ? 'lo' : oif } }
  }

  /** To the machine or through it, as its destination says after PREROUTING. */
  #route(way: Way): readonly Ended[] {
    if (way.kind === 'ended') return [way]
    const { traveller } = way
    const { hookPath, oif } = this.#question
    const inward = hookPath === undefined ? this.#isForItself(traveller) : hookPath === 'input'
    if (inward) return this.#pass(traveller, ['input'])
    const { packet } = traveller.flight
    if (packet.ttl !== undefined && packet.ttl <= 1) return [expired(traveller)]
    const aged = { ...packet, ttl: packet.ttl === undefined ? undefined : packet.ttl - 1 }
    return this.#pass({ ...traveller, flight: { ...traveller.flight, packet: aged, oif } }, ['forward', 'postrouting'])
  }

  #pass(traveller: Traveller, hooks: readonly HookName[]): readonly Ended[] {
    return this.#hooks([traveller], hooks).map((end) => (end.kind === 'ended' ? end : accepted(end.traveller)))
  }

  #hooks(start: readonly Traveller[], names: readonly HookName[]): readonly Way[] {
    return names.reduce<readonly Way[]>(
      (ways, name) => ways.flatMap((way) => (way.kind === 'ended' ? [way] : hook(this.#world, way.traveller, name))),
      start.map((traveller) => ({ kind: 'passed', traveller })),
    )
  }

  /** A redirected packet is, even where it can't be told by which of the machine's addresses. */
  #isForItself({ flight, steps }: Traveller): boolean {
    return this.#isOwn(flight.packet.dst) || steps.some(({ effect }) => effect === 'redirect' || effect === 'tproxy')
  }

  #isOwn(address: Packet['dst']): boolean {
    return isLoopbackAddress(address) || this.#rules.local.addresses.some((own) => sameAddress(own.address, address))
  }
}

type Way = { readonly kind: 'passed'; readonly traveller: Traveller } | Ended

function withoutIngress(traveller: Traveller): Traveller {
  const missing = 'device the packet came in by'
  return unknown(branched(traveller, null), { what: 'the ingress chains of its device', missing, evidence: null })
}

function accepted(traveller: Traveller): Ended {
  const text = 'no rule stops it; what comes afterwards is not among the facts'
  const end = step(traveller, { hook: 'end', actor: { kind: 'kernel', ref: 'rules passed' }, effect: 'accept', text })
  return ended(end, 'accepted')
}
