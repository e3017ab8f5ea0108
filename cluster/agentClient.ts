// SPDX-License-Identifier: Apache-2.0

/**
 * One node's agent: gRPC over any byte stream. The stream is made anew after it broke, so a client survives cut tunnels and
 * restarted agents; calls that only read are then tried again.
 */

import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { printable } from '../core/text/printable.ts'
import {
  Agent,
  DumpMapRequestSchema,
  type MapChange,
  type MapChunk,
  type NodeInfo,
  type ProbeRequest,
  type ProbeResult,
  type SnapshotChunk,
  type SnapshotRequest,
  SnapshotRequestSchema,
  WatchMapRequestSchema,
} from '../gen/agent_pb.js'
import { CancelledError, messageOf, PlumblineError, quoted } from './errors.ts'
import { Http2Transport } from './http2Transport.ts'
import { withRetry } from './retry.ts'

/** Of protocol/agent.proto. Agents that speak a newer one are refused, because they may mean something else. */
export const PROTOCOL_VERSION = 1

const INFO_TIMEOUT = 10_000
const SNAPSHOT_TIMEOUT = 120_000
const PROBE_MARGIN = 5_000
const DUMP_TIMEOUT = 300_000
/** The longest a timer can be: a watch ends when somebody ends it. */
const NO_TIMEOUT = 2 ** 31 - 1
const MAX_MESSAGE = 64 * 1024 * 1024

export interface SnapshotSink {
  /** A whole file, path relative to the node's folder. */
  file(path: string, content: Uint8Array): void
  /** A part the agent could not read. */
  problem(path: string, reason: string): void
}

export interface AgentClientOptions {
  /** Opens a new byte stream to the agent. Must return at once; the stream may connect later. */
  readonly open: () => Duplex
  readonly onRetry?: (error: unknown, delayMs: number) => void
}

export class AgentClient {
  /** Name for messages, usually the node's. */
  readonly name: string
  readonly #transport: Http2Transport
  readonly #client: Client<typeof Agent>
  readonly #onRetry: AgentClientOptions['onRetry']
  #lastInfo: NodeInfo | undefined

  constructor(name: string, options: AgentClientOptions) {
    this.name = name
    this.#onRetry = options.onRetry
    this.#transport = new Http2Transport({ open: options.open, peer: 'The agent' })
    const transport = createGrpcTransport({
      baseUrl: this.#transport.authority,
      sessionManager: this.#transport,
      readMaxBytes: MAX_MESSAGE,
    })
    this.#client = createClient(Agent, transport)
  }

  /** What the agent last said about itself, if it ever did. */
  get lastInfo(): NodeInfo | undefined {
    return this.#lastInfo
  }

  async nodeInfo(signal?: AbortSignal): Promise<NodeInfo> {
    return withRetry(() => this.#call(signal, INFO_TIMEOUT, (bounded) => this.#askInfo(bounded)), {
      attempts: 4,
      baseMs: 250,
      maxMs: 4_000,
      signal,
      isPassing: (error) => PlumblineError.is(error, 'tunnel') || PlumblineError.is(error, 'unreachable'),
      ...(this.#onRetry && { onRetry: this.#onRetry }),
    })
  }

  /**
   * Hands the node's files to the sink as they arrive. Throws when the stream was cut; files handed over before are whole
   * and stay valid. Not retried here: the caller decides what to do with partial facts.
   */
  async snapshot(request: Partial<Omit<SnapshotRequest, '$typeName'>>, sink: SnapshotSink, signal?: AbortSignal): Promise<void> {
    await this.#checkVersion(signal)
    await this.#call(signal, SNAPSHOT_TIMEOUT, (bounded) =>
      assemble(this.#client.snapshot(create(SnapshotRequestSchema, request), { signal: bounded }), sink),
    )
  }

  async probe(request: ProbeRequest, signal?: AbortSignal): Promise<ProbeResult> {
    // A probe sends real packets: never twice. The check before it opens the tunnel, and that may be retried.
    await this.#checkVersion(signal)
    const timeout = (request.timeoutMilliseconds || 2_000) * (request.count || 1) + PROBE_MARGIN
    return this.#call(signal, timeout, (bounded) => this.#client.probe(request, { signal: bounded }))
  }

  /** Hands over the messages of a dump as they arrive; the node waits while `take` works. */
  async dumpMap(
    request: MessageInitShape<typeof DumpMapRequestSchema>,
    take: (chunk: MapChunk) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#checkVersion(signal)
    const message = create(DumpMapRequestSchema, request)
    await this.#call(signal, DUMP_TIMEOUT, (bounded) => each(this.#client.dumpMap(message, { signal: bounded }), take))
  }

  /** Like `dumpMap`, until the map is gone or the signal is aborted. */
  async watchMap(
    request: MessageInitShape<typeof WatchMapRequestSchema>,
    take: (change: MapChange) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#checkVersion(signal)
    const message = create(WatchMapRequestSchema, request)
    await this.#call(signal, NO_TIMEOUT, (bounded) => each(this.#client.watchMap(message, { signal: bounded }), take))
  }

