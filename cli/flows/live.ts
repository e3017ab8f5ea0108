// SPDX-License-Identifier: Apache-2.0

import type { FlowStream, FlowsEvent, Loss, NodeFlowState } from '../../cluster/hubble/flowsEvent.ts'
import type { FlowEvent } from '../../core/flows/flow.ts'
import { WireReader } from '../../core/flows/hubble/hubbleWire.ts'
import type { Io } from '../io.ts'
import type { Printer } from './printer.ts'

/** A table needs all its rows to know its widths. */
export type Batching = 'at once' | 'at the end'

/** Prints what a Hubble sends, and says what it doesn't. Returns how many flows came. */
export async function printStream(stream: FlowStream, print: Printer, batching: Batching, io: Io): Promise<number> {
  const reader = new WireReader()
  const held: FlowEvent[] = []
  let count = 0
  for await (const event of stream) {
    const events = eventsOf(event, reader)
    if (event.kind === 'flows') count += events.length
    else say(event, io)
    if (batching === 'at the end') held.push(...events)
    else await put(print(events), io)
  }
  await put(print(held), io)
  return count
}

async function put(text: string, io: Io): Promise<void> {
  if (text !== '') await io.out(text)
}

function eventsOf(event: FlowsEvent, reader: WireReader): readonly FlowEvent[] {
  if (event.kind === 'flows') return event.responses.map((response) => reader.read(response))
  return event.kind === 'lost' && event.response !== undefined ? [reader.read(event.response)] : []
}

function say(event: Exclude<FlowsEvent, { kind: 'flows' }>, io: Io): void {
  switch (event.kind) {
    case 'lost':
      io.say(lossText(event.loss))
      break
    case 'nodes':
      for (const node of event.nodes) if (node.state !== 'connected') io.say(nodeText(node))
      break
    case 'interrupted':
      io.say(`Interrupted (${event.error.message}); trying again in ${(event.retryInMs / 1000).toFixed(1)} s`)
      break
    case 'resumed':
      io.say(`Going on: ${event.server} answers again`)
      break
  }
}

const PLACES: Readonly<Record<string, string>> = {
  PERF_EVENT_RING_BUFFER: "between the kernel and Cilium's agent",
  OBSERVER_EVENTS_QUEUE: "in Hubble's queue",
  HUBBLE_RING_BUFFER: "in Hubble's memory, which was overwritten before it was read",
  CONNECTION: 'while Hubble was not there or could not be reached',
}

export function lossText({ source, node, cpu, count }: Loss): string {
  const number = count === undefined ? 'an unknown number of flows' : `${count} ${count === 1n ? 'flow' : 'flows'}`
  const where = [node === undefined ? '' : ` on ${node}`, cpu === undefined ? '' : `, CPU ${cpu}`].join('')
  return `Lost: ${number} ${PLACES[source] ?? source}${where}`
}

const STATES: Readonly<Record<NodeFlowState['state'], string>> = {
  connected: 'is connected',
  unavailable: 'is not available',
  lost: 'was lost',
  failed: 'failed',
  absent: 'has no Hubble',
}

function nodeText({ node, state, reason }: NodeFlowState): string {
  return `Incomplete: node ${node} ${STATES[state]}${reason === '' ? '' : `: ${reason}`}`
}
