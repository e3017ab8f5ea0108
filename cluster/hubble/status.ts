// SPDX-License-Identifier: Apache-2.0

import type { ServerStatusResponse } from '../../gen/hubble/observer/observer_pb.js'
import type { HubbleStatus } from './flowsEvent.ts'

export function statusOf(status: ServerStatusResponse): HubbleStatus {
  return {
    version: status.version,
    flows: status.numFlows,
    maxFlows: status.maxFlows,
    seenFlows: status.seenFlows,
    flowsPerSecond: status.flowsRate,
    uptimeNs: status.uptimeNs,
    connectedNodes: status.numConnectedNodes,
    unavailableNodes: status.unavailableNodes,
  }
}

/** As a relay sums up its nodes; the uptime is the longest. */
export function sumOf(statuses: readonly ServerStatusResponse[], unavailable: readonly string[]): HubbleStatus {
  const sum = (of: (status: ServerStatusResponse) => bigint) => statuses.reduce((total, status) => total + of(status), 0n)
  return {
    version: statuses[0]?.version ?? '',
    flows: sum(({ numFlows }) => numFlows),
    maxFlows: sum(({ maxFlows }) => maxFlows),
    seenFlows: sum(({ seenFlows }) => seenFlows),
    flowsPerSecond: statuses.reduce((total, { flowsRate }) => total + flowsRate, 0),
    uptimeNs: statuses.map(({ uptimeNs }) => uptimeNs).sort((a, b) => (a < b ? 1 : -1))[0] ?? 0n,
    connectedNodes: statuses.length,
    unavailableNodes: unavailable,
  }
}
