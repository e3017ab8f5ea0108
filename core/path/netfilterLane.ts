// SPDX-License-Identifier: Apache-2.0

import type { Lane, Outcome } from './answer.ts'
import { noteForeignPrograms } from './foreignPrograms.ts'
import { type Reply, replyOf } from './reply.ts'
import { begin, packetOf, type Resolved } from './start.ts'
import { distinct, type Ending, type Movement, outcomeOf, type Visited } from './traveller.ts'
import { walk } from './walk.ts'
import type { World } from './world.ts'

export interface LaneResult {
  readonly lane: Lane
  /** Rules whose matches held, of every namespace on every way. */
  readonly visited: readonly Visited[]
}

/** The packet's way through the rules that the nodes really have. */
export function netfilterLane(world: World, resolved: Resolved): LaneResult {
  const asked = packetOf(resolved)
  const endings = walk(
    world,
    eachTarget(resolved, (one) => begin(world, one)),
    { ctState: resolved.ctState, intercept: noteForeignPrograms(world) },
  )
  return laneOf('netfilter', 'rules', endings, (ending) => replyOf(world, ending, asked))
}

/** A name that stands for several addresses: clients take any of them. */
export function eachTarget(resolved: Resolved, start: (resolved: Resolved) => readonly Movement[]): readonly Movement[] {
  const { alternatives } = resolved.target
  if (alternatives.length < 2) return start(resolved)
  const share = 1 / alternatives.length
  return alternatives.flatMap((alternative) =>
    start({ ...resolved, target: { ...resolved.target, ...alternative, alternatives: [] } }).map((movement) =>
      shareOf(movement, share),
    ),
  )
}

function shareOf(movement: Movement, share: number): Movement {
  const scale = (probability: number | null) => (probability === null ? null : probability * share)
  if (movement.kind !== 'ended') {
    const { traveller } = movement
    return { ...movement, traveller: { ...traveller, probability: scale(traveller.probability) } }
  }
  const { ending } = movement
  const traveller = { ...ending.traveller, probability: scale(ending.traveller.probability) }
  return { ...movement, ending: { ...ending, traveller } }
}

export function laneOf(
  lane: Lane['lane'],
  source: Lane['source'],
  endings: readonly Ending[],
  replyTo: (ending: Ending) => Reply | undefined,
): LaneResult {
  const outcomes = endings.map((ending) => outcome(ending, replyTo(ending)))
  return {
    lane: { lane, source, outcomes, unknowns: distinct(outcomes.flatMap((entry) => entry.unknowns)) },
    visited: endings.flatMap((ending) => ending.traveller.visited),
  }
}

function outcome(ending: Ending, reply: Reply | undefined): Outcome {
  const { traveller } = ending
  const masquerade =
    traveller.translations.some(({ connection }) => connection.srcNat) ||
    traveller.steps.some((step) => step.effect === 'masquerade' || step.effect === 'snat')
  return {
    ...outcomeOf(ending, { masquerade, ...(reply === undefined ? {} : { reply: reply.text }) }),
    ...(reply?.lost === true ? { replyLost: true as const } : {}),
  }
}
