// SPDX-License-Identifier: Apache-2.0

import type { Row } from './alignment.ts'
import type { Effect, Step, Verdict } from './answer.ts'
import { changesOf } from './change.ts'

/**
 * How much a step says. `decisive` changed the packet or chose its way (◆), `passing` let it through or carried it (◇), `idle`
 * decided nothing and folds into a count; `wall` ended it, `unknown` could not be told, `bypass` says what was left out (─).
 */
export type Weight = 'decisive' | 'passing' | 'idle' | 'wall' | 'unknown' | 'bypass'

const WEIGHTS: Readonly<Record<Effect, Weight>> = {
  pass: 'idle',
  jump: 'idle',
  return: 'idle',
  log: 'idle',
  accept: 'passing',
  track: 'passing',
  route: 'passing',
  reroute: 'passing',
  transmit: 'passing',
  receive: 'passing',
  drop: 'wall',
  reject: 'wall',
  deny: 'wall',
  unknown: 'unknown',
  bypass: 'bypass',
  queue: 'decisive',
  dnat: 'decisive',
  snat: 'decisive',
  masquerade: 'decisive',
  redirect: 'decisive',
  netmap: 'decisive',
  tproxy: 'decisive',
  notrack: 'decisive',
  mark: 'decisive',
  connmark: 'decisive',
  set: 'decisive',
  mangle: 'decisive',
  encapsulate: 'decisive',
  decapsulate: 'decisive',
  'select-backend': 'decisive',
  allow: 'decisive',
  deliver: 'decisive',
  forward: 'decisive',
}

export function weightOf(step: Step): Weight {
  const weight = WEIGHTS[step.effect]
  if (weight === 'passing' && step.effect === 'accept' && step.actor.kind === 'chain-policy') return 'idle'
  if ((weight === 'idle' || weight === 'passing') && changesOf(step).length > 0) return 'decisive'
  return weight
}

/** A row in which no lane decided anything. */
export function isIdle(row: Row): boolean {
  return row.cells.every((cell) => cell.kind !== 'steps' || cell.steps.every((step) => weightOf(step) === 'idle'))
}

export function isGood(verdict: Verdict): boolean {
  return verdict === 'delivered' || verdict === 'forwarded' || verdict === 'accepted'
}

export function isBad(verdict: Verdict): boolean {
  return verdict === 'dropped' || verdict === 'rejected'
}
