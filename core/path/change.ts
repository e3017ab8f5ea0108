// SPDX-License-Identifier: Apache-2.0

import type { Step } from './answer.ts'

/** One thing that a step changed. */
export interface Change {
  /** Which end, when the values are flows ("src -> dst") and only that end differs; null for anything else. */
  readonly part: 'source' | 'destination' | null
  readonly before: string | null
  readonly after: string
}

/** What changed, narrowed to the ends that differ; empty when nothing did. */
export function changesOf({ before, after }: Pick<Step, 'before' | 'after'>): readonly Change[] {
  if (after === null || after === before) return []
  const [from, to] = [flow(before), flow(after)]
  if (from === null || to === null) return [{ part: null, before, after }]
  return (['source', 'destination'] as const).flatMap((part) =>
    from[part] === to[part] ? [] : [{ part, before: from[part], after: to[part] }],
  )
}

function flow(text: string | null): { readonly source: string; readonly destination: string } | null {
  const [source, destination, ...more] = (text ?? '').split(' -> ')
  return source === undefined || destination === undefined || more.length > 0 ? null : { source, destination }
}
