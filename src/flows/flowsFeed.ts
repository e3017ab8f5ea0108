// SPDX-License-Identifier: Apache-2.0

import type { FlowsState } from '../../protocol/flowsPanel.ts'
import type { FlowsModel } from './flowsModel.ts'

/** Rows sent along with each state, so that a table that follows the end needs not ask for them. */
const TAIL = 64
const FRAME_MS = 16
const SECOND_MS = 1000

export interface Surroundings {
  /** Name of the cluster flows would come from. */
  readonly cluster: string | null
  readonly problem: FlowsState['problem']
}

/**
 * Tells a page how things are: once a frame at most, and never again before the page has painted the last. What happens meanwhile
 * is in the next state, so however fast flows come, one message is under way.
 */
export class FlowsFeed {
  readonly #model: FlowsModel
  readonly #tell: (state: FlowsState) => void
  readonly #surroundings: () => Surroundings
  readonly #clock: ReturnType<typeof setInterval>
  #tick = 0
  #seen = 0
  #dirty = false
  #listening = false
  #frame: ReturnType<typeof setTimeout> | undefined
  #lastRate = 0
  /** Generation of the view last told of. */
  #shown = -1

  constructor(model: FlowsModel, surroundings: () => Surroundings, tell: (state: FlowsState) => void) {
    this.#model = model
    this.#tell = tell
    this.#surroundings = surroundings
    // The rate falls, and a loss is over, without anything coming.
    this.#clock = setInterval(() => {
      if (model.perSecond !== this.#lastRate || model.losingNow) this.changed()
    }, SECOND_MS)
    this.#clock.unref?.()
  }

  /** A page listens from now on. */
  start(): void {
    this.#listening = true
    this.#seen = this.#tick
    this.#send()
  }

  stop(): void {
    this.#listening = false
  }

  changed(): void {
    this.#dirty = true
    // Somebody who typed waits for it; nobody types faster than frames.
    if (this.#listening && this.#model.generation !== this.#shown) this.#send()
    else this.#sendSoon()
  }

  /** The page has painted the state of that tick. */
  seen(tick: number): void {
    this.#seen = Math.max(this.#seen, tick)
    this.#sendSoon()
  }

  dispose(): void {
    clearInterval(this.#clock)
    clearTimeout(this.#frame)
    this.#listening = false
  }

  #sendSoon(): void {
    if (!this.#dirty || !this.#listening || this.#seen < this.#tick) return
    this.#frame ??= setTimeout(() => {
      this.#frame = undefined
      if (this.#dirty && this.#listening && this.#seen >= this.#tick) this.#send()
    }, FRAME_MS)
  }

  #send(): void {
    this.#dirty = false
    this.#shown = this.#model.generation
    this.#tick++
    this.#tell(this.#state())
  }

  #state(): FlowsState {
    const model = this.#model
    const { store, first, count } = model
    const end = first + count
    this.#lastRate = model.perSecond
    const by = model.losses
    return {
      tick: this.#tick,
      generation: model.generation,
      first,
      count,
      tail: model.rows(Math.max(first, end - TAIL), end),
      scanning: model.scanning,
      filter: model.text,
      behind: model.behind,
      kept: store.next - store.first,
      capacity: model.capacity,
      came: store.appended,
      notKept: store.evicted,
      rate: this.#lastRate,
      lost: {
        total: by.reduce((sum, { count: lost }) => sum + Math.max(0, lost), 0),
        atLeast: by.some(({ count: lost }) => lost < 0),
        now: model.losingNow,
        by,
      },
      nodes: model.nodes,
      following: model.following,
      paused: model.paused,
      recording: model.recording,
      opened: model.opened,
      ...this.#surroundings(),
    }
  }
}
