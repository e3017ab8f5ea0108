// SPDX-License-Identifier: Apache-2.0

/**
 * A command in a container, as a byte stream: what is written becomes the command's stdin, what is read is its stdout.
 *
 * Speaks the v5.channel.k8s.io sub-protocol over a WebSocket (KEP-4006): each message begins with a channel byte; 255 half
 * closes a channel. Reading stops the socket when nobody consumes, and a write completes once the socket took it, so
 * back-pressure reaches both ends. A stream that dies is always destroyed with an error that says why.
 */

import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type ClientOptions, WebSocket } from 'ws'
import { printable } from '../core/text/printable.ts'
import { type ApiServer, apiError, pathOf } from './apiServer.ts'
import { messageOf, PlumblineError, quoted } from './errors.ts'
import { PODS } from './resources.ts'

export interface ExecTarget {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
}

const STDIN = 0
const STDOUT = 1
const STDERR = 2
const STATUS = 3
const CLOSE = 255
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const MAX_STDERR = 4096
/** HTTP/2 frames are at most 16 KiB by default; anything much larger than that is not ours. */
const MAX_MESSAGE = 4 * 1024 * 1024

export interface PodStreamOptions {
  readonly handshakeTimeoutMs: number
  /** A ping is sent this often; two unanswered ones end the stream. */
  readonly pingIntervalMs: number
}

const DEFAULTS: PodStreamOptions = { handshakeTimeoutMs: 15_000, pingIntervalMs: 20_000 }

export class PodStream extends Duplex {
  readonly #target: ExecTarget
  readonly #server: ApiServer
  readonly #options: PodStreamOptions
  #socket: WebSocket | undefined
  #stderr = ''
  #ping: NodeJS.Timeout | undefined
  #unanswered = 0

  /** Connects at once, in the background; writes wait until the stream is open. */
  constructor(server: ApiServer, target: ExecTarget, options: Partial<PodStreamOptions> = {}) {
    super({ allowHalfOpen: true })
    this.#server = server
    this.#target = target
    this.#options = { ...DEFAULTS, ...options }
  }

  /** Node calls this before any read or write, and holds those back until `done`. */
  override _construct(done: (error?: Error | null) => void): void {
    this.#connect().then(() => done(), done)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(Buffer.concat([Buffer.of(STDIN), chunk]), done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(Buffer.concat([Buffer.of(STDIN), ...chunks.map((part) => part.chunk)]), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    const socket = this.#socket
    // Before v5 there is no half close: the command then ends with the connection.
    if (socket?.readyState === WebSocket.OPEN && socket.protocol === PROTOCOLS[0]) this.#send(Buffer.of(CLOSE, STDIN), done)
    else done()
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

  async #connect(): Promise<void> {
    const { namespace, pod, container, command } = this.#target
    const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', stderr: 'true', tty: 'false' })
    for (const word of command) query.append('command', word)
    const path = `${pathOf({ type: PODS, namespace, name: pod, subresource: 'exec' })}?${query}`
    const { url, options } = await this.#server.webSocket(path)
    const socket = new WebSocket(url, PROTOCOLS, {
      ...(options as unknown as ClientOptions),
      handshakeTimeout: this.#options.handshakeTimeoutMs,
      maxPayload: MAX_MESSAGE,
      perMessageDeflate: false,
    })
    this.#socket = socket
    // Listening begins before waiting: the first message may come in the same packet as the handshake's answer.
    socket.on('message', (data) => this.#receive(data as Buffer))
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()))
    socket.on('error', (error) => this.destroy(this.#cut(error.message, error)))
    socket.on('pong', () => {
      this.#unanswered = 0
    })
    await this.#opened(socket)
    this.#ping = setInterval(() => this.#beat(), this.#options.pingIntervalMs)
    this.#ping.unref()
  }

  #opened(socket: WebSocket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', (error) => reject(this.#cut(messageOf(error), error)))
      socket.once('unexpected-response', (_request, response: IncomingMessage) => {
        this.#refusal(response).then(reject, reject)
      })
    })
  }

  async #refusal(response: IncomingMessage): Promise<Error> {
    // Proxies and VS Code's own agent may end the connection before the body; the status is then all there is.
    const body = await text(response).catch(() => `HTTP status ${response.statusCode ?? '?'}`)
    const { namespace } = this.#target
    const cause = apiError(
      response.statusCode ?? 0,
      body,
      { verb: 'create', type: PODS, namespace, subresource: 'exec' },
      this.#server.url,
    )
    return new PlumblineError(cause.code, `Can't exec into ${this.#name()}: ${lowerFirst(cause.message)}`, cause)
  }

  #send(frame: Buffer, done: (error?: Error | null) => void): void {
    const socket = this.#socket
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(frame, { binary: true }, (error) => done(error ? this.#cut(error.message, error) : null))
    } else {
      done(this.#cut('it is closed'))
    }
  }

  #receive(message: Buffer): void {
    const payload = message.subarray(1)
    switch (message[0]) {
      case STDOUT:
        if (payload.length > 0 && !this.push(payload)) this.#socket?.pause()
        break
      case STDERR:
        this.#stderr = (this.#stderr + payload.toString()).slice(-MAX_STDERR)
        break
      case STATUS:
        this.#exited(payload.toString())
        break
      case CLOSE:
        if (payload[0] === STDOUT) this.#end()
        break
    }
  }

  #exited(text: string): void {
    const status = parseStatus(text)
    if (status.status === 'Success') {
      this.#end()
      return
    }
    const said = [status.message ?? 'the command failed', printable(this.#stderr.trim())].filter((part) => part !== '').join(': ')
    this.destroy(new PlumblineError('tunnel', `${quoted(this.#target.command.join(' '))} in ${this.#name()} ended: ${said}`))
  }

  #closed(code: number, reason: string): void {
    if (this.readableEnded || this.destroyed) return
    this.destroy(this.#cut(reason === '' ? `the connection was closed (${code})` : `${printable(reason)} (${code})`))
  }

  #end(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null)
  }

  #beat(): void {
    if (this.#unanswered >= 2) {
      this.destroy(this.#cut(`no sign of life for ${(this.#unanswered * this.#options.pingIntervalMs) / 1000} s`))
      return
    }
    this.#unanswered += 1
    this.#socket?.ping()
  }

  #cut(reason: string, cause?: unknown): PlumblineError {
    return new PlumblineError('tunnel', `The tunnel to ${this.#name()} was cut: ${reason}`, cause)
  }

  #name(): string {
    return quoted(this.#target.pod)
  }
}

function parseStatus(text: string): { status?: string; message?: string } {
  try {
    const { status, message } = JSON.parse(text) as { status?: string; message?: string }
    return { ...(status !== undefined && { status }), ...(message !== undefined && { message: printable(message) }) }
  } catch {
    return { message: printable(text.slice(0, 300)) }
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
