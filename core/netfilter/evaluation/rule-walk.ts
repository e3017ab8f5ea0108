// SPDX-License-Identifier: Apache-2.0

import type { Unknown } from '../../path/answer.ts'
import type { Match, Statement, Verdict } from '../statement.ts'
import type { HookVerdict } from '../traversal.ts'
import { runAction } from './action.ts'
import { assume, type Branch, withUnknown } from './branch.ts'
import { isMatch } from './chain-index.ts'
import type { TableContext } from './context.ts'
import { decide } from './decide.ts'
import { describeProbability, type RulePlace, ruleEvidence, ruleName, ruleStep, visitedRule } from './text.ts'
import { append } from './trail.ts'
import type { Chance, Decision, Undecided } from './value.ts'

/** Where a branch goes after a rule. */
export type Control =
  | { readonly kind: 'next' }
  | Verdict
  | { readonly kind: 'end'; readonly verdict: HookVerdict; readonly detail: string | undefined }

export interface RuleResult {
  readonly branch: Branch
  readonly control: Control
}

/** A rule half-way: what it has said so far, for the text of its step. */
export interface RuleProgress {
  readonly place: RulePlace
  readonly context: TableContext
  /** "chosen with probability 1/2", said by the first action. */
  readonly notes: readonly string[]
  /** The rule's matches held, and it was noted. */
  readonly visited: boolean
  /** As the branch was before the rule was noted, until an action takes effect: a lookup without result is no match. */
  readonly unvisited: Branch['visited'] | 'acted'
}

export const NEXT: Control = { kind: 'next' }

/** Runs one rule for one branch. */
export function runRule(branch: Branch, place: RulePlace, context: TableContext): RuleResult[] {
  return runStatements(branch, 0, { place, context, notes: [], visited: false, unvisited: 'acted' })
}

/** From the statement at `at` on. */
export function runStatements(branch: Branch, at: number, progress: RuleProgress): RuleResult[] {
  const { statements } = progress.place.rule
  for (let i = at; i < statements.length; i++) {
    const statement = statements[i]
    if (!statement || statement.kind === 'counter') continue
    if (!isMatch(statement.kind)) return act(branch, i, progress)
    const decision = decideAssuming(statement as Match, branch, progress.context)
    if (decision === false) return [{ branch, control: NEXT }]
    if (decision !== true && failsLater(statements, i + 1, branch, progress.context)) return [{ branch, control: NEXT }]
    if (decision !== true) return split(branch, decision, statement as Match, i, progress)
  }
  return [{ branch: endOfRule(branch, progress), control: NEXT }]
}

function act(branch: Branch, at: number, progress: RuleProgress): RuleResult[] {
  if (progress.visited) return runAction(branch, at, { ...progress, unvisited: 'acted' })
  return runAction(visit(branch, progress), at, { ...progress, visited: true, unvisited: branch.visited })
}

/** The rest of the rule does not happen (NFT_BREAK). */
export function breakOff(branch: Branch, { unvisited }: RuleProgress): RuleResult {
  return { branch: unvisited === 'acted' ? branch : { ...branch, visited: unvisited }, control: NEXT }
}

/** A later match of the same rule that surely does not hold: what comes before it need not be decided. */
function failsLater(statements: readonly Statement[], from: number, branch: Branch, context: TableContext): boolean {
  for (let i = from; i < statements.length; i++) {
    const statement = statements[i]
    if (statement?.kind === 'counter') continue
    if (!statement || !isMatch(statement.kind)) return false
    if (decideAssuming(statement as Match, branch, context) === false) return true
  }
  return false
}

/** A rule without any action that says something still did hold. */
function endOfRule(branch: Branch, progress: RuleProgress): Branch {
  if (progress.visited) return branch
  const { place, context, notes } = progress
  const noted = visit(branch, progress)
  return { ...noted, steps: append(noted.steps, ruleStep(place, context, 'pass', [...notes, 'matches, counts'].join(', '))) }
}

function visit(branch: Branch, progress: RuleProgress): Branch {
  if (progress.visited) return branch
  return { ...branch, visited: append(branch.visited, visitedRule(progress.place, progress.context)) }
}

/** What is assumed of a set once the packet itself has passed a rule that changes it. */
export function changedSet(table: TableContext['table'], set: string): string {
  return `changed ${table.family} ${table.name} ${set}`
}

