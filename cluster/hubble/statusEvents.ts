// SPDX-License-Identifier: Apache-2.0

/** What a Hubble says between flows: which nodes answer, and what it lost. */

import { fromBinary } from '@bufbuild/protobuf'
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { LostEventSource } from '../../gen/hubble/flow/flow_pb.js'
import { type GetFlowsResponse, GetFlowsResponseSchema } from '../../gen/hubble/observer/observer_pb.js'
import { NodeState } from '../../gen/hubble/relay/relay_pb.js'
import type { FlowsEvent, Loss, NodeFlowState } from './flowsEvent.ts'

const STATES: Readonly<Record<number, NodeFlowState['state']>> = {
  [NodeState.NODE_CONNECTED]: 'connected',
  [NodeState.NODE_UNAVAILABLE]: 'unavailable',
  [NodeState.NODE_GONE]: 'lost',
  [NodeState.NODE_ERROR]: 'failed',
}

/** The event for a response that is no flow; undefined for one of a kind this release does not know. */
export function statusEvent(response: Uint8Array): Exclude<FlowsEvent, { kind: 'flows' }> | undefined {
  const decoded = fromBinary(GetFlowsResponseSchema, response)
  const { responseTypes } = decoded
  if (responseTypes.case === 'lostEvents') return { kind: 'lost', loss: lossOf(decoded, responseTypes.value), response }
  if (responseTypes.case !== 'nodeStatus') return undefined
  const { stateChange, nodeNames, message } = responseTypes.value
  const state = STATES[stateChange]
  return state && { kind: 'nodes', nodes: nodeNames.map((node) => ({ node, state, reason: message })), response }
}

type LostEvents = Extract<GetFlowsResponse['responseTypes'], { case: 'lostEvents' }>['value']

function lossOf({ nodeName, time }: GetFlowsResponse, { source, numEventsLost, cpu, first, last }: LostEvents): Loss {
  const at = time && ns(time)
  return {
    source: LostEventSource[source] ?? String(source),
    node: nodeName === '' ? undefined : nodeName,
    cpu,
    count: numEventsLost,
    from: first ? ns(first) : at,
    to: last ? ns(last) : at,
  }
}

function ns(time: Timestamp): bigint {
  return time.seconds * 1_000_000_000n + BigInt(time.nanos)
}
