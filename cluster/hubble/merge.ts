// SPDX-License-Identifier: Apache-2.0

/**
 * Several servers' flows as one stream, in order of time. A flow waits until every server has said something newer, but in a
 * stream that goes on no longer than `patienceMs`: a quiet node must not hold up the others.
 */

import type { FlowsEvent } from './flowsEvent.ts'
import type { ServerEvent } from './serverStream.ts'

/** Flows of a server that wait; a server that is further ahead waits itself. */
const MAX_WAITING = 16_384

interface Waiting {
  readonly response: Uint8Array
  readonly time: number
  readonly since: number
}

class Source {
  readonly queue: Waiting[] = []
  head = 0
  ended = false
  /** Lets its reader go on. */
  room: (() => void) | undefined

  get size(): number {
    return this.queue.length - this.head
  }

  peek(): Waiting | undefined {
    return this.queue[this.head]
  }

  take(): void {
    this.head += 1
    if (this.head < 4_096 && this.head < this.queue.length) return
    this.queue.splice(0, this.head)
    this.head = 0
    if (this.size < MAX_WAITING) this.room?.()
  }
}

/** `patienceMs` undefined: without bound, for servers that all come to an end. Fails with the first server that fails. */
export async function* merged(
  streams: readonly AsyncIterable<ServerEvent>[],
  patienceMs: number | undefined,
): AsyncGenerator<FlowsEvent> {
  const merge = new Merge(streams, patienceMs)
  try {
    yield* merge.events()
  } finally {
    merge.stop()
  }
}

class Merge {
  readonly #sources: readonly Source[]
  readonly #patience: number
  readonly #told: FlowsEvent[] = []
  #failure: { readonly error: unknown } | undefined
  #stopped = false
  #wake: () => void = () => {}

  constructor(streams: readonly AsyncIterable<ServerEvent>[], patienceMs: number | undefined) {
    this.#patience = patienceMs ?? Number.POSITIVE_INFINITY
    this.#sources = streams.map(() => new Source())
    for (const [index, stream] of streams.entries()) {
      const source = this.#sources[index]
      if (source !== undefined) void this.#fill(source, stream)
    }
  }

  stop(): void {
    this.#stopped = true
    for (const { room } of this.#sources) room?.()
  }

  async *events(): AsyncGenerator<FlowsEvent> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error
      const event = this.#told.shift()
      // From here to the wait nothing else runs: no change can be missed.
      const responses = event === undefined ? this.#ready() : []
      if (event !== undefined) yield event
      else if (responses.length > 0) yield { kind: 'flows', responses }
      else if (this.#sources.every(({ ended, size }) => ended && size === 0)) return
      else await this.#change()
    }
  }

  async #fill(source: Source, stream: AsyncIterable<ServerEvent>): Promise<void> {
    try {
      for await (const event of stream) {
        if (this.#stopped) return
        if (event.kind === 'flows') await this.#enqueue(source, event)
        else this.#told.push(event)
        this.#wake()
      }
    } catch (error) {
      this.#failure ??= { error }
    } finally {
      source.ended = true
      this.#wake()
    }
  }

  async #enqueue(source: Source, { responses, times }: Extract<ServerEvent, { kind: 'flows' }>): Promise<void> {
    const since = performance.now()
    for (const [index, response] of responses.entries()) source.queue.push({ response, time: times[index] ?? 0, since })
    if (source.size < MAX_WAITING) return
    this.#wake()
    await new Promise<void>((resolve) => {
      source.room = resolve
    })
    source.room = undefined
  }

  /** What may go on now, oldest first. */
  #ready(): Uint8Array[] {
    const out: Uint8Array[] = []
    const late = performance.now() - this.#patience
    for (;;) {
      const { first, silent } = this.#oldest()
      const flow = first?.peek()
      if (first === undefined || flow === undefined || (silent && flow.since > late)) return out
      out.push(flow.response)
      first.take()
    }
  }

  /** The server with the oldest flow, and whether one has said nothing that is still to come. */
  #oldest(): { readonly first: Source | undefined; readonly silent: boolean } {
    let first: Source | undefined
    let silent = false
    let time = Number.POSITIVE_INFINITY
    for (const source of this.#sources) {
      const flow = source.peek()
      if (flow === undefined) silent ||= !source.ended
      else if (flow.time < time) {
        first = source
        time = flow.time
      }
    }
    return { first, silent }
  }

  #change(): Promise<void> {
    const waits = this.#sources.map((source) => source.peek()?.since ?? Number.POSITIVE_INFINITY)
    const left = Math.min(...waits) + this.#patience - performance.now()
    return new Promise((resolve) => {
      const timer = Number.isFinite(left) ? setTimeout(resolve, Math.max(left, 1)) : undefined
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
