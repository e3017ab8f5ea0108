// SPDX-License-Identifier: Apache-2.0

import { PlumblineError, quoted } from '../errors.ts'
import type { ClusterSession } from '../session.ts'
import { parseServerAddress } from './address.ts'
import type { FlowStream, FlowsEvent, FlowsOptions, HubbleStatus, Way, WishedWay } from './flowsEvent.ts'
import { type Contacted, contactNodes, nodeStreams } from './nodeStreams.ts'
import { nodeServers } from './nodes.ts'
import type { Observer } from './observer.ts'
import { findRelay, relayServer } from './relay.ts'
import { contact } from './server.ts'
import { serverStream } from './serverStream.ts'
import { statusOf, sumOf } from './status.ts'

/**
 * Finds a Hubble, connects to it, and returns the question, ready to be asked. Without a session only an address can be asked.
 * Throws PlumblineError: "hubble-absent", "hubble-tls", or what stood in the way.
 */
export async function openFlows(session: ClusterSession | undefined, options: FlowsOptions): Promise<FlowStream> {
  const ending = new AbortController()
  const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal])
  const { way } = options
  if (way?.kind === 'address') return openAddress(way.address, options, ending, signal)
  if (session === undefined)
    throw new PlumblineError('hubble-absent', 'Without a cluster, only an address of a Hubble can be asked')
  if (way?.kind === 'nodes') return openNodes(session, way.nodes, undefined, options, ending, signal)
  if (way?.kind === 'relay') return openRelay(session, way, options, ending, signal)
  return openAny(session, options, ending, signal)
}

async function openAddress(
  address: string,
  options: FlowsOptions,
  ending: AbortController,
  signal: AbortSignal,
): Promise<FlowStream> {
  const { open, host, tls } = parseServerAddress(address)
  const observer = await contact(
    { name: `Hubble at ${quoted(address)}`, node: undefined, open, host, tls },
    options.tls ?? {},
    signal,
  )
  return new OneServer({ kind: 'address', address }, `Hubble at ${quoted(address)}`, observer, options, ending, signal)
}

async function openRelay(
  session: ClusterSession,
  wish: Extract<WishedWay, { kind: 'relay' }>,
  options: FlowsOptions,
  ending: AbortController,
  signal: AbortSignal,
): Promise<FlowStream> {
  const relay = await findRelay(session.server, wish, signal)
  if (relay === undefined) throw new PlumblineError('hubble-absent', `The cluster has no Hubble relay: ${NO_SERVICE}`)
  const server = relayServer(session.server, relay)
  const observer = await contact(server, options.tls ?? {}, signal)
  const description = `relay ${quoted(relay.service)} in ${quoted(relay.namespace)}`
  return new OneServer({ kind: 'relay', ...relay }, description, observer, options, ending, signal)
}

const NO_SERVICE = 'no Service is labelled k8s-app=hubble-relay'

/** The relay, and where there is none, or it has no ready pod, the agents. */
async function openAny(
  session: ClusterSession,
  options: FlowsOptions,
  ending: AbortController,
  signal: AbortSignal,
): Promise<FlowStream> {
  try {
    return await openRelay(session, { kind: 'relay' }, options, ending, signal)
  } catch (error) {
    if (!PlumblineError.is(error, 'hubble-absent') && !PlumblineError.is(error, 'forbidden')) throw error
    const why = error.message
    try {
      return await openNodes(session, undefined, why, options, ending, signal)
    } catch (second) {
      if (!PlumblineError.is(second, 'agent-absent')) throw second
      throw new PlumblineError('hubble-absent', `No Hubble can be asked. ${why}. ${second.message}.`, second)
    }
  }
}

async function openNodes(
  session: ClusterSession,
  nodes: readonly string[] | undefined,
  instead: string | undefined,
  options: FlowsOptions,
  ending: AbortController,
  signal: AbortSignal,
): Promise<FlowStream> {
  const contacted = await contactNodes(await nodeServers(session, nodes, signal), signal)
  return new SeveralServers(contacted, instead, options, ending, signal)
}

abstract class Opened implements FlowStream {
  readonly way: Way
  readonly description: string
  protected readonly options: FlowsOptions
  protected readonly signal: AbortSignal
  readonly #ending: AbortController

  constructor(way: Way, description: string, options: FlowsOptions, ending: AbortController, signal: AbortSignal) {
    this.way = way
    this.description = description
    this.options = options
    this.signal = signal
    this.#ending = ending
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FlowsEvent> {
    try {
      yield* this.events()
    } finally {
      this.close()
    }
  }

  close(): void {
    this.#ending.abort()
  }

  abstract status(signal?: AbortSignal): Promise<HubbleStatus>

  protected abstract events(): AsyncGenerator<FlowsEvent>
}

class OneServer extends Opened {
  readonly #observer: Observer

  constructor(
    way: Way,
    description: string,
    observer: Observer,
    options: FlowsOptions,
    ending: AbortController,
    signal: AbortSignal,
  ) {
    super(way, description, options, ending, signal)
    this.#observer = observer
  }

  override async status(signal?: AbortSignal): Promise<HubbleStatus> {
    return statusOf(await this.#observer.serverStatus(signal))
  }

  override close(): void {
    super.close()
    this.#observer.close()
  }

  protected override events(): AsyncGenerator<FlowsEvent> {
    return serverStream(this.#observer, this.options.request, this.description, this.signal)
  }
}

class SeveralServers extends Opened {
  readonly #nodes: readonly Contacted[]

  constructor(
    nodes: readonly Contacted[],
    instead: string | undefined,
    options: FlowsOptions,
    ending: AbortController,
    signal: AbortSignal,
  ) {
    const names = nodes.map(({ server }) => server.node ?? '')
    const description = `agents on ${names.map(quoted).join(', ')}${instead === undefined ? '' : ` (${instead})`}`
    super({ kind: 'nodes', nodes: names }, description, options, ending, signal)
    this.#nodes = nodes
  }

  override async status(signal?: AbortSignal): Promise<HubbleStatus> {
    const there = this.#nodes.flatMap((node) => ('observer' in node ? [node.observer] : []))
    const missing = this.#nodes.flatMap((node) => ('observer' in node ? [] : [node.server.node ?? '']))
    return sumOf(await Promise.all(there.map((observer) => observer.serverStatus(signal))), missing)
  }

  override close(): void {
    super.close()
    for (const node of this.#nodes) if ('observer' in node) node.observer.close()
  }

  protected override events(): AsyncGenerator<FlowsEvent> {
    return nodeStreams(this.#nodes, this.options.request, this.signal)
  }
}
