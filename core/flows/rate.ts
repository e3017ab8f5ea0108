// SPDX-License-Identifier: Apache-2.0

import type { FlowStore } from './store/store.ts'

/** Numbers of rows of a store, in the order they came: those a filter lets through. */
export type RowList = ArrayLike<number>

/** How many flows were seen in each of some equally long stretches of time. */
export interface Rate {
  /** Seconds since 1970 at which each stretch begins. */
  readonly times: readonly number[]
  readonly forwarded: readonly number[]
  /** Dropped, or refused with an error. */
  readonly dropped: readonly number[]
  /** Seconds. */
  readonly step: number
}

const NICE = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400]
const DAY = 86_400

/**
 * Counts rows by when their nodes saw them, in at most `most` stretches. Where a clock is far off, only the newest flows are
 * counted: those of the last `most` days.
 */
export function rateOf(store: FlowStore, rows: RowList, most: number): Rate {
  const { seconds, numbers } = store.columns
  const { first, capacity } = store
  let oldest = Number.POSITIVE_INFINITY
  let newest = Number.NEGATIVE_INFINITY
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as number
    const time = seconds[row % capacity] ?? 0
    if (row < first || time === 0) continue
    if (time < oldest) oldest = time
    if (time > newest) newest = time
  }
  if (oldest > newest) return { times: [], forwarded: [], dropped: [], step: 1 }
  const step = NICE.find((nice) => (newest - oldest) / nice < most - 1) ?? DAY
  const end = Math.floor(newest / step)
  const start = Math.max(Math.floor(oldest / step), end - most + 1)
  const forwarded = new Array<number>(end - start + 1).fill(0)
  const dropped = new Array<number>(end - start + 1).fill(0)
  const bad = isBadByClass(store)
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as number
    const slot = row % capacity
    const at = Math.floor((seconds[slot] ?? 0) / step) - start
    if (row < first || at < 0) continue
    const counts = bad[numbers.class[slot] ?? 0] === 1 ? dropped : forwarded
    counts[at] = (counts[at] ?? 0) + 1
  }
  return { times: forwarded.map((_, at) => (start + at) * step), forwarded, dropped, step }
}

/** By a class's number, 1 for those of dropped flows. */
export function isBadByClass({ dictionaries: { classes } }: FlowStore): Uint8Array {
  const bad = new Uint8Array(classes.size)
  for (let number = 0; number < classes.size; number++) {
    const verdict = classes.get(number)?.verdict
    if (verdict === 'DROPPED' || verdict === 'ERROR') bad[number] = 1
  }
  return bad
}
