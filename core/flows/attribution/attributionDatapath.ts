// SPDX-License-Identifier: Apache-2.0

import { describeFrontend, objectEvidence } from '../../ebpf/planned.ts'
import type { ClusterFacts } from '../../facts/cluster.ts'
import { formatEndpoint } from '../../net/address.ts'
import { serviceProtocol } from '../../path/resolve.ts'
import { type Frontend, ServiceFrontends } from '../../services/frontend.ts'
import type { DropAttribution, Place } from './attributionModel.ts'
import { type ReasonNote, reasonNote } from '../dropReasons.ts'
import type { Flow } from '../flow.ts'
import { type FlowPacket, flowNode } from '../flowPacket.ts'
import { portText } from './ruleText.ts'

/** A drop that no policy decided. */
export function attributeToDatapath(facts: ClusterFacts, flow: Flow, packet: FlowPacket | undefined): DropAttribution {
  const reason = flow.dropReasonDesc === '' ? String(flow.dropReason) : flow.dropReasonDesc
  const note = reasonNote(reason)
  const frontend = packet === undefined ? undefined : frontendOf(facts, packet)
  const named = note.service === undefined || frontend === undefined ? '' : ` (${describeFrontend(frontend).name})`
  return {
    reason,
    kind: 'datapath',
    direction: directionOf(flow),
    endpoint: null,
    text: `node ${flowNode(flow)} dropped it because ${note.because}${named}`,
    policies: [],
    nearRules: [],
    look: [
      { text: note.look, evidence: null },
      ...servicePlaces(note, frontend),
      ...(packet === undefined ? [] : mapPlaces(note, packet)),
      ...sourcePlace(flow),
    ],
    remedy: note.remedy,
    unknowns: [],
  }
}

export function directionOf({ trafficDirection }: Flow): DropAttribution['direction'] {
  if (trafficDirection === 'INGRESS') return 'ingress'
  return trafficDirection === 'EGRESS' ? 'egress' : null
}

/** Indexed once, however many flows are asked about. */
const indexed = new WeakMap<ClusterFacts, ServiceFrontends>()

function frontendOf(facts: ClusterFacts, { destination, destinationPort, protocol }: FlowPacket): Frontend | undefined {
  const name = serviceProtocol(protocol)
  if (name === undefined || destinationPort === undefined) return undefined
  const frontends = indexed.get(facts) ?? new ServiceFrontends(facts.objects)
  indexed.set(facts, frontends)
  return frontends.lookup(destination, destinationPort, name)
}

const FIELDS = { backends: 'spec.selector', sourceRanges: 'spec.loadBalancerSourceRanges', clusterIP: 'spec.clusterIP' } as const

function servicePlaces({ service: part }: ReasonNote, frontend: Frontend | undefined): readonly Place[] {
  if (part === undefined || frontend === undefined || frontend.kind === 'HostPort') return []
  const { meta } = frontend.service
  return [{ text: `${FIELDS[part]} of Service ${meta.namespace}/${meta.name}`, evidence: objectEvidence(meta, FIELDS[part]) }]
}

function mapPlaces({ maps }: ReasonNote, packet: FlowPacket): readonly Place[] {
  const { source, sourcePort, destination, destinationPort } = packet
  const key = `${formatEndpoint(source, sourcePort)} -> ${formatEndpoint(destination, destinationPort)} ${portText({ ...packet, port: undefined })}`
  return maps.map((name) => {
    const map = name.replace('#', String(source.family))
    return { text: `map ${map} of the node`, evidence: { kind: 'map', map, key, value: '' } }
  })
}

/** The line of the datapath's source that dropped it. */
function sourcePlace({ file }: Flow): readonly Place[] {
  return file === null ? [] : [{ text: `${file.name}, line ${file.line}, of the datapath's source`, evidence: null }]
}
