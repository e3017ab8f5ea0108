// SPDX-License-Identifier: Apache-2.0

/** Flows of several nodes, each asked by itself. A node that can't be asked says so, and doesn't hold up the others. */

import { PlumblineError } from '../errors.ts'
import { jittered, mapBounded, pause } from '../retry.ts'
import type { FlowsEvent, FlowsRequest, NodeFlowState } from './flowsEvent.ts'
import { merged } from './merge.ts'
import type { Observer } from './observer.ts'
import { contact, type HubbleServer } from './server.ts'
import { type ServerEvent, serverStream } from './serverStream.ts'

/** How long a flow waits for other nodes', in a stream that goes on. */
const PATIENCE_MS = 300
const AT_A_TIME = 16
const BACKOFF = { baseMs: 1_000, maxMs: 30_000 }

/** A node's Hubble, or why it can't be asked. */
export type Contacted = { readonly server: HubbleServer } & ({ readonly observer: Observer } | { readonly error: PlumblineError })

/** Asks all nodes who is there. Throws when none answers, with the reason of the first. */
export async function contactNodes(servers: readonly HubbleServer[], signal: AbortSignal): Promise<readonly Contacted[]> {
  const contacted = await mapBounded(servers, AT_A_TIME, async (server): Promise<Contacted> => {
    try {
      return { server, observer: await contact(server, {}, signal) }
    } catch (error) {
      if (signal.aborted || !PlumblineError.is(error)) throw error
      return { server, error }
    }
  })
  const [first] = contacted
  if (first !== undefined && 'error' in first && contacted.every((each) => 'error' in each)) throw first.error
  return contacted
}

export function nodeStreams(nodes: readonly Contacted[], request: FlowsRequest, signal: AbortSignal): AsyncGenerator<FlowsEvent> {
  const streams = nodes.map((node) => nodeStream(node, request, signal))
  return merged(streams, request.follow ? PATIENCE_MS : undefined)
}

async function* nodeStream(node: Contacted, request: FlowsRequest, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  const name = node.server.node ?? ''
  const state = (state: NodeFlowState['state'], reason = ''): ServerEvent => ({
    kind: 'nodes',
    nodes: [{ node: name, state, reason }],
  })
  const observer = 'observer' in node ? node.observer : yield* untilThere(node.server, node.error, request, state, signal)
  if (observer === undefined) return
  yield state('connected')
  try {
    for await (const event of serverStream(observer, request, name, signal)) {
      if (event.kind === 'interrupted') yield state('lost', event.error.message)
      yield event
      if (event.kind === 'resumed') yield state('connected')
    }
  } catch (error) {
    if (signal.aborted || !PlumblineError.is(error)) throw error
    yield state('failed', error.message)
  } finally {
    observer.close()
  }
}

/** Undefined when it is not worth waiting for the node. */
async function* untilThere(
  server: HubbleServer,
  error: PlumblineError,
  request: FlowsRequest,
  state: (state: NodeFlowState['state'], reason: string) => ServerEvent,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, Observer | undefined> {
  for (let problem = error, made = 1; ; made += 1) {
    const absent = problem.code === 'hubble-absent'
    yield state(absent ? 'absent' : 'failed', problem.message)
    if (absent || !request.follow) return undefined
    await pause(jittered(made, BACKOFF), signal)
    try {
      return await contact(server, {}, signal)
    } catch (again) {
      if (signal.aborted || !PlumblineError.is(again)) throw again
      problem = again
    }
  }
}
