// SPDX-License-Identifier: Apache-2.0

import type { ActorKind, Effect, Evidence } from '../../path/answer.ts'
import { ownerOf } from '../owner.ts'
import type { Chain, Rule } from '../ruleset.ts'
import type { HookStep, VisitedRule } from '../traversal.ts'
import type { TableContext } from './context.ts'

/** A rule where it stands: number counts from 1. */
export interface RulePlace {
  readonly chain: Chain
  readonly rule: Rule
  readonly number: number
}

export function ruleEvidence(rule: Rule): Evidence {
  return { kind: 'file', file: rule.position.file, line: rule.position.line, text: rule.text }
}

/** "KUBE-SVC-ABC rule 2" */
export function ruleName({ chain, number }: RulePlace): string {
  return `${chain.name} rule ${number}`
}

export function ruleStep(
  place: RulePlace,
  context: TableContext,
  effect: Effect,
  text: string,
  change?: { before: string; after: string },
): HookStep {
  return {
    hook: context.place,
    actor: { kind: 'rule', ref: ruleReference(place, context) },
    effect,
    before: change?.before ?? null,
    after: change?.after ?? null,
    evidence: ruleEvidence(place.rule),
    text: `${ruleName(place)}: ${text}`,
  }
}

function ruleReference(place: RulePlace, { table }: TableContext): string {
  const prefix = table.backend === 'nft' ? `nft ${table.family} ${table.name}` : table.name
  return `${prefix}/${place.chain.name}#${place.number}`
}

export function chainStep(chain: Chain, context: TableContext, kind: ActorKind, effect: Effect, text: string): HookStep {
  const { file, line } = chain.position
  return {
    hook: context.place,
    actor: { kind, ref: chain.name },
    effect,
    before: null,
    after: null,
    evidence: { kind: 'file', file, line, text: chain.name },
    text,
  }
}

export function visitedRule(place: RulePlace, context: TableContext): VisitedRule {
  return {
    hook: context.place,
    text: place.rule.text,
    owner: ownerOf(context.table, place.chain.name, place.rule.comment, jumpTarget(place.rule)),
    evidence: ruleEvidence(place.rule),
  }
}

function jumpTarget({ statements }: Rule): string | undefined {
  const last = statements.at(-1)
  return last?.kind === 'verdict' && 'chain' in last.verdict ? last.verdict.chain : undefined
}

/** 1/3, or a percentage where no small fraction says it. */
export function describeProbability(probability: number): string {
  for (let denominator = 2; denominator <= 64; denominator++) {
    const numerator = Math.round(probability * denominator)
    if (numerator > 0 && Math.abs(numerator / denominator - probability) < 1e-6) return `${numerator}/${denominator}`
  }
  return `${Number((probability * 100).toPrecision(3))} %`
}
