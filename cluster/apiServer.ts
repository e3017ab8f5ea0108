// SPDX-License-Identifier: Apache-2.0

/**
 * Requests to one API server, in plain JSON. Objects are kept exactly as the server sends them, which the typed client's
 * models don't do; the client library supplies authentication and TLS.
 */

import { type Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { type RequestOptions, request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import type { KubeConfig } from '@kubernetes/client-node'
import { printable } from '../core/text/printable.ts'
import {
  ApiError,
  CancelledError,
  describeRight,
  type ErrorCode,
  messageOf,
  type MissingRight,
  PlumblineError,
  throwIfCancelled,
} from './errors.ts'

/** A kind of object the API serves. `namespaced` kinds live below /namespaces/. */
export interface ResourceType {
  readonly group: string
  readonly version: string
  /** Plural, lower case: "endpointslices". */
  readonly resource: string
  readonly namespaced: boolean
}

export interface KubeObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata?: {
    readonly name?: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
}

export interface KubeList<T extends KubeObject = KubeObject> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: readonly T[]
}

export interface Call {
  /** RBAC's word, for messages: "list", "get", "patch", "delete", "create". */
  readonly verb: string
  readonly type: ResourceType
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: { readonly contentType: string; readonly text: string }
  readonly signal?: AbortSignal
}

const METHOD: Readonly<Record<string, string>> = { create: 'POST', patch: 'PATCH', delete: 'DELETE' }
const REQUEST_TIMEOUT = 30_000
const MAX_RESPONSE = 512 * 1024 * 1024

export class ApiServer {
  readonly url: string
  readonly user: string
  readonly #load: () => Promise<KubeConfig>
  #config: KubeConfig

  private constructor(config: KubeConfig, load: () => Promise<KubeConfig>, user: string) {
    this.#config = config
    this.#load = load
    this.url = config.getCurrentCluster()?.server ?? ''
    this.user = user
  }

  /** `load` is called again when credentials are refused, because certificates of a credential plugin are cached. */
  static async open(load: () => Promise<KubeConfig>, user: string): Promise<ApiServer> {
    return new ApiServer(await load(), load, user)
  }

  async json<T>(call: Call): Promise<T> {
    const answer = await this.#raw(METHOD[call.verb] ?? 'GET', pathOf(call), call)
    return parseJson<T>(answer, this.url)
  }

  /** Any path, for discovery and version: GET, answered in JSON. */
  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const type = { group: '', version: '', resource: path, namespaced: false }
    return parseJson<T>(await this.#raw('GET', path, { verb: 'get', type, ...(signal && { signal }) }), this.url)
  }

  /** Options and address for a WebSocket to a path of this server. */
  async webSocket(path: string): Promise<{ readonly url: string; readonly options: RequestOptions }> {
    const options = await this.#options()
    return { url: `${this.url.replace(/^http/, 'ws')}${path}`, options }
  }

  async #raw(method: string, path: string, call: Call): Promise<string> {
    const first = await this.#send(method, path, call)
    if (first.status !== 401) return this.#accept(first, call)
    this.#config = await this.#load()
    return this.#accept(await this.#send(method, path, call), call)
  }

  #accept(answer: Answer, call: Call): string {
    if (answer.status >= 200 && answer.status < 300) return answer.body
    throw apiError(answer.status, answer.body, call, this.url)
  }

  async #send(method: string, path: string, call: Call): Promise<Answer> {
    throwIfCancelled(call.signal)
    const options = await this.#options()
    try {
      return await exchange(this.url + path, { ...options, method }, call)
    } catch (error) {
      if (call.signal?.aborted) throw new CancelledError(error)
      // A kept-alive connection may have been closed by the server just before it was used again.
      if (error instanceof StaleConnection && method === 'GET') return this.#sendFresh(method, path, call, options)
      throw this.#unreachable(error)
    }
  }

  async #sendFresh(method: string, path: string, call: Call, options: RequestOptions): Promise<Answer> {
    try {
      return await exchange(this.url + path, { ...options, method }, call)
    } catch (error) {
      if (call.signal?.aborted) throw new CancelledError(error)
      throw this.#unreachable(error)
    }
  }

  #unreachable(error: unknown): PlumblineError {
    if (PlumblineError.is(error)) return error
    const cause = error instanceof StaleConnection ? error.cause : error
    return new PlumblineError('unreachable', `Can't reach the API server at ${this.url}: ${messageOf(cause)}`, cause)
  }

  async #options(): Promise<RequestOptions> {
    const options: RequestOptions = {}
    try {
      await this.#config.applyToHTTPSOptions(options)
    } catch (error) {
      const command = this.#config.getCurrentUser()?.exec?.command
      const who =
        command === undefined
          ? 'Credentials of the context can’t be had'
          : `Credential plugin \`${printable(String(command))}\` failed`
      const hint =
        error instanceof Error && 'code' in error && error.code === 'ENOENT'
          ? 'it was not found in PATH'
          : messageOf(error).trim()
      throw new PlumblineError('unauthorized', `${who}: ${hint}`, error)
    }
    const agent = options.agent
    if (agent && typeof agent === 'object') (agent as HttpAgent & { keepAlive: boolean }).keepAlive = true
    return options
  }
}

