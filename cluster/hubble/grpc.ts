// SPDX-License-Identifier: Apache-2.0

/**
 * gRPC for a client that reads much and writes little: a request, then messages as fast as they come, many at a time and
 * undecoded. connect-node hands over one message a turn of the event loop, which is what a stream of flows is made of.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */

import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { constants } from 'node:http2'
import { printable } from '../../core/text/printable.ts'
import { PlumblineError } from '../errors.ts'
import type { Http2Transport } from '../http2Transport.ts'

/** Codes a caller decides by; https://grpc.github.io/grpc/core/md_doc_statuscodes.html. */
export const GRPC = { unknown: 2, unimplemented: 12, internal: 13, unavailable: 14 } as const

/** The server answered with a failure. */
export class GrpcError extends PlumblineError {
  readonly status: number

  constructor(status: number, said: string) {
    super('hubble', said === '' ? `gRPC status ${status}` : said)
    this.status = status
  }
}

const PREFIX = 5
const MAX_MESSAGE = 16 * 1024 * 1024

/** Asks once, and yields the answer's messages, as many at a time as came together. Throws GrpcError, or what broke the stream. */
export async function* grpcStream(
  transport: Http2Transport,
  method: string,
  request: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Uint8Array[]> {
  const headers = { 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'plumbline' }
  const stream = await transport.request('POST', method, headers, {})
  const abort = () => stream.close(constants.NGHTTP2_CANCEL)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    if (signal?.aborted) abort()
    const answer = watchAnswer(stream)
    stream.end(frame(request))
    const split = new MessageSplitter()
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      answer.begun()
      const messages = split.take(chunk)
      if (messages.length > 0) yield messages
    }
    answer.ended()
    split.finish()
  } finally {
    signal?.removeEventListener('abort', abort)
    abort()
  }
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX + message.length)
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, PREFIX)
  return framed
}

/** The status of a call is in its trailers, or in its headers when there is nothing else. */
function watchAnswer(stream: ClientHttp2Stream): { begun(): void; ended(): void } {
  let headers: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders | undefined
  stream.once('response', (answered) => {
    headers = answered
  })
  stream.once('trailers', (sent) => {
    trailers = sent
  })
  const begun = () => {
    const status = headers[':status'] as unknown
    if (status !== undefined && (status !== 200 || !String(headers['content-type']).startsWith('application/grpc'))) {
      throw new PlumblineError('hubble', `it answered with HTTP status ${printable(String(status))}: that is no gRPC`)
    }
  }
  return {
    begun,
    ended() {
      begun()
      const end = trailers ?? headers
      const code = end['grpc-status']
      // A connection that dies in good order ends the stream without trailers.
      if (code === undefined) throw new PlumblineError('tunnel', 'the stream ended early')
      if (code !== '0') throw new GrpcError(Number(code), printable(decoded(String(end['grpc-message'] ?? ''))))
    },
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Cuts a stream of bytes into length-prefixed messages. Those that lie whole within a chunk are not copied. */
export class MessageSplitter {
  #rest: Buffer = Buffer.alloc(0)

  take(chunk: Buffer): Uint8Array[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Uint8Array[] = []
    let at = 0
    while (bytes.length - at >= PREFIX) {
      const length = bytes.readUInt32BE(at + 1)
      if (bytes[at] !== 0) throw new PlumblineError('hubble', 'it sent a compressed message, which was not asked for')
      if (length > MAX_MESSAGE)
        throw new PlumblineError('hubble', `it sent a message of ${length} bytes: more than a flow can be`)
      if (bytes.length - at - PREFIX < length) break
      messages.push(bytes.subarray(at + PREFIX, at + PREFIX + length))
      at += PREFIX + length
    }
    this.#rest = bytes.subarray(at)
    return messages
  }

  finish(): void {
    if (this.#rest.length > 0) throw new PlumblineError('tunnel', 'the stream ended within a message')
  }
}
