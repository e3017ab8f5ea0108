// SPDX-License-Identifier: Apache-2.0

/** Turns aligned rows into what is drawn: which rows fold into a count, and which steps inside a cell. */

import type { Row, Visit } from '../../core/path/alignment.ts'
import type { BypassedRule, Difference, Step } from '../../core/path/answer.ts'
import { isUnknownOwner } from '../../core/path/headline.ts'
import { isIdle, weightOf } from '../../core/path/weight.ts'

export type Item =
  | { readonly kind: 'row'; readonly id: string; readonly row: Row }
  /** Consecutive rows in which nothing was decided. */
  | { readonly kind: 'fold'; readonly id: string; readonly rows: readonly { readonly id: string; readonly row: Row }[] }

export interface VisitItems {
  readonly id: string
  readonly node: string
  readonly netns: string
  readonly items: readonly Item[]
}

/** `keep` protects rows from folding, whatever they decided. */
export function layOut(visits: readonly Visit[], keep: (visit: Visit, row: Row) => boolean): readonly VisitItems[] {
  return visits.map((visit, v) => ({
    id: String(v),
    node: visit.node,
    netns: visit.netns,
    items: foldRuns(
      visit.rows.map((row, r) => ({ id: `${v}.${r}`, row })),
      ({ row }) => isIdle(row) && !keep(visit, row),
    ).map((run): Item => {
      const [first] = run
      if (run.length === 1 && first !== undefined) return { kind: 'row', ...first }
      return { kind: 'fold', id: `f${first?.id}`, rows: run }
    }),
  }))
}

export type CellItem =
  | { readonly kind: 'step'; readonly step: Step; readonly index: number }
  | { readonly kind: 'fold'; readonly steps: readonly { readonly step: Step; readonly index: number }[] }

/** A cell's steps, runs of two and more that decided nothing folded. `first` is the first step's index in the outcome. */
export function cellItems(steps: readonly Step[], first: number): readonly CellItem[] {
  return foldRuns(
    steps.map((step, index) => ({ step, index: first + index })),
    ({ step }) => weightOf(step) === 'idle',
  ).map((run): CellItem => {
    const [only] = run
    return run.length === 1 && only !== undefined ? { kind: 'step', ...only } : { kind: 'fold', steps: run }
  })
}

/** Groups neighbours that fold; each of the others stands alone. */
function foldRuns<T>(items: readonly T[], folds: (item: T) => boolean): readonly (readonly T[])[] {
  const runs: T[][] = []
  let open = false
  for (const item of items) {
    const fold = folds(item)
    if (fold && open) runs.at(-1)?.push(item)
    else runs.push([item])
    open = fold
  }
  return runs
}

/** Steps of one lane in some rows, and whether it goes past or has ended where it has none. */
export function laneSummary(rows: readonly Row[], lane: number): { readonly steps: number; readonly absent: 'gap' | 'ended' } {
  let steps = 0
  let absent: 'gap' | 'ended' = 'ended'
  for (const row of rows) {
    const cell = row.cells[lane]
    if (cell?.kind === 'steps') steps += cell.steps.length
    if (cell?.kind === 'gap') absent = 'gap'
  }
  return { steps, absent }
}

/** Bypassed rules at some hooks of a node, and how many of them nobody owns. */
export function bypassedAt(
  difference: Difference | null,
  node: string,
  hooks: ReadonlySet<string>,
): { readonly rules: number; readonly unknown: number } {
  const here = (difference?.bypassedRules ?? []).filter((rule: BypassedRule) => rule.node === node && hooks.has(rule.hook))
  return { rules: here.length, unknown: here.filter((rule) => isUnknownOwner(rule.owner)).length }
}
