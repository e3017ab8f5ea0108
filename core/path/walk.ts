// SPDX-License-Identifier: Apache-2.0

import type { CtState, Flight } from '../net/packet.ts'
import { invertTuple, tupleOf } from '../netfilter/evaluation/tuple.ts'
import { bridgeIn } from './bridge.ts'
import { hook, receive } from './stack.ts'
import { type Ending, ended, leaveStack, type Movement, step, type Traveller, unknown } from './traveller.ts'
import { decapsulate } from './tunnel.ts'
import { transmit } from './wire.ts'
import type { World } from './world.ts'

/** Most ways that are followed; what is beyond is one unknown outcome with the rest of the probability. */
export const MAX_OUTCOMES = 512

/** Devices a packet may cross before it is taken to run in circles. */
const MAX_HOPS = 48

export interface WalkOptions {
  /** State connection tracking is told to see, everywhere on the way. */
  readonly ctState: CtState
  /** Asked first for every movement; undefined: it goes the usual way. */
  readonly intercept?: (movement: Movement) => readonly Movement[] | undefined
}

/** Follows movements to their ends, depth first, so that outcomes come in the order of the choices that lead to them. */
export function walk(world: World, start: readonly Movement[], options: WalkOptions): readonly Ending[] {
  const endings: Ending[] = []
  const open: Movement[] = [...start]
  for (let movement = open.shift(); movement !== undefined; movement = open.shift()) {
    if (endings.length + open.length >= MAX_OUTCOMES) {
      endings.push(tooMany([movement, ...open]))
      break
    }
    const next = advance(world, movement, options)
    if (next === undefined) endings.push(finished(movement))
    else open.unshift(...next)
  }
  return endings
}

/** Undefined: the movement has ended. */
function advance(world: World, movement: Movement, options: WalkOptions): readonly Movement[] | undefined {
  if (movement.kind === 'ended') {
    const { traveller, verdict } = movement.ending
    const inside = verdict === 'delivered' && traveller.inner.length > 0 ? decapsulate(traveller) : undefined
    if (inside === undefined) return undefined
    return [
      { kind: 'arriving', traveller: leaveStack(inside.traveller), iif: inside.iif, nexthop: inside.traveller.flight.packet.dst },
    ]
  }
  if (movement.traveller.hops > MAX_HOPS) return [circles(movement.traveller)]
  const intercepted = options.intercept?.(movement)
  if (intercepted !== undefined) return intercepted
  if (movement.kind === 'leaving') {
    const { traveller, oif } = movement
    return hook(world, traveller, 'egress', 'netdev', oif).flatMap((way) =>
      way.kind === 'ended' ? [way] : transmit(world, { ...movement, traveller: way.traveller }),
    )
  }
  return arrive(world, movement, options)
}

function arrive(
  world: World,
  { traveller, iif, nexthop }: Extract<Movement, { kind: 'arriving' }>,
  options: WalkOptions,
): readonly Movement[] {
  const tracked = { ...traveller, flight: withCtState(traveller.flight, options.ctState) }
  const device = tracked.netns.devices.named(iif)
  const bridge = tracked.netns.devices.at(device?.master)
  const entering = { ...tracked, flight: { ...tracked.flight, iif, oif: undefined } }
  return hook(world, entering, 'ingress', 'netdev', iif).flatMap((way) => {
    if (way.kind === 'ended') return [way]
    if (device !== undefined && bridge?.kind === 'bridge') return bridgeIn(world, way.traveller, device, bridge, nexthop)
    return receive(world, way.traveller, iif)
  })
}

/** Makes connection tracking see what the question says. A `new` one is left for the rules' own conntrack to find. */
export function withCtState(flight: Flight, state: CtState): Flight {
  if (state === 'new' || flight.connection !== undefined) return flight
  const original = tupleOf(flight.packet)
  return {
    ...flight,
    notrack: state === 'untracked',
    connection: {
      state,
      direction: 'original',
      original,
      reply: invertTuple(original),
      mark: 0,
      zone: 0,
      dstNatDone: true,
      srcNatDone: true,
      dstNat: false,
      srcNat: false,
      confirmed: true,
      assured: state === 'established',
      helper: undefined,
    },
  }
}

function finished(movement: Movement): Ending {
  if (movement.kind === 'ended') return { ...movement.ending, traveller: leaveStack(movement.ending.traveller) }
  return { verdict: 'unknown', traveller: movement.traveller, remedy: undefined }
}

function circles(traveller: Traveller): Movement {
  const text = `it has crossed ${MAX_HOPS} devices and is taken to run in circles until its time to live is used up`
  const lost = step(traveller, { hook: 'route', actor: { kind: 'kernel', ref: 'time to live' }, effect: 'drop', text })
  return ended(lost, 'dropped')
}

function tooMany(rest: readonly Movement[]): Ending {
  const travellers = rest.map((movement) => (movement.kind === 'ended' ? movement.ending.traveller : movement.traveller))
  const [first] = travellers
  if (first === undefined) throw new Error('there is nothing left to follow')
  const total = travellers.reduce<number | null>(
    (sum, { probability }) => (sum === null || probability === null ? null : sum + probability),
    0,
  )
  const missing = {
    what: `${rest.length} or more further ways of this packet`,
    missing: `a narrower question: only the first ${MAX_OUTCOMES} outcomes are followed`,
    evidence: null,
  }
  return { verdict: 'unknown', traveller: unknown({ ...first, probability: total }, missing), remedy: undefined }
}
