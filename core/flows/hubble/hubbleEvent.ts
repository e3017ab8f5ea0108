// SPDX-License-Identifier: Apache-2.0

import type { FlowEvent } from '../flow.ts'
import { RESPONSE, type Response } from './messages.ts'

/** Which of the events a response is. */
export function eventOf(response: Response, what = 'unknown'): FlowEvent {
  const { flow, lost, status, nodeName, time } = response
  if (flow !== null) return { kind: 'flow', flow, nodeName, time }
  if (lost !== null) return { kind: 'lost', lost, nodeName, time }
  if (status !== null) return { kind: 'nodes', status, nodeName, time }
  return { kind: 'other', what, nodeName, time }
}

export function responseOf(event: FlowEvent): Response {
  const { nodeName, time } = event
  const response = { ...RESPONSE.empty, nodeName, time }
  switch (event.kind) {
    case 'flow':
      return { ...response, flow: event.flow }
    case 'lost':
      return { ...response, lost: event.lost }
    case 'nodes':
      return { ...response, status: event.status }
    case 'other':
      return response
  }
}