  close(): void {
    this.#transport.close()
  }

  /** An agent may have been replaced by another version behind a new stream, so it is asked again then. */
  async #checkVersion(signal: AbortSignal | undefined): Promise<void> {
    if (this.#lastInfo === undefined || !this.#transport.isOpen) await this.nodeInfo(signal)
  }

  async #askInfo(signal: AbortSignal): Promise<NodeInfo> {
    const info = await this.#client.getNodeInfo({}, { signal })
    if (info.protocolVersion > PROTOCOL_VERSION) {
      throw new PlumblineError(
        'agent-version',
        `The agent on ${quoted(this.name)} (${printable(info.agentVersion)}) speaks protocol ${info.protocolVersion}; this Plumbline understands ${PROTOCOL_VERSION}. Update Plumbline.`,
      )
    }
    this.#lastInfo = info
    return info
  }

  /** A call with a deadline, which also ends the call's stream when its reader gives up. */
  async #call<T>(signal: AbortSignal | undefined, timeoutMs: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ended = new AbortController()
    const deadline = AbortSignal.timeout(timeoutMs)
    try {
      return await call(AbortSignal.any([ended.signal, deadline, ...(signal ? [signal] : [])]))
    } catch (error) {
      if (deadline.aborted && !signal?.aborted) {
        throw new PlumblineError(
          'timeout',
          `The agent on ${quoted(this.name)} did not answer within ${timeoutMs / 1000} s`,
          error,
        )
      }
      throw this.#explain(error, signal)
    } finally {
      ended.abort()
    }
  }

  /**
   * A dead stream surfaces as Aborted, Canceled or Unavailable, whichever of HTTP/2's layers saw it first. The stream's own
   * error is the truth; and whether a person cancelled is known from the signal alone.
   */
  #explain(error: unknown, signal: AbortSignal | undefined): PlumblineError {
    if (signal?.aborted) return new CancelledError(error)
    if (PlumblineError.is(error)) return error
    const { streamError } = this.#transport
    if (PlumblineError.is(streamError)) return streamError
    const connect = ConnectError.from(error)
    if (PlumblineError.is(connect.cause)) return connect.cause
    const on = `on ${quoted(this.name)}`
    if (streamError !== undefined || LOST.has(connect.code)) {
      const reason = streamError === undefined ? connect.rawMessage : messageOf(streamError)
      return new PlumblineError('tunnel', `The connection to the agent ${on} was lost: ${printable(reason)}`, error)
    }
    const code = connect.code === Code.NotFound ? 'not-found' : 'agent'
    return new PlumblineError(code, `The agent ${on} answered: ${printable(connect.rawMessage)}`, error)
  }
}

const LOST: ReadonlySet<Code> = new Set([Code.Canceled, Code.Aborted, Code.Unavailable, Code.Unknown])

/** A client of an agent on this machine, by its unix socket. */
export function localAgent(name: string, socketPath: string): AgentClient {
  return new AgentClient(name, { open: () => createConnection(socketPath) })
}

async function each<T>(messages: AsyncIterable<T>, take: (message: T) => void | Promise<void>): Promise<void> {
  for await (const message of messages) await take(message)
}

/** Puts chunks together into files, and notices truncation: of a file by its size, of the stream by its last message. */
async function assemble(chunks: AsyncIterable<SnapshotChunk>, sink: SnapshotSink): Promise<void> {
  let done = false
  let open: { path: string; parts: Uint8Array[]; size: number } | undefined
  for await (const { content } of chunks) {
    switch (content.case) {
      case 'file':
        if (open !== undefined) throw broken(`${open.path} was not ended`)
        open = { path: safePath(content.value.path), parts: [], size: 0 }
        break
      case 'data':
        if (open === undefined) throw broken('data came outside of a file')
        open.parts.push(content.value)
        open.size += content.value.length
        break
      case 'end':
        if (open === undefined) throw broken('a file ended that had not begun')
        if (BigInt(open.size) !== content.value.size)
          throw broken(`${open.path} has ${open.size} bytes instead of ${content.value.size}`)
        sink.file(open.path, Buffer.concat(open.parts))
        open = undefined
        break
      case 'problem':
        sink.problem(content.value.path, content.value.reason)
        break
      case 'done':
        done = true
        break
    }
  }
  if (done && open === undefined) return
  throw new PlumblineError('tunnel', `The snapshot ended early${open === undefined ? '' : `, within ${printable(open.path)}`}`)
}

/** The agent names the files; a compromised one must not be able to write outside its node's folder. */
function safePath(path: string): string {
  const parts = path.split('/')
  if (path === '' || parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\u0000-\u001f]/.test(path)) {
    throw broken(`it names a file ${quoted(path)}`)
  }
  return path
}

function broken(reason: string): PlumblineError {
  return new PlumblineError('agent', `The agent's snapshot is not well-formed: ${reason}`)
}
