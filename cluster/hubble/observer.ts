// SPDX-License-Identifier: Apache-2.0

/** One Hubble server, of a node or a relay: its calls over one HTTP/2 connection, which is made anew when it broke. */

import type { Duplex } from 'node:stream'
import { create, fromBinary, fromJson, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { FlowFilterSchema } from '../../gen/hubble/flow/flow_pb.js'
import {
  GetFlowsRequestSchema,
  GetNamespacesRequestSchema,
  type GetNamespacesResponse,
  GetNamespacesResponseSchema,
  GetNodesRequestSchema,
  type GetNodesResponse,
  GetNodesResponseSchema,
  ServerStatusRequestSchema,
  type ServerStatusResponse,
  ServerStatusResponseSchema,
} from '../../gen/hubble/observer/observer_pb.js'
import { CancelledError, messageOf, PlumblineError, throwIfCancelled } from '../errors.ts'
import { Http2Transport } from '../http2Transport.ts'
import { GRPC, GrpcError, grpcStream } from './grpc.ts'
import type { FlowsRequest } from './flowsEvent.ts'

const CALL_TIMEOUT = 10_000
/** A server may be this far ahead: two round trips of 50 ms at 50 000 flows in a second. */
const WINDOW = 4 * 1024 * 1024

export class Observer {
  /** For messages, to begin a sentence with: "The relay `…`", "Hubble on `n1`". */
  readonly name: string
  readonly #transport: Http2Transport
  #answered = false
  readonly #explainStream: (error: unknown) => PlumblineError | undefined

  /** `explainStream` may know what an error of the byte stream means. */
  constructor(name: string, open: () => Duplex, explainStream: (error: unknown) => PlumblineError | undefined = () => undefined) {
    this.name = name
    this.#explainStream = explainStream
    this.#transport = new Http2Transport({ open, peer: name, window: WINDOW })
  }

  /** Whole GetFlowsResponse messages, in batches. */
  async *getFlows(request: FlowsRequest, signal?: AbortSignal): AsyncGenerator<readonly Uint8Array[]> {
    throwIfCancelled(signal)
    try {
      yield* grpcStream(this.#transport, '/observer.Observer/GetFlows', encodeRequest(request), signal)
    } catch (error) {
      throw this.#explain(error, signal)
    }
  }

  async serverStatus(signal?: AbortSignal): Promise<ServerStatusResponse> {
    const request = toBinary(ServerStatusRequestSchema, create(ServerStatusRequestSchema))
    return fromBinary(ServerStatusResponseSchema, await this.#ask('ServerStatus', request, signal))
  }

  /** Undefined from a server that is a node's, not a relay: it knows none. */
  async getNodes(signal?: AbortSignal): Promise<GetNodesResponse | undefined> {
    const request = toBinary(GetNodesRequestSchema, create(GetNodesRequestSchema))
    try {
      return fromBinary(GetNodesResponseSchema, await this.#ask('GetNodes', request, signal))
    } catch (error) {
      if (error instanceof GrpcError && error.status === GRPC.unimplemented) return undefined
      throw error
    }
  }

  async getNamespaces(signal?: AbortSignal): Promise<GetNamespacesResponse> {
    const request = toBinary(GetNamespacesRequestSchema, create(GetNamespacesRequestSchema))
    return fromBinary(GetNamespacesResponseSchema, await this.#ask('GetNamespaces', request, signal))
  }

  close(): void {
    this.#transport.close()
  }

  async #ask(method: string, request: Uint8Array, signal: AbortSignal | undefined): Promise<Uint8Array> {
    throwIfCancelled(signal)
    const deadline = AbortSignal.timeout(CALL_TIMEOUT)
    const bounded = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
    try {
      for await (const [message] of grpcStream(this.#transport, `/observer.Observer/${method}`, request, bounded)) {
        if (message === undefined) continue
        this.#answered = true
        return message
      }
      throw new PlumblineError('hubble', 'it answered with nothing')
    } catch (error) {
      if (deadline.aborted && !signal?.aborted) {
        throw new PlumblineError('timeout', `${this.name} did not answer within ${CALL_TIMEOUT / 1000} s`, error)
      }
      throw this.#explain(error, signal)
    }
  }

  /** The byte stream's own error is the truth; what HTTP/2 makes of it is not. */
  #explain(error: unknown, signal: AbortSignal | undefined): PlumblineError {
    if (signal?.aborted) return new CancelledError(error)
    if (error instanceof GrpcError) return named(error, this.name)
    const { streamError } = this.#transport
    const explained = this.#explainStream(streamError ?? error)
    if (explained !== undefined) return explained
    if (PlumblineError.is(streamError)) return streamError
    if (streamError === undefined && PlumblineError.is(error)) {
      return /^[a-z]/.test(error.message) ? new PlumblineError(error.code, `${this.name}: ${error.message}`, error) : error
    }
    const reason = messageOf(streamError ?? error)
    return this.#answered
      ? new PlumblineError('tunnel', `The connection to ${lowerFirst(this.name)} was lost: ${reason}`, error)
      : new PlumblineError('unreachable', `${this.name} can't be reached: ${reason}`, error)
  }
}

function named(error: GrpcError, name: string): GrpcError {
  return new GrpcError(error.status, `${name} answered: ${error.message}`)
}

function lowerFirst(text: string): string {
  return text.startsWith('The ') ? `the ${text.slice(4)}` : text
}

const NS = 1_000_000n

function encodeRequest({ first, last, since, until, follow, whitelist, blacklist }: FlowsRequest): Uint8Array {
  const time = (ns: bigint) => ({ ...timestampFromMs(0), seconds: ns / (NS * 1000n), nanos: Number(ns % (NS * 1000n)) })
  const request = create(GetFlowsRequestSchema, {
    number: BigInt(first ?? last ?? 0),
    first: first !== undefined,
    follow: follow ?? false,
    whitelist: (whitelist ?? []).map((filter) => fromJson(FlowFilterSchema, filter)),
    blacklist: (blacklist ?? []).map((filter) => fromJson(FlowFilterSchema, filter)),
    ...(since !== undefined && { since: time(since) }),
    ...(until !== undefined && { until: time(until) }),
  })
  return toBinary(GetFlowsRequestSchema, request)
}
