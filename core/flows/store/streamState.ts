// SPDX-License-Identifier: Apache-2.0

import type { FlowEvent, Timestamp } from '../flow.ts'

export interface Lost {
  /** Who lost them: PERF_EVENT_RING_BUFFER, OBSERVER_EVENTS_QUEUE, HUBBLE_RING_BUFFER. */
  readonly source: string
  readonly node: string
  readonly count: bigint
  /** When this was last said. */
  readonly time: Timestamp | null
}

export interface NodeState {
  readonly node: string
  /** NODE_CONNECTED, NODE_UNAVAILABLE, NODE_GONE, NODE_ERROR. */
  readonly state: string
  readonly message: string
  readonly time: Timestamp | null
}

/** What a stream says besides flows. Holds at most a fixed number of nodes: the ones unheard of the longest make room. */
export class StreamState {
  readonly #lost = new Map<string, Lost>()
  readonly #nodes = new Map<string, NodeState>()
  #lostTotal = 0n

  get lost(): readonly Lost[] {
    return [...this.#lost.values()]
  }

  /** Of all sources and nodes, also of those that had to make room. */
  get lostTotal(): bigint {
    return this.#lostTotal
  }

  get nodes(): readonly NodeState[] {
    return [...this.#nodes.values()]
  }

  take(event: FlowEvent): void {
    if (event.kind === 'lost') {
      const { source, numEventsLost } = event.lost
      const key = JSON.stringify([source, event.nodeName])
      const count = (this.#lost.get(key)?.count ?? 0n) + numEventsLost
      this.#lostTotal += numEventsLost
      keep(this.#lost, key, { source, node: event.nodeName, count, time: event.time })
    }
    if (event.kind === 'nodes') {
      const { stateChange, message, nodeNames } = event.status
      for (const node of nodeNames) keep(this.#nodes, node, { node, state: stateChange, message, time: event.time })
    }
  }
}

const MOST = 20_000

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > MOST && oldest !== undefined) map.delete(oldest)
}
