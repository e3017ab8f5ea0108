// SPDX-License-Identifier: Apache-2.0

import type { Match, SetElement, Verdict } from '../statement.ts'
import { NftSyntaxError, type SetItem, type Stmt, type VerdictNode } from './ast.ts'
import type { SetDraft } from './builder.ts'
import { lowerElement } from './lower-constant.ts'
import { printExpression, printStatement } from './print.ts'
import type { DataType } from './types.ts'

export interface ElementProblem {
  readonly line: number
  readonly reason: string
  readonly text: string
}

/** Elements of a named set; those that can't be read are told, the others are kept. */
export function lowerSetElements(draft: SetDraft): { elements: SetElement[]; problems: ElementProblem[] } {
  const elements: SetElement[] = []
  const problems: ElementProblem[] = []
  for (const item of draft.items) {
    try {
      elements.push(lowerItem(item, draft.keyTypes, draft.dataTypes, draft.kind === 'object-map'))
    } catch (error) {
      if (!(error instanceof NftSyntaxError)) throw error
      problems.push({ line: item.line, reason: error.message, text: `${draft.name}: ${printExpression(item.key)}` })
    }
  }
  return { elements, problems }
}

export function lowerItem(item: SetItem, keys: readonly DataType[], data: readonly DataType[], objects = false): SetElement {
  const matches = item.statements.filter((statement) => RATES.has(statement.kind)).map(rate)
  return {
    key: lowerElement(item.key, keys),
    ...(item.verdict !== undefined && { verdict: lowerVerdict(item.verdict) }),
    ...(item.data !== undefined && lowerData(item.data, data, objects)),
    ...(item.comment !== undefined && { comment: item.comment }),
    ...(matches.length > 0 && { matches }),
    line: item.line,
  }
}

function lowerData(data: NonNullable<SetItem['data']>, types: readonly DataType[], objects: boolean): Partial<SetElement> {
  if (objects && data.kind === 'constant') return { object: String(data.value) }
  return { data: lowerElement(data, types) }
}

/** Statements that end the rule now and then; counters never do. */
export const RATES: ReadonlySet<Stmt['kind']> = new Set<Stmt['kind']>(['limit', 'quota', 'ct-count'])

export function rate(statement: Stmt): Match {
  return { kind: 'rate', name: statement.kind === 'ct-count' ? 'ct count' : statement.kind, text: printStatement(statement) }
}

export function lowerVerdict(verdict: VerdictNode): Verdict {
  switch (verdict.kind) {
    case 'jump':
    case 'goto':
      return { kind: verdict.kind, chain: verdict.target }
    case 'queue':
      return { kind: 'queue', from: 0, to: 0, bypass: false }
    default:
      return { kind: verdict.kind }
  }
}