/** Sets hold what was listed, until the packet's own rules change them. */
function decideMatch(match: Match, branch: Branch, context: TableContext): Decision {
  const decision = decide(match, branch.flight, context)
  if (branch.assumptions.size === 0 || match.kind !== 'compare' || match.value.kind !== 'set') return decision
  const { name } = match.value
  if (!branch.assumptions.has(changedSet(context.table, name))) return decision
  return { kind: 'undecided', missing: `contents of set @${name} after a rule before has changed it`, key: undefined }
}

function decideAssuming(match: Match, branch: Branch, context: TableContext): Decision {
  const decision = decideMatch(match, branch, context)
  if (typeof decision === 'boolean' || branch.assumptions.size === 0 || decision.key === undefined) return decision
  const assumed = branch.assumptions.get(decision.key)
  if (!assumed) return decision
  if (decision.kind === 'undecided') return (assumed[0] === 1) !== isNegated(match)
  return narrow(decision, assumed)
}

/** Undecided conditions are remembered without their negation. */
function isNegated(match: Match): boolean {
  switch (match.kind) {
    case 'compare':
      return match.op === 'ne'
    case 'ipset':
    case 'group':
      return match.negated
    case 'addrtype':
      return (match.source ?? match.destination)?.negated ?? false
    case 'owner':
      return (match.uid ?? match.gid)?.negated ?? false
    default:
      return false
  }
}

/** A hash that was asked for before: only the values assumed then are left. */
function narrow(decision: Chance, assumed: readonly number[]): Decision {
  const held = decision.held.filter((value) => assumed.includes(value))
  const failed = decision.failed.filter((value) => assumed.includes(value))
  if (held.length === 0 || failed.length === 0) return held.length > 0
  return { ...decision, held, failed, probability: held.length / (held.length + failed.length) }
}

function split(branch: Branch, decision: Chance | Undecided, match: Match, at: number, progress: RuleProgress): RuleResult[] {
  const { context } = progress
  if (!context.budget.grow(1)) return [{ branch: withUnknown(branch, tooMany(progress)), control: NEXT }]
  if (decision.kind === 'undecided') return splitUndecided(branch, decision, match, at, progress)
  const note = `chosen with probability ${describeProbability(decision.probability)}`
  const held = assume({ ...branch, probability: branch.probability * decision.probability }, decision.key, decision.held)
  const failed = assume(
    { ...branch, probability: branch.probability * (1 - decision.probability) },
    decision.key,
    decision.failed,
  )
  return [...runStatements(held, at + 1, { ...progress, notes: [...progress.notes, note] }), { branch: failed, control: NEXT }]
}

/** Both ways on from a match at `at` that can't be decided. */
export function splitUndecided(
  branch: Branch,
  decision: Undecided,
  match: Match,
  at: number,
  progress: RuleProgress,
): RuleResult[] {
  const negated = isNegated(match)
  const unknown = unknownOf(decision.missing, match, progress)
  const id = progress.context.budget.nextFork()
  const settled = ruleStep(
    progress.place,
    progress.context,
    'unknown',
    `can't be decided (${decision.missing} missing), but the packet goes on the same either way`,
  )
  const side = (held: boolean): Branch =>
    assume(
      { ...branch, forks: [...branch.forks, { id, held, unknown, settled }], unknowns: append(branch.unknowns, unknown) },
      decision.key,
      [held === negated ? 0 : 1],
    )
  return [
    ...runStatements(side(true), at + 1, {
      ...progress,
      notes: [...progress.notes, `if it matches (${decision.missing} missing)`],
    }),
    { branch: side(false), control: NEXT },
  ]
}

export function unknownOf(missing: string, statement: Statement, { place, context }: RuleProgress): Unknown {
  const what =
    'name' in statement && statement.kind !== 'object' ? `match \`${statement.name}\`` : `a match of ${ruleName(place)}`
  return { what: `${what} in ${context.place} (${place.chain.name})`, missing, evidence: ruleEvidence(place.rule) }
}

function tooMany({ place, context }: RuleProgress): Unknown {
  return {
    what: `everything ${ruleName(place)} in ${context.place} would add`,
    missing: `a narrower question: this one has more than ${context.budget.limit} ways through one hook`,
    evidence: ruleEvidence(place.rule),
  }
}
