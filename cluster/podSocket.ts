// SPDX-License-Identifier: Apache-2.0

/**
 * A byte stream over a WebSocket to a subresource of a pod. Messages of the *.channel.k8s.io protocols begin with a channel
 * byte; what the channels mean is the subclass's. Reading stops the socket when nobody consumes, and a write completes once
 * the socket took it, so back-pressure reaches both ends. A stream that dies is always destroyed with an error that says why.
 */

import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type ClientOptions, WebSocket } from 'ws'
import { printable } from '../core/text/printable.ts'
import { type ApiServer, apiError, pathOf } from './apiServer.ts'
import { messageOf, PlumblineError, quoted } from './errors.ts'
import { PODS } from './resources.ts'

/** HTTP/2 frames are at most 16 KiB by default; anything much larger than that is not ours. */
const MAX_MESSAGE = 4 * 1024 * 1024

export interface PodSocketOptions {
  readonly handshakeTimeoutMs: number
  /** A ping is sent this often; two unanswered ones end the stream. */
  readonly pingIntervalMs: number
}

const DEFAULTS: PodSocketOptions = { handshakeTimeoutMs: 15_000, pingIntervalMs: 20_000 }

/** What is asked of the API server. */
export interface PodRequest {
  readonly namespace: string
  readonly pod: string
  /** "exec", "portforward" */
  readonly subresource: string
  readonly query: URLSearchParams
  /** Sub-protocols, best first. */
  readonly protocols: readonly string[]
  /** For messages: "exec into". */
  readonly action: string
}

export abstract class PodSocket extends Duplex {
  readonly #server: ApiServer
  readonly #options: PodSocketOptions
  readonly #channel: number
  #socket: WebSocket | undefined
  #pod = ''
  #ping: NodeJS.Timeout | undefined
  #unanswered = 0

  /** Connects at once, in the background; writes wait until the stream is open. What is written goes to `channel`. */
  constructor(server: ApiServer, channel: number, options: Partial<PodSocketOptions>) {
    super({ allowHalfOpen: true })
    this.#server = server
    this.#channel = channel
    this.#options = { ...DEFAULTS, ...options }
  }

  /** Which pod and how; asked once, when the stream connects. */
  protected abstract request(): PodRequest | Promise<PodRequest>

  /** A message, without its channel. */
  protected abstract receive(channel: number, payload: Buffer): void

  /** Node calls this before any read or write, and holds those back until `done`. */
  override _construct(done: (error?: Error | null) => void): void {
    this.#connect().then(() => done(), done)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.send(Buffer.concat([Buffer.of(this.#channel), chunk]), done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.send(Buffer.concat([Buffer.of(this.#channel), ...chunks.map((part) => part.chunk)]), done)
  }

  override _read(): void {
    if (this.#socket?.isPaused) this.#socket.resume()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#ping)
    // A paused socket would never see the peer's close frame.
    this.#socket?.resume()
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.close()
    else this.#socket?.terminate()
    done(error)
  }

  /** The sub-protocol the server chose; undefined while the stream is not open. */
  protected get protocol(): string | undefined {
    return this.#socket?.readyState === WebSocket.OPEN ? this.#socket.protocol : undefined
  }

  protected send(frame: Buffer, done: (error?: Error | null) => void): void {
    const socket = this.#socket
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(frame, { binary: true }, (error) => done(error ? this.cut(error.message, error) : null))
    } else {
      done(this.cut('it is closed'))
    }
  }

  /** Hands bytes to the reader. */
  protected deliver(payload: Buffer): void {
    if (payload.length > 0 && !this.push(payload)) this.#socket?.pause()
  }

  protected finishReading(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null)
  }

  protected cut(reason: string, cause?: unknown): PlumblineError {
    return new PlumblineError('tunnel', `The tunnel to ${this.podName} was cut: ${reason}`, cause)
  }

  /** As it may stand in a message. */
  protected get podName(): string {
    return quoted(this.#pod)
  }

  async #connect(): Promise<void> {
    const request = await this.request()
    const { namespace, pod, subresource } = request
    this.#pod = pod
    const path = `${pathOf({ type: PODS, namespace, name: pod, subresource })}?${request.query}`
    const { url, options } = await this.#server.webSocket(path)
    const socket = new WebSocket(url, [...request.protocols], {
      ...(options as unknown as ClientOptions),
      handshakeTimeout: this.#options.handshakeTimeoutMs,
      maxPayload: MAX_MESSAGE,
      perMessageDeflate: false,
    })
    this.#socket = socket
    // Listening begins before waiting: the first message may come in the same packet as the handshake's answer.
    socket.on('message', (data) => this.receive((data as Buffer)[0] ?? 0, (data as Buffer).subarray(1)))
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()))
    socket.on('error', (error) => this.destroy(this.cut(error.message, error)))
    socket.on('pong', () => {
      this.#unanswered = 0
    })
    await this.#opened(socket, request)
    this.#ping = setInterval(() => this.#beat(), this.#options.pingIntervalMs)
    this.#ping.unref()
  }

  #opened(socket: WebSocket, request: PodRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', (error) => reject(this.cut(messageOf(error), error)))
      socket.once('unexpected-response', (_request, response: IncomingMessage) => {
        this.#refusal(response, request).then(reject, reject)
      })
    })
  }

  async #refusal(response: IncomingMessage, { namespace, subresource, action }: PodRequest): Promise<Error> {
    // Proxies and VS Code's own agent may end the connection before the body; the status is then all there is.
    const body = await text(response).catch(() => `HTTP status ${response.statusCode ?? '?'}`)
    const call = { verb: 'create', type: PODS, namespace, subresource }
    const cause = apiError(response.statusCode ?? 0, body, call, this.#server.url)
    return new PlumblineError(cause.code, `Can't ${action} ${this.podName}: ${lowerFirst(cause.message)}`, cause)
  }

  #closed(code: number, reason: string): void {
    if (this.readableEnded || this.destroyed) return
    this.destroy(this.cut(reason === '' ? `the connection was closed (${code})` : `${printable(reason)} (${code})`))
  }

  #beat(): void {
    // Who doesn't read hears no answers either.
    if (this.#socket?.isPaused) return
    if (this.#unanswered >= 2) {
      this.destroy(this.cut(`no sign of life for ${(this.#unanswered * this.#options.pingIntervalMs) / 1000} s`))
      return
    }
    this.#unanswered += 1
    this.#socket?.ping()
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