/** Path of an object, a list or a subresource below the server's address. */
export function pathOf(call: Pick<Call, 'type' | 'namespace' | 'name' | 'subresource' | 'query'>): string {
  const { group, version, resource, namespaced } = call.type
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const scope = namespaced && call.namespace !== undefined ? `/namespaces/${encodeURIComponent(call.namespace)}` : ''
  const name = call.name === undefined ? '' : `/${encodeURIComponent(call.name)}`
  const sub = call.subresource === undefined ? '' : `/${call.subresource}`
  const query = call.query === undefined ? '' : `?${new URLSearchParams(call.query)}`
  return `${root}${scope}/${resource}${name}${sub}${query}`
}

export interface Answer {
  readonly status: number
  readonly body: string
}

class StaleConnection extends Error {}

function exchange(url: string, options: RequestOptions, call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('http:') ? httpRequest : httpsRequest
    const headers = { ...options.headers, Accept: 'application/json', 'User-Agent': 'plumbline' } as Record<string, string>
    if (call.body !== undefined) {
      headers['Content-Type'] = call.body.contentType
      // Node frames the body of a DELETE only if it is told its length; the rest would be read as the next request.
      headers['Content-Length'] = String(Buffer.byteLength(call.body.text))
    }
    const request = send(url, { ...options, headers, timeout: REQUEST_TIMEOUT, ...(call.signal && { signal: call.signal }) })
    request.on('timeout', () =>
      request.destroy(new PlumblineError('timeout', `no answer within ${REQUEST_TIMEOUT / 1000} s from ${url}`)),
    )
    request.on('error', (error) => reject(request.reusedSocket ? new StaleConnection(error.message, { cause: error }) : error))
    request.on('response', (response) => {
      readBody(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
    })
    request.end(call.body?.text)
  })
}

async function readBody(response: IncomingMessage): Promise<string> {
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > MAX_RESPONSE)
      response.destroy(new PlumblineError('api', `an answer of more than ${MAX_RESPONSE / 2 ** 20} MiB was refused`))
  })
  return text(response)
}

function parseJson<T>(body: string, server: string): T {
  try {
    return JSON.parse(body) as T
  } catch (error) {
    throw new PlumblineError('api', `${server} did not answer in JSON: ${printable(body.slice(0, 120))}`, error)
  }
}

interface Status {
  readonly kind?: string
  readonly message?: string
  readonly reason?: string
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'expired',
}

/** Turns an HTTP failure into an error that says which right is missing or what the server said. */
export function apiError(
  status: number,
  body: string,
  call: Pick<Call, 'verb' | 'type' | 'namespace' | 'subresource'>,
  server: string,
): ApiError {
  const said = statusMessage(body)
  const code = CODES[status] ?? 'api'
  if (code === 'forbidden') {
    const resource = call.subresource === undefined ? call.type.resource : `${call.type.resource}/${call.subresource}`
    const missing: MissingRight = { verb: call.verb, group: call.type.group, resource, namespace: call.namespace }
    // An admission plugin answers 403, too; then the right is not what is missing.
    const lacksRight = /cannot (\w+) resource/.exec(said)
    if (lacksRight === null) return new ApiError(code, status, `The API server refused: ${said}`)
    const right = { ...missing, verb: lacksRight[1] ?? missing.verb }
    return new ApiError(code, status, `Your user lacks ${describeRight(right)}`, right)
  }
  if (code === 'unauthorized') return new ApiError(code, status, `${server} does not accept the context's credentials: ${said}`)
  return new ApiError(code, status, said)
}

function statusMessage(body: string): string {
  try {
    const status = JSON.parse(body) as Status
    if (status.message !== undefined) return printable(status.message)
  } catch {
    // Not a Status object; the text itself is the best there is.
  }
  return printable(body.trim().slice(0, 300)) || 'no reason given'
}
