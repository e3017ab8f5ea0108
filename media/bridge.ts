// SPDX-License-Identifier: Apache-2.0

import { type Envelope, PANEL_PROTOCOL_VERSION, type PanelContract, type PanelError } from '../protocol/panel.ts'

/** Carries envelopes to the host and back. */
export interface Channel {
  post(envelope: Envelope): void
  /** Returns how to stop listening. */
  listen(handler: (envelope: Envelope) => void): () => void
}

export interface RequestOptions {
  /** Gives the request up, and tells the host. */
  readonly signal?: AbortSignal
  /** How long to wait, in milliseconds; null for requests that wait for a person. 30 s when left out. */
  readonly timeout?: number | null
}

/** A request the host could not answer. `code` is one of protocol/panel.ts. */
export class HostError extends Error {
  readonly code: string
  readonly actions: readonly string[]

  constructor({ code, message, actions }: PanelError) {
    super(message)
    this.name = 'HostError'
    this.code = code
    this.actions = actions ?? []
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: HostError) => void
}

const DEFAULT_TIMEOUT = 30_000

/** The webview's end of protocol/panel.ts. */
export class Bridge<C extends PanelContract> {
  readonly #channel: Channel
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Map<string, Set<(payload: unknown) => void>>()
  readonly #stop: () => void
  #lastId = 0

  constructor(channel: Channel) {
    this.#channel = channel
    this.#stop = channel.listen((envelope) => this.#receive(envelope))
  }

  /** Says that the page listens. Call it once all `on` are in place. */
  ready(): void {
    this.#channel.post({ kind: 'event', name: 'ready', payload: { version: PANEL_PROTOCOL_VERSION } })
  }

  request<M extends keyof C['hostMethods'] & string>(
    method: M,
    params: C['hostMethods'][M][0],
    { signal, timeout = DEFAULT_TIMEOUT }: RequestOptions = {},
  ): Promise<C['hostMethods'][M][1]> {
    if (signal?.aborted) return Promise.reject(cancelled(method))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const giveUp = (error: HostError) => {
        this.#channel.post({ kind: 'cancel', id })
        this.#waiting.get(id)?.reject(error)
      }
      const onAbort = () => giveUp(cancelled(method))
      const timer =
        timeout === null
          ? undefined
          : setTimeout(
              () => giveUp(new HostError({ code: 'timeout', message: `No answer to \`${method}\` within ${timeout / 1000} s.` })),
              timeout,
            )
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#waiting.delete(id)
      }
      this.#waiting.set(id, {
        resolve: (value) => {
          settle()
          resolve(value)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      })
      signal?.addEventListener('abort', onAbort)
      this.#channel.post({ kind: 'request', id, method, params })
    })
  }

  /** Hears an event of the host; returns how to stop. */
  on<E extends keyof C['hostEvents'] & string>(name: E, handler: (payload: C['hostEvents'][E]) => void): () => void {
    const handlers = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, handlers)
    const hear = (payload: unknown) => handler(payload as C['hostEvents'][E])
    handlers.add(hear)
    return () => void handlers.delete(hear)
  }

  emit<E extends keyof C['webviewEvents'] & string>(name: E, payload: C['webviewEvents'][E]): void {
    this.#channel.post({ kind: 'event', name, payload })
  }

  /** Stops listening; whoever still waits is told. */
  dispose(): void {
    this.#stop()
    for (const { reject } of [...this.#waiting.values()]) reject(cancelled('panel'))
    this.#listeners.clear()
  }

  #receive(envelope: Envelope): void {
    switch (envelope.kind) {
      case 'result':
        this.#waiting.get(envelope.id)?.resolve(envelope.value)
        break
      case 'failure':
        this.#waiting.get(envelope.id)?.reject(new HostError(envelope.error))
        break
      case 'event':
        for (const handler of this.#listeners.get(envelope.name) ?? []) handler(envelope.payload)
        break
      case 'request':
      case 'cancel':
        break // These go the other way only.
    }
  }
}

function cancelled(what: string): HostError {
  return new HostError({ code: 'cancelled', message: `\`${what}\` was cancelled.` })
}
