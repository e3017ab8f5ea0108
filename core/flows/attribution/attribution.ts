// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import { attributeToDatapath } from './attributionDatapath.ts'
import type { DropAttribution } from './attributionModel.ts'
import { attributeToPolicy } from './attributionPolicy.ts'
import type { Flow } from '../flow.ts'
import { flowPacket } from '../flowPacket.ts'

const BY_POLICY = ['POLICY_DENIED', 'POLICY_DENY']

/**
 * Who dropped a flow: the policies and rules, or what else decided. What Hubble names counts before what the cluster's objects
 * tell, which may have changed since. Undefined: it was not dropped.
 */
export function attributeDrop(facts: ClusterFacts, flow: Flow): DropAttribution | undefined {
  if (flow.verdict !== 'DROPPED') return undefined
  const packet = flowPacket(flow)
  const policy = packet === undefined || !BY_POLICY.includes(flow.dropReasonDesc) ? undefined : { flow, packet }
  return policy === undefined ? attributeToDatapath(facts, flow, packet) : attributeToPolicy(facts, policy)
}
