// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from 'node:timers/promises'
import { CancelledError, throwIfCancelled } from './errors.ts'

export interface RetryOptions {
  /** Including the first one. */
  readonly attempts: number
  readonly baseMs: number
  readonly maxMs: number
  readonly signal?: AbortSignal | undefined
  /** Whether another attempt may help. */
  readonly isPassing: (error: unknown) => boolean
  readonly onRetry?: (error: unknown, delayMs: number) => void
}

/** Calls until it succeeds, waiting a random time below an exponential bound between attempts ("full jitter"). */
export async function withRetry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let made = 1; ; made += 1) {
    throwIfCancelled(options.signal)
    try {
      return await attempt()
    } catch (error) {
      if (options.signal?.aborted) throw new CancelledError(error)
      if (made >= options.attempts || !options.isPassing(error)) throw error
      const delay = jittered(made, options)
      options.onRetry?.(error, delay)
      await pause(delay, options.signal)
    }
  }
}

/** How long to wait after so many attempts in vain, in milliseconds. */
export function jittered(made: number, { baseMs, maxMs }: Pick<RetryOptions, 'baseMs' | 'maxMs'>): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** (made - 1))
}

/** Waits, and throws `CancelledError` at once when the signal is aborted. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal && { signal })
  } catch (error) {
    throw new CancelledError(error)
  }
}

/** Runs a task for each item, at most `limit` at a time; results in the items' order. The first failure ends it. */
export async function mapBounded<T, R>(items: readonly T[], limit: number, task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array<R>(items.length)
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await task(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}
