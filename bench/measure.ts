// SPDX-License-Identifier: Apache-2.0

/** Measuring by ratio: contestants take turns within one run, so that a busy machine slows all of them alike. */

export interface Contestant {
  readonly name: string
  /** Milliseconds one turn took, by its own account where it measures itself. */
  run(): number | Promise<number>
}

/** Medians of milliseconds, by name, over `rounds` interleaved turns. */
export async function takeTurns(contestants: readonly Contestant[], rounds: number): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number[]>(contestants.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) times.get(contestant.name)?.push(await contestant.run())
  }
  return new Map([...times].map(([name, all]) => [name, median(all)]))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

export function timed(action: () => unknown): number {
  const start = performance.now()
  action()
  return performance.now() - start
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
