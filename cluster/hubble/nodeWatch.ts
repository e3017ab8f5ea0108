// SPDX-License-Identifier: Apache-2.0

/**
 * A relay says that it lost a node, but not that the node is back, and then goes on with that node's newest flows only. So
 * it is asked while a node is missing; once one is back, the stream is begun again where it was.
 */

import { pause } from '../retry.ts'
import { takeCensus } from './census.ts'
import type { NodeFlowState } from './flowsEvent.ts'
import type { Observer } from './observer.ts'

/** Ever more rarely: a node may be gone for good, or fail each time. */
const INTERVALS_MS = [1_000, 2_000, 4_000, 8_000, 15_000]
/** A relay collects errors for 10 s before it tells them, and looks for nodes every 2 s. */
const TOLD_AFTER_MS = 12_000
const CALM_MS = 60_000

export class NodeWatch {
  readonly #observer: Observer
  /** When they were lost at the earliest, by this process's clock. */
  readonly #troubled = new Map<string, number>()
  #asked = 0
  #askedAt = 0
  #running = false

  constructor(observer: Observer) {
    this.#observer = observer
  }

  /** When a node was lost, if it was; until it is told to be connected. */
  troubledSince(node: string): number | undefined {
    return this.#troubled.get(node)
  }

  /** Aborts `again` once a node that was lost is back. */
  take(nodes: readonly NodeFlowState[], again: AbortController): void {
    for (const { node, state } of nodes) {
      if (state === 'connected') this.#troubled.delete(node)
      else if (!this.#troubled.has(node)) this.#troubled.set(node, performance.now() - TOLD_AFTER_MS)
    }
    if (this.#troubled.size === 0 || this.#running) return
    this.#running = true
    this.#untilBack(again.signal).then(
      () => {
        this.#running = false
        again.abort()
      },
      () => {
        this.#running = false // The stream ended first, and says why.
      },
    )
  }

  async #untilBack(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#askedAt > CALM_MS) this.#asked = 0
    for (;;) {
      await pause(INTERVALS_MS[Math.min(this.#asked, INTERVALS_MS.length - 1)] ?? 0, signal)
      this.#asked += 1
      this.#askedAt = performance.now()
      const { nodes } = await takeCensus(this.#observer, signal)
      if ([...this.#troubled.keys()].some((node) => nodes.get(node)?.connected)) return
    }
  }
}
