// SPDX-License-Identifier: Apache-2.0

const SECONDS = 5

/** How many come a second, over the last five. */
export class RateMeter {
  readonly #now: () => number
  /** Count of each of the last seconds, by its number. */
  readonly #counts = new Map<number, number>()

  /** `now` is in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  add(count: number): void {
    const second = Math.floor(this.#now() / 1000)
    this.#counts.set(second, (this.#counts.get(second) ?? 0) + count)
    for (const old of this.#counts.keys()) if (old < second - SECONDS) this.#counts.delete(old)
  }

  /** The second that runs does not count until it is over. */
  get perSecond(): number {
    const second = Math.floor(this.#now() / 1000)
    let sum = 0
    for (let back = 1; back <= SECONDS; back++) sum += this.#counts.get(second - back) ?? 0
    return sum / SECONDS
  }
}
