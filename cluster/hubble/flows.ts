// SPDX-License-Identifier: Apache-2.0

import { PlumblineError, quoted } from '../errors.ts'
import type { ClusterSession } from '../session.ts'
import { parseServerAddress } from './address.ts'
import type { FlowStream, FlowsEvent, FlowsOptions, FlowsRequest, HubbleStatus, HubbleTls, Way, WishedWay } from './flowsEvent.ts'
import { type Contacted, contactNodes, nodeStreams } from './nodeStreams.ts'
import { nodeServers } from './nodes.ts'
import type { Observer } from './observer.ts'
import { findRelay, relayServer } from './relay.ts'
import { contact } from './server.ts'
import { serverStream } from './serverStream.ts'
import { statusOf, sumOf } from './status.ts'

/** A question, and what ends it. */
interface Asking {
  readonly request: FlowsRequest
  readonly tls: HubbleTls
  readonly ending: AbortController
  readonly signal: AbortSignal
}

/**
 * Finds a Hubble, connects to it, and returns the question, ready to be asked. Without a session only an address can be asked.
 * Throws PlumblineError: "hubble-absent", "hubble-tls", or what stood in the way.
 */
export async function openFlows(session: ClusterSession | undefined, options: FlowsOptions): Promise<FlowStream> {
  const { way, request, tls = {} } = options
  const ending = new AbortController()
  const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal])
  const asking = { request, tls, ending, signal }
  if (way?.kind === 'address') return openAddress(way.address, asking)
  if (session === undefined) {
    throw new PlumblineError('hubble-absent', 'Without a cluster, only an address of a Hubble can be asked')
  }
  if (way?.kind === 'nodes') return openNodes(session, way.nodes, undefined, asking)
  return way?.kind === 'relay' ? openRelay(session, way, asking) : openAny(session, asking)
}

async function openAddress(address: string, asking: Asking): Promise<FlowStream> {
  const name = `Hubble at ${quoted(address)}`
  const server = { name, node: undefined, ...parseServerAddress(address) }
  return new OneServer({ kind: 'address', address }, name, await contact(server, asking.tls, asking.signal), asking)
}

async function openRelay(
  session: ClusterSession,
  wish: Extract<WishedWay, { kind: 'relay' }>,
  asking: Asking,
): Promise<FlowStream> {
  const relay = await findRelay(session.server, wish, asking.signal)
  if (relay === undefined) throw new PlumblineError('hubble-absent', `The cluster has no Hubble relay: ${NO_SERVICE}`)
  const observer = await contact(relayServer(session.server, relay), asking.tls, asking.signal)
  const description = `relay ${quoted(relay.service)} in ${quoted(relay.namespace)}`
  return new OneServer({ kind: 'relay', ...relay }, description, observer, asking)
}

const NO_SERVICE = 'no Service is labelled k8s-app=hubble-relay'

/** The relay, and where there is none, or it has no ready pod, the agents. */
async function openAny(session: ClusterSession, asking: Asking): Promise<FlowStream> {
  try {
    return await openRelay(session, { kind: 'relay' }, asking)
  } catch (error) {
    if (!PlumblineError.is(error, 'hubble-absent') && !PlumblineError.is(error, 'forbidden')) throw error
    return openInstead(session, error.message, asking)
  }
}

async function openInstead(session: ClusterSession, why: string, asking: Asking): Promise<FlowStream> {
  try {
    return await openNodes(session, undefined, why, asking)
  } catch (error) {
    if (!PlumblineError.is(error, 'agent-absent')) throw error
    throw new PlumblineError('hubble-absent', `No Hubble can be asked. ${why}. ${error.message}.`, error)
  }
}

async function openNodes(
  session: ClusterSession,
  nodes: readonly string[] | undefined,
  instead: string | undefined,
  asking: Asking,
): Promise<FlowStream> {
  const servers = await nodeServers(session, nodes, asking.signal)
  return new SeveralServers(await contactNodes(servers, asking.signal), instead, asking)
}

abstract class Opened implements FlowStream {
  readonly way: Way
  readonly description: string
  protected readonly asking: Asking

  constructor(way: Way, description: string, asking: Asking) {
    this.way = way
    this.description = description
    this.asking = asking
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FlowsEvent> {
    try {
      yield* this.events()
    } finally {
      this.close()
    }
  }

  close(): void {
    this.asking.ending.abort()
  }

  abstract status(signal?: AbortSignal): Promise<HubbleStatus>

  protected abstract events(): AsyncGenerator<FlowsEvent>
}

class OneServer extends Opened {
  readonly #observer: Observer

  constructor(way: Way, description: string, observer: Observer, asking: Asking) {
    super(way, description, asking)
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
    return serverStream(this.#observer, this.asking.request, this.description, this.asking.signal)
  }
}

class SeveralServers extends Opened {
  readonly #nodes: readonly Contacted[]

  constructor(nodes: readonly Contacted[], instead: string | undefined, asking: Asking) {
    const names = nodes.map(({ server }) => server.node ?? '')
    const description = `agents on ${names.map(quoted).join(', ')}${instead === undefined ? '' : ` (${instead})`}`
    super({ kind: 'nodes', nodes: names }, description, asking)
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
    return nodeStreams(this.#nodes, this.asking.request, this.asking.signal)
  }
}
