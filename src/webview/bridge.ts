// SPDX-License-Identifier: Apache-2.0

import type * as vscode from 'vscode'
import { type Envelope, PANEL_PROTOCOL_VERSION, type PanelContract, type PanelError } from '../../protocol/panel.ts'
import { Owner } from '../disposable.ts'

export type Handlers<C extends PanelContract> = {
  readonly [M in keyof C['hostMethods']]: (params: C['hostMethods'][M][0], signal: AbortSignal) => Promise<C['hostMethods'][M][1]>
}

export interface BridgeOptions<C extends PanelContract> {
  readonly handlers: Handlers<C>
  /** The page listens now. Comes again after each reload of the page. */
  readonly onReady: () => void
  /** The page was built for another protocol. */
  readonly onStale: () => void
  readonly onEvent?: (name: keyof C['webviewEvents'] & string, payload: unknown) => void
  readonly describe: (method: string, error: unknown) => PanelError
}

/** What of a `vscode.Webview` the bridge needs. */
export type Port = Pick<vscode.Webview, 'postMessage' | 'onDidReceiveMessage'>

/** The host's end of protocol/panel.ts: answers each request exactly once, and stops what the webview cancels. */
export class HostBridge<C extends PanelContract> extends Owner {
  readonly #port: Port
  readonly #options: BridgeOptions<C>
  readonly #running = new Map<number, AbortController>()

  constructor(port: Port, options: BridgeOptions<C>) {
    super()
    this.#port = port
    this.#options = options
    this.own(port.onDidReceiveMessage((message: unknown) => this.#receive(message)))
    this.own({ dispose: () => this.#cancelAll() })
  }

  tell<E extends keyof C['hostEvents'] & string>(name: E, payload: C['hostEvents'][E]): void {
    this.#post({ kind: 'event', name, payload })
  }

  #receive(message: unknown): void {
    const envelope = parseEnvelope(message)
    switch (envelope?.kind) {
      case 'request':
        void this.#answer(envelope.id, envelope.method, envelope.params)
        break
      case 'cancel':
        this.#running.get(envelope.id)?.abort()
        break
      case 'event':
        this.#hear(envelope.name, envelope.payload)
        break
      default:
        break // Not ours, or one that goes the other way only.
    }
  }

  #hear(name: string, payload: unknown): void {
    if (name !== 'ready') {
      this.#options.onEvent?.(name, payload)
      return
    }
    // A page that was reloaded waits for nothing it asked before.
    this.#cancelAll()
    if (isRecord(payload) && payload['version'] === PANEL_PROTOCOL_VERSION) this.#options.onReady()
    else this.#options.onStale()
  }

  async #answer(id: number, method: string, params: unknown): Promise<void> {
    if (!Object.hasOwn(this.#options.handlers, method))
      return this.#fail(id, { code: 'unknown-method', message: `Unknown method \`${method}\`` })
    if (!isRecord(params) || this.#running.has(id))
      return this.#fail(id, { code: 'bad-request', message: `Malformed request \`${method}\`` })
    const controller = new AbortController()
    this.#running.set(id, controller)
    try {
      const handler = this.#options.handlers[method] as (params: unknown, signal: AbortSignal) => Promise<unknown>
      const value = await handler(params, controller.signal)
      if (this.#running.get(id) === controller) this.#post({ kind: 'result', id, value })
    } catch (error) {
      if (this.#running.get(id) === controller) this.#fail(id, this.#options.describe(method, error))
    } finally {
      if (this.#running.get(id) === controller) this.#running.delete(id)
    }
  }

  #fail(id: number, error: PanelError): void {
    this.#post({ kind: 'failure', id, error })
  }

  #cancelAll(): void {
    for (const controller of this.#running.values()) controller.abort()
    this.#running.clear()
  }

  #post(envelope: Envelope): void {
    // Resolves to false when the page is gone; there is nobody left to tell then.
    if (!this.disposed) void this.#port.postMessage(envelope)
  }
}

function parseEnvelope(message: unknown): Envelope | undefined {
  if (!isRecord(message)) return undefined
  const { kind, id, method, params, name, payload } = message
  if (kind === 'request' && isId(id) && typeof method === 'string') return { kind, id, method, params }
  if (kind === 'cancel' && isId(id)) return { kind, id }
  if (kind === 'event' && typeof name === 'string') return { kind, name, payload }
  return undefined
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
