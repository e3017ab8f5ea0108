// SPDX-License-Identifier: Apache-2.0

import type { ChangeKind } from '../../protocol/mapPanel.ts'

export interface Mark {
  readonly kind: ChangeKind
  /** Milliseconds since the epoch. */
  readonly until: number
  /** Names of the value's columns that changed; undefined: not looked at. */
  readonly columns: ReadonlySet<string> | undefined
}

/** How long a change can be seen in its row, milliseconds. */
export const MARKED_MS = 2_000

/** Which rows have just changed, and how. */
export class RowMarks {
  readonly #marks = new Map<number, Mark>()

  get size(): number {
    return this.#marks.size
  }

  set(row: number, kind: ChangeKind, now: number, columns?: ReadonlySet<string>): void {
    // Later ones come last, so that the oldest are found first.
    this.#marks.delete(row)
    this.#marks.set(row, { kind, until: now + MARKED_MS, columns })
  }

  of(row: number): Mark | undefined {
    return this.#marks.get(row)
  }

  /** Forgets marks that are over, and returns the rows of removed entries among them. */
  expire(now: number): readonly number[] {
    const removed: number[] = []
    for (const [row, { kind, until }] of this.#marks) {
      if (until > now) break
      this.#marks.delete(row)
      if (kind === 'removed') removed.push(row)
    }
    return removed
  }

  clear(): void {
    this.#marks.clear()
  }
}
