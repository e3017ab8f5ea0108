// SPDX-License-Identifier: Apache-2.0

import type { Effect } from '../../path/answer.ts'
import type { Action, Verdict } from '../statement.ts'
import { assign } from './assign.ts'
import { assume, type Branch, withStep, withUnknown } from './branch.ts'
import { decide } from './decide.ts'
import { type Hit, lookUp } from './maps.ts'
import { runNat, runNetmap, runTproxy } from './nat-action.ts'
import {
  breakOff,
  type Control,
  changedSet,
  NEXT,
  type RuleProgress,
  type RuleResult,
  runStatements,
  splitUndecided,
} from './rule-walk.ts'
import { describeProbability, ruleEvidence, ruleStep } from './text.ts'

/** Runs the action at `at` of a rule whose matches held, and what follows it. */
export function runAction(branch: Branch, at: number, progress: RuleProgress): RuleResult[] {
  const action = progress.place.rule.statements[at] as Action
  const go = (after: Branch, rest: RuleProgress = { ...progress, notes: [] }) => runStatements(after, at + 1, rest)
  switch (action.kind) {
    case 'verdict':
      return [conclude(branch, action.verdict, progress)]
    case 'vmap':
      return runVerdictMap(branch, action, progress, go)
    case 'reject':
      return [end(step(branch, progress, 'reject', `reject with ${action.with}`), 'reject', action.with)]
    case 'nat':
      return runNat(branch, action, progress)
    case 'netmap':
      return runNetmap(branch, action, progress)
    case 'tproxy':
      return runTproxy(branch, action, progress, go)
    case 'assign':
      return assign(branch, action, progress).flatMap((after) => go(after))
    case 'notrack':
      return go(notrack(branch, progress))
    case 'ct-template':
      return go(ctTemplate(branch, action, progress))
    case 'fwd':
      return [end(step(branch, progress, 'forward', 'handed to another device'), 'stolen', 'fwd')]
    case 'synproxy':
      return [end(step(branch, progress, 'unknown', 'answered by SYN proxy in the name of the receiver'), 'stolen', 'synproxy')]
    case 'object':
      return runObject(branch, action, progress, go)
    case 'set-update':
      return updateSet(branch, action, at, progress, go)
    case 'ipset-update':
      return go(step(branch, progress, 'set', `${action.op} an element in set ${action.set}`))
    case 'log':
      return go(step(branch, progress, 'log', action.prefix === '' ? 'logged' : `logged with prefix "${action.prefix}"`))
    case 'unknown-action':
      return go(
        withUnknown(
          step({ ...branch, forks: [...branch.forks, lostFork(progress)] }, progress, 'unknown', `unknown target ${action.name}`),
          {
            what: `target \`${action.name}\` in ${progress.context.place} (${progress.place.chain.name})`,
            missing: `what target ${action.name} does`,
            evidence: ruleEvidence(progress.place.rule),
          },
        ),
      )
    case 'dup':
      return go(step(branch, progress, 'pass', 'a copy is sent elsewhere'))
    case 'flow-add':
      return go(step(branch, progress, 'set', `later packets take flow table ${action.flowtable}`))
    case 'trace':
    case 'counter':
      return go(branch, progress)
    case 'side-effect':
      return go(step(branch, progress, 'mangle', action.text))
  }
}

/** A limit or quota of an element (a meter) is a match: beyond it the rule goes on or not. */
function updateSet(
  branch: Branch,
  action: Extract<Action, { kind: 'set-update' }>,
  at: number,
  progress: RuleProgress,
  go: (after: Branch) => RuleResult[],
): RuleResult[] {
  const said = step(branch, progress, 'set', `${action.op} an element in set ${action.set}`)
  const after = assume(said, changedSet(progress.context.table, action.set), [1])
  const open = action.matches
    .map((match) => ({ match, decision: decide(match, branch.flight, progress.context) }))
    .find(({ decision }) => decision !== true)
  if (!open || open.decision === true) return go(after)
  if (open.decision === false || open.decision.kind !== 'undecided') return [{ branch: after, control: NEXT }]
  return splitUndecided(after, open.decision, open.match, at, progress)
}

/** An undecidable action never comes together with anything again. */
function lostFork(progress: RuleProgress): Branch['forks'][number] {
  const missing = { what: '', missing: '', evidence: null }
  const id = progress.context.budget.nextFork()
  return { id, held: true, unknown: missing, settled: ruleStep(progress.place, progress.context, 'unknown', 'undecided') }
}

export function end(branch: Branch, verdict: 'drop' | 'reject' | 'queue' | 'stolen' | 'accept', detail?: string): RuleResult {
  return { branch, control: { kind: 'end', verdict, detail } }
}

/** Adds a step of the rule at hand, with what was noted on the way to it. */
export function step(
  branch: Branch,
  { place, context, notes }: RuleProgress,
  effect: Effect,
  text: string,
  change?: { before: string; after: string },
): Branch {
  const said = notes.length === 0 ? text : `${notes.join(', ')} → ${text}`
  return withStep(branch, ruleStep(place, context, effect, said, change))
}

const VERDICT_EFFECTS: Readonly<Record<Verdict['kind'], Effect>> = {
  accept: 'accept',
  drop: 'drop',
  return: 'return',
  continue: 'pass',
  jump: 'jump',
  goto: 'jump',
  queue: 'queue',
}

