// SPDX-License-Identifier: Apache-2.0

import type { NodeMap } from './nodeMaps.ts'

/** Programs an endpoint jumps between have no data, and so no layout that says whose they are. */
const CALLS = /^cilium_calls_(\d+)$/

/** Number of the endpoint that a map belongs to: Cilium makes some maps for each, and ends their names with it. */
export function endpointOf({ name, layout }: Pick<NodeMap, 'name' | 'layout'>): number | undefined {
  const digits = layout?.of === 'endpoint' ? name.slice(layout.name.length) : CALLS.exec(name)?.[1]
  return digits !== undefined && /^\d+$/.test(digits) ? Number(digits) : undefined
}
