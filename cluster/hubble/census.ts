// SPDX-License-Identifier: Apache-2.0

/**
 * What Hubble remembers, node by node, at one moment. Two of these, before and after an interruption, tell whether flows
 * between them are lost: those that a restarted Hubble had, and those it has overwritten since.
 */

import { NodeState } from '../../gen/hubble/relay/relay_pb.js'
import type { Loss } from './flowsEvent.ts'
import type { Observer } from './observer.ts'
import type { Place } from './place.ts'
import { envelopeOf } from './response.ts'

/** Uptimes of two answers may differ by as much as an answer takes. */
const SLACK_MS = 2_000
/** A dead connection is noticed after so long at most: two pings unanswered. */
const NOTICE_MS = 60_000

interface NodeRecord {
  readonly connected: boolean
  readonly uptimeMs: number
  /** Whether its memory is full, so that each flow overwrites one. */
  readonly full: boolean
}

export interface Census {
  /** Of this process's clock, in milliseconds. */
  readonly at: number
  /** By name; "" is the only one of a server that is a node's. */
  readonly nodes: ReadonlyMap<string, NodeRecord>
}

export async function takeCensus(observer: Observer, signal?: AbortSignal): Promise<Census> {
  const several = await observer.getNodes(signal)
  if (several === undefined) {
    const { uptimeNs, numFlows, maxFlows } = await observer.serverStatus(signal)
    const record = { connected: true, uptimeMs: Number(uptimeNs) / 1e6, full: numFlows >= maxFlows }
    return { at: performance.now(), nodes: new Map([['', record]]) }
  }
  const nodes = several.nodes.map(({ name, state, uptimeNs, numFlows, maxFlows }): [string, NodeRecord] => [
    name,
    { connected: state === NodeState.NODE_CONNECTED, uptimeMs: Number(uptimeNs) / 1e6, full: numFlows >= maxFlows },
  ])
  return { at: performance.now(), nodes: new Map(nodes) }
}

/**
 * What was lost since `before`; nothing where Hubble's memory bridges it. `quietSince` tells, by this process's clock, since when
 * nothing came from a node.
 */
export async function lossesBetween(
  observer: Observer,
  before: Census,
  now: Census,
  place: Place,
  quietSince: (node: string) => number,
  signal: AbortSignal,
): Promise<readonly Loss[]> {
  const lost = new Set<string>()
  const overwriting: string[] = []
  for (const [node, record] of now.nodes) {
    if (hasRestarted(before.nodes.get(node), record, now.at - before.at)) lost.add(node)
    else if (record.connected && record.full) overwriting.push(node)
  }
  if (overwriting.length > 0) {
    const reach = await memories(observer, now.nodes.has(''), signal)
    const outage = (node: string) => now.at - Math.max(quietSince(node), now.at - NOTICE_MS)
    for (const node of overwriting) if ((reach.get(node) ?? 0) < outage(node)) lost.add(node)
  }
  return [...lost].map((node) => gap(node, place))
}

function hasRestarted(before: NodeRecord | undefined, now: NodeRecord, elapsed: number): boolean {
  return before?.connected === true && now.connected && now.uptimeMs + SLACK_MS < before.uptimeMs + elapsed
}

function gap(name: string, place: Place): Loss {
  const node = name === '' ? undefined : name
  const last = place.last(node)
  const from = last === 0 ? undefined : BigInt(Math.floor(last * 1_000)) * 1_000n
  return { source: 'CONNECTION', node, cpu: undefined, count: undefined, from, to: undefined }
}

/** How far back each node remembers, in milliseconds before its newest flow. */
async function memories(observer: Observer, single: boolean, signal: AbortSignal): Promise<Map<string, number>> {
  const oldest = await timesOf(observer, 'first', signal)
  const newest = await timesOf(observer, 'last', signal)
  return new Map([...newest].map(([node, time]) => [single ? '' : node, time - (oldest.get(node) ?? time)]))
}

async function timesOf(observer: Observer, end: 'first' | 'last', signal: AbortSignal): Promise<Map<string, number>> {
  const times = new Map<string, number>()
  for await (const responses of observer.getFlows({ [end]: 1 }, signal)) {
    for (const response of responses) {
      const { kind, node, time } = envelopeOf(response)
      if (kind === 'flow') times.set(node, time)
    }
  }
  return times
}
