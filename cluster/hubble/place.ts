// SPDX-License-Identifier: Apache-2.0

/**
 * How far a stream of flows has been read, so that it can be taken up again: since when to ask, and which of the flows that
 * then come were seen before. Hubble keeps some thousand flows a node and hands them out by time; a relay's are sorted only
 * nearly, and it sends those of a node again when it lost the node for a moment. So a stream is taken up a little before the
 * last flow, and what was seen is recognised by Hubble's own uuids.
 */

import { type Envelope, uuidOf } from './response.ts'

/** Flows may come this much out of order: a relay's sorting window is 1 s. */
const SLACK_MS = 5_000
/** As many as sixteen nodes' whole memory, by Hubble's default of 4095 flows; some 8 MB. */
const REMEMBERED = 65_536

export class Place {
  readonly #uuids = new Set<string>()
  /** The same in order of coming, with their times; a ring. */
  readonly #order: { readonly uuid: string; readonly time: number }[] = []
  #next = 0
  #last = 0
  #first = Number.POSITIVE_INFINITY
  /** Of nodes, the time of their last flow. */
  readonly #nodes = new Map<string, number>()

  /** Of the newest flow of a node, or of all: milliseconds since 1970; 0 before the first. */
  last(node?: string): number {
    return node === undefined ? this.#last : (this.#nodes.get(node) ?? 0)
  }

  /** From when to ask on, in nanoseconds since 1970, but not before what was asked; undefined before the first flow. */
  get since(): bigint | undefined {
    if (this.#last === 0) return undefined
    const from = Math.max(this.#last - SLACK_MS, this.#forgotten(), this.#first)
    return BigInt(Math.floor(from * 1_000)) * 1_000n
  }

  /** Whether a flow is new. Call it once a flow. */
  take(response: Uint8Array, { time, node }: Envelope): boolean {
    const uuid = uuidOf(response)
    if (uuid !== '' && this.#uuids.has(uuid)) return false
    this.#remember(uuid, time)
    if (time > this.#last) this.#last = time
    if (time < this.#first) this.#first = time
    if (time > this.last(node)) this.#nodes.set(node, time)
    return true
  }

  #remember(uuid: string, time: number): void {
    const evicted = this.#order[this.#next]
    if (evicted !== undefined) this.#uuids.delete(evicted.uuid)
    this.#uuids.add(uuid)
    this.#order[this.#next] = { uuid, time }
    this.#next = (this.#next + 1) % REMEMBERED
  }

  /** The time before which flows may have been forgotten. */
  #forgotten(): number {
    return this.#order.length < REMEMBERED ? 0 : (this.#order[this.#next]?.time ?? 0)
  }
}