function conclude(branch: Branch, verdict: Verdict, progress: RuleProgress): RuleResult {
  const noted = step(branch, progress, VERDICT_EFFECTS[verdict.kind], describeVerdict(verdict))
  return { branch: noted, control: controlOf(verdict) }
}

function describeVerdict(verdict: Verdict): string {
  if (verdict.kind === 'jump' || verdict.kind === 'goto') return `${verdict.kind} ${verdict.chain}`
  if (verdict.kind === 'queue') return `queue ${queueNumber(verdict)}${verdict.bypass ? ', or accept when nobody listens' : ''}`
  return verdict.kind
}

function queueNumber({ from, to }: { from: number; to: number }): string {
  return from === to ? `${from}` : `${from}-${to}`
}

function controlOf(verdict: Verdict): Control {
  if (verdict.kind === 'continue') return NEXT
  if (verdict.kind === 'queue') return { kind: 'end', verdict: 'queue', detail: queueNumber(verdict) }
  return verdict
}

type Go = (after: Branch, rest?: RuleProgress) => RuleResult[]

function runVerdictMap(branch: Branch, action: Extract<Action, { kind: 'vmap' }>, progress: RuleProgress, go: Go): RuleResult[] {
  const outcome = lookUp(action.key, action.map, branch.flight, progress.context)
  if (outcome.kind === 'absent') return [breakOff(branch, progress)]
  if (outcome.kind === 'unknown') return everyVerdict(branch, outcome.missing, progress, go)
  const hits = narrowed(outcome.hits, branch)
  if (!progress.context.budget.grow(hits.length - 1))
    return everyVerdict(branch, 'a narrower question: too many ways', progress, go)
  return hits.flatMap((hit) => {
    const chosen = assume({ ...branch, probability: branch.probability * hit.probability }, hit.key, hit.values)
    const { verdict } = hit.element ?? {}
    // A key that is not in the map: the expression breaks off, and so does the rule.
    if (!verdict) return [breakOff(chosen, progress)]
    const notes =
      hit.probability < 1
        ? [...progress.notes, `chosen with probability ${describeProbability(hit.probability)}`]
        : progress.notes
    const result = conclude(chosen, verdict, { ...progress, notes })
    return result.control.kind === 'next' ? go(result.branch) : [result]
  })
}

/** Hits that agree with what was assumed for the same hash before. */
export function narrowed(hits: readonly Hit[], branch: Branch): readonly Hit[] {
  const key = hits.find((hit) => hit.key !== undefined)?.key
  const assumed = key === undefined ? undefined : branch.assumptions.get(key)
  if (!assumed) return hits
  const kept = hits
    .map((hit) => ({ ...hit, values: hit.values.filter((value) => assumed.includes(value)) }))
    .filter((hit) => hit.values.length > 0)
  const total = kept.reduce((sum, hit) => sum + hit.values.length, 0)
  return total === 0 ? hits : kept.map((hit) => ({ ...hit, probability: hit.values.length / total }))
}

/** The key is not known well enough: nothing can be said about what the map would do. */
function everyVerdict(branch: Branch, missing: string, progress: RuleProgress, go: Go): RuleResult[] {
  const unknown = {
    what: `verdict map of rule ${progress.place.number} in ${progress.context.place} (${progress.place.chain.name})`,
    missing,
    evidence: ruleEvidence(progress.place.rule),
  }
  return go(withUnknown({ ...branch, forks: [...branch.forks, lostFork(progress)] }, unknown))
}

/** Quotas and limits may end the rule; everything else only takes note. */
function runObject(branch: Branch, action: Extract<Action, { kind: 'object' }>, progress: RuleProgress, go: Go): RuleResult[] {
  if (action.type === 'ct helper' && action.name !== undefined) return go({ ...branch, helper: action.name })
  if (action.type === 'synproxy') return [end(step(branch, progress, 'unknown', 'answered by SYN proxy'), 'stolen', 'synproxy')]
  if (action.type !== 'limit' && action.type !== 'quota') return go(branch, progress)
  const unknown = {
    what: `${action.type} "${action.name ?? ''}" in ${progress.context.place} (${progress.place.chain.name})`,
    missing: 'what it has counted so far',
    evidence: ruleEvidence(progress.place.rule),
  }
  const id = progress.context.budget.nextFork()
  const settled = ruleStep(
    progress.place,
    progress.context,
    'unknown',
    `${action.type} can't be decided, but the packet goes on the same either way`,
  )
  const side = (held: boolean) => withUnknown({ ...branch, forks: [...branch.forks, { id, held, unknown, settled }] }, unknown)
  return [...go(side(true)), { branch: side(false), control: NEXT }]
}

function notrack(branch: Branch, progress: RuleProgress): Branch {
  if (isSpokenFor(branch)) return branch
  return step({ ...branch, flight: { ...branch.flight, notrack: true } }, progress, 'notrack', 'not tracked from here on')
}

/** Tracked already, excluded, or given a template: neither xt_CT.c nor nft_notrack_eval changes that. */
function isSpokenFor({ flight, template }: Branch): boolean {
  return flight.connection !== undefined || flight.notrack || template
}

function ctTemplate(branch: Branch, action: Extract<Action, { kind: 'ct-template' }>, progress: RuleProgress): Branch {
  if (isSpokenFor(branch)) return branch
  const zone = action.zoneFromMark ? branch.flight.mark & 0xffff : (action.zone ?? 0)
  return step({ ...branch, template: true, zone, helper: action.helper }, progress, 'set', action.text)
}
