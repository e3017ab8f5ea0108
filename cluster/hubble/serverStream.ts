// SPDX-License-Identifier: Apache-2.0

/**
 * The flows of one server, for as long as they are wanted: a stream that breaks is taken up where it was, what comes twice is
 * dropped, and what can't be had any more is told as lost.
 */

import { PlumblineError } from '../errors.ts'
import { jittered, pause } from '../retry.ts'
import { type Census, lossesBetween, takeCensus } from './census.ts'
import type { FlowsEvent, FlowsRequest } from './flowsEvent.ts'
import { GRPC, GrpcError } from './grpc.ts'
import { NodeWatch } from './nodeWatch.ts'
import type { Observer } from './observer.ts'
import { Place } from './place.ts'
import { envelopeOf } from './response.ts'
import { statusEvent } from './statusEvents.ts'

/** `times` are those of the responses, in milliseconds since 1970. */
export type ServerEvent =
  | Exclude<FlowsEvent, { kind: 'flows' }>
  | { readonly kind: 'flows'; readonly responses: readonly Uint8Array[]; readonly times: readonly number[] }

const BACKOFF = { baseMs: 500, maxMs: 15_000 }

/** `label` names the server in events. */
export async function* serverStream(
  observer: Observer,
  request: FlowsRequest,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  if (request.follow) yield* new Following(observer, request, label, signal).events()
  else for await (const responses of observer.getFlows(request, signal)) yield* eventsOf(responses, undefined)
}

class Following {
  readonly #observer: Observer
  readonly #request: FlowsRequest
  readonly #label: string
  readonly #signal: AbortSignal
  readonly #place = new Place()
  readonly #watch: NodeWatch
  /** From when to go on if nothing comes before the stream breaks. */
  readonly #begun = BigInt(Date.now()) * 1_000_000n
  #heardAt = performance.now()

  constructor(observer: Observer, request: FlowsRequest, label: string, signal: AbortSignal) {
    this.#observer = observer
    this.#request = request
    this.#label = label
    this.#signal = signal
    this.#watch = new NodeWatch(observer)
  }

  async *events(): AsyncGenerator<ServerEvent> {
    let before = await takeCensus(this.#observer, this.#signal)
    for (let request = this.#request; ; ) {
      const problem = yield* this.#read(request)
      const now = yield* this.#reconnect(problem)
      const quietSince = (node: string) => this.#watch.troubledSince(node) ?? this.#heardAt
      for (const loss of await lossesBetween(this.#observer, before, now, this.#place, quietSince, this.#signal)) {
        yield { kind: 'lost', loss }
      }
      before = now
      const since = this.#place.since ?? this.#request.since ?? this.#begun
      request = { ...this.#request, first: undefined, last: undefined, since }
    }
  }

  /** Returns why the stream ended; undefined when it is only to be begun again. */
  async *#read(request: FlowsRequest): AsyncGenerator<ServerEvent, PlumblineError | undefined> {
    const again = new AbortController()
    try {
      for await (const responses of this.#observer.getFlows(request, AbortSignal.any([this.#signal, again.signal]))) {
        this.#heardAt = performance.now()
        for (const event of eventsOf(responses, this.#place)) {
          if (event.kind === 'nodes') this.#watch.take(event.nodes, again)
          yield event
        }
      }
      return new PlumblineError('tunnel', `${this.#observer.name} ended the stream`)
    } catch (error) {
      if (again.signal.aborted && !this.#signal.aborted) return undefined
      return passing(error, this.#signal)
    } finally {
      again.abort()
    }
  }

  /** Asks until the server answers again. */
  async *#reconnect(ended: PlumblineError | undefined): AsyncGenerator<ServerEvent, Census> {
    for (let problem = ended, made = 1; ; made += 1) {
      if (problem !== undefined) {
        const retryInMs = jittered(made, BACKOFF)
        yield { kind: 'interrupted', server: this.#label, error: problem, retryInMs }
        await pause(retryInMs, this.#signal)
      }
      try {
        const census = await takeCensus(this.#observer, this.#signal)
        if (problem !== undefined) yield { kind: 'resumed', server: this.#label }
        return census
      } catch (error) {
        problem = passing(error, this.#signal)
      }
    }
  }
}

/** Not worth another try: nothing but a person can change it. */
const FINAL: ReadonlySet<string> = new Set([
  'cancelled',
  'unauthorized',
  'forbidden',
  'hubble-tls',
  'kubeconfig',
  'agent-version',
])
const PASSING_STATUS: ReadonlySet<number> = new Set([GRPC.unknown, GRPC.internal, GRPC.unavailable])

/** The error of somebody who answered before, if it may pass. Throws it if not. */
function passing(error: unknown, signal: AbortSignal): PlumblineError {
  const final =
    signal.aborted ||
    !PlumblineError.is(error) ||
    FINAL.has(error.code) ||
    (error instanceof GrpcError && !PASSING_STATUS.has(error.status))
  if (final) throw error
  return error
}

function* eventsOf(responses: readonly Uint8Array[], place: Place | undefined): Generator<ServerEvent> {
  let flows: Uint8Array[] = []
  let times: number[] = []
  for (const response of responses) {
    const envelope = envelopeOf(response)
    if (envelope.kind === 'flow') {
      if (place?.take(response, envelope) === false) continue
      flows.push(response)
      times.push(envelope.time)
      continue
    }
    const event = statusEvent(response)
    if (event === undefined) continue
    if (flows.length > 0) yield { kind: 'flows', responses: flows, times }
    flows = []
    times = []
    yield event
  }
  if (flows.length > 0) yield { kind: 'flows', responses: flows, times }
}
