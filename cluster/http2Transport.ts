// SPDX-License-Identifier: Apache-2.0

/**
 * HTTP/2 over any byte stream: a tunnel to an agent or a Hubble, a socket, TLS. At most one session at a time; a broken or idle
 * one is replaced on the next call.
 *
 * Written instead of using connect-node's own session manager, because that one stops listening to a session that failed,
 * and Node then treats the session's own, later `error` event as an uncaught exception.
 */

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { GrpcTransportOptions } from '@connectrpc/connect-node'
import { PlumblineError } from './errors.ts'

type SessionManager = NonNullable<GrpcTransportOptions['sessionManager']>

const OPEN_TIMEOUT = 20_000
const IDLE_TIMEOUT = 60_000

export interface TransportOptions {
  /** Opens a new byte stream. Must return at once; the stream may connect later. */
  readonly open: () => Duplex
  /** Who is at the other end, to begin a sentence with: "The agent". */
  readonly peer: string
  /** How much a peer may send ahead of its reader, in bytes; HTTP/2's own 64 KiB when undefined. */
  readonly window?: number
}

export class Http2Transport implements SessionManager {
  readonly authority = 'http://tunnel'
  readonly #options: TransportOptions
  #session: Promise<ClientHttp2Session> | undefined
  #live: ClientHttp2Session | undefined
  #idle: NodeJS.Timeout | undefined
  #requests = 0
  #streamError: unknown

  constructor(options: TransportOptions) {
    this.#options = options
  }

  /** Why the byte stream last died; undefined while it lives. */
  get streamError(): unknown {
    return this.#streamError
  }

  get isOpen(): boolean {
    return this.#live !== undefined && !this.#live.closed && !this.#live.destroyed
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Parameters<ClientHttp2Session['request']>[1],
  ): Promise<ClientHttp2Stream> {
    const session = await this.#ready()
    const stream = session.request(
      { ...headers, [constants.HTTP2_HEADER_METHOD]: method, [constants.HTTP2_HEADER_PATH]: path },
      options,
    )
    readAtOnce(stream)
    this.#requests += 1
    clearTimeout(this.#idle)
    stream.once('close', () => {
      this.#requests -= 1
      if (this.#requests === 0) this.#idle = setTimeout(() => this.close(), IDLE_TIMEOUT).unref()
    })
    return stream
  }

  /** Deadlines of calls and the tunnel's own pings find dead peers; nothing is to be kept here. */
  notifyResponseByteRead(): void {}

  close(): void {
    clearTimeout(this.#idle)
    this.#live?.destroy()
    this.#forget()
  }

  #ready(): Promise<ClientHttp2Session> {
    if (!this.isOpen) this.#forget()
    this.#session ??= this.#connect()
    return this.#session
  }

  #forget(): void {
    this.#session = undefined
    this.#live = undefined
  }

  #connect(): Promise<ClientHttp2Session> {
    this.#streamError = undefined
    const { open, peer, window } = this.#options
    const stream = open()
    const settings = window === undefined ? {} : { settings: { initialWindowSize: window, enablePush: false } }
    const session = connect(this.authority, { createConnection: () => stream, ...settings })
    if (window !== undefined) session.once('connect', () => session.setLocalWindowSize(window))
    this.#live = session
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        session.destroy(new PlumblineError('timeout', `${peer} did not open its side within ${OPEN_TIMEOUT / 1000} s`))
      }, OPEN_TIMEOUT)
      const ended = () => {
        clearTimeout(late)
        stream.destroy()
        session.destroy()
        if (this.#live === session) this.#forget()
        reject(this.#streamError ?? new PlumblineError('tunnel', `${peer} closed the connection`))
      }
      // A session whose byte stream fails does not always close (TLS: a refused client certificate, seen in Node 24.9).
      stream.on('error', (error) => {
        this.#streamError = error
        ended()
      })
      session.on('error', (error) => reject(this.#streamError ?? error))
      session.on('close', ended)
      // The peer's settings are the first proof that somebody speaks HTTP/2 at the other end.
      session.once('remoteSettings', () => {
        clearTimeout(late)
        resolve(session)
      })
    })
  }
}

/**
 * Begins to iterate over the answer now rather than when connect-node does, once the headers were judged. A short answer may
 * have arrived whole by then: the stream is then `closed`, though nothing was read yet, and Node (seen in 24.21) refuses to
 * iterate over it with a premature close.
 */
function readAtOnce(stream: ClientHttp2Stream): void {
  const chunks: AsyncIterator<unknown> = stream[Symbol.asyncIterator]()
  let first: Promise<IteratorResult<unknown>> | undefined = chunks.next()
  first.catch(() => {}) // Whoever reads the answer hears of it as well.
  const next = () => {
    const result = first ?? chunks.next()
    first = undefined
    return result
  }
  Object.assign(stream, { [Symbol.asyncIterator]: () => ({ next }) })
}
