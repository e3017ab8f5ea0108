// SPDX-License-Identifier: Apache-2.0

import { isRecord } from '../../facts/text.ts'
import * as names from '../hubble/enums.ts'
import type { EventTypeFilter, FlowFilter } from './filter.ts'
import type { HttpHeader, Workload } from '../flow.ts'
import { readMessage, writeMessage } from '../hubble/hubbleJson.ts'
import { NETWORK_INTERFACE, TCP_FLAGS } from '../hubble/messages.ts'
import { enumerations, flag, flags, int32, many, message, text, texts, uint32s, uint64s } from '../hubble/schema.ts'

const WORKLOAD = message<Workload>({ name: text(1, 'name'), kind: text(2, 'kind') })

/** Hubble's FlowFilter, in the order of flow.proto. */
const FLOW_FILTER = message<Required<FlowFilter>>({
  uuid: texts(29, 'uuid'),
  sourceIp: texts(1, 'source_ip'),
  sourceIpXlated: texts(34, 'source_ip_xlated'),
  sourcePod: texts(2, 'source_pod'),
  sourceFqdn: texts(7, 'source_fqdn'),
  sourceLabel: texts(10, 'source_label'),
  sourceService: texts(16, 'source_service'),
  sourceWorkload: many(26, 'source_workload', WORKLOAD),
  sourceClusterName: texts(37, 'source_cluster_name'),
  destinationIp: texts(3, 'destination_ip'),
  destinationPod: texts(4, 'destination_pod'),
  destinationFqdn: texts(8, 'destination_fqdn'),
  destinationLabel: texts(11, 'destination_label'),
  destinationService: texts(17, 'destination_service'),
  destinationWorkload: many(27, 'destination_workload', WORKLOAD),
  destinationClusterName: texts(38, 'destination_cluster_name'),
  trafficDirection: enumerations(30, 'traffic_direction', names.TRAFFIC_DIRECTION),
  verdict: enumerations(5, 'verdict', names.VERDICT),
  dropReasonDesc: enumerations(33, 'drop_reason_desc', names.DROP_REASON),
  interface: many(35, 'interface', NETWORK_INTERFACE),
  eventType: many(
    6,
    'event_type',
    message<EventTypeFilter>({
      type: int32(1, 'type'),
      matchSubType: flag(2, 'match_sub_type'),
      subType: int32(3, 'sub_type'),
    }),
  ),
  httpStatusCode: texts(9, 'http_status_code'),
  protocol: texts(12, 'protocol'),
  sourcePort: texts(13, 'source_port'),
  destinationPort: texts(14, 'destination_port'),
  reply: flags(15, 'reply'),
  dnsQuery: texts(18, 'dns_query'),
  sourceIdentity: uint32s(19, 'source_identity'),
  destinationIdentity: uint32s(20, 'destination_identity'),
  httpMethod: texts(21, 'http_method'),
  httpPath: texts(22, 'http_path'),
  httpUrl: texts(31, 'http_url'),
  httpHeader: many(32, 'http_header', message<HttpHeader>({ key: text(1, 'key'), value: text(2, 'value') })),
  tcpFlags: many(23, 'tcp_flags', TCP_FLAGS),
  nodeName: texts(24, 'node_name'),
  nodeLabels: texts(36, 'node_labels'),
  ipVersion: enumerations(25, 'ip_version', names.IP_VERSION),
  traceId: texts(28, 'trace_id'),
  ipTraceId: uint64s(39, 'ip_trace_id'),
  encrypted: flags(40, 'encrypted'),
})

/** A filter in protobuf's JSON, with the names of flow.proto: what Hubble's --allowlist takes, and protobuf's own readers. */
export function filterJson(filter: FlowFilter): Record<string, unknown> {
  return writeMessage({ ...FLOW_FILTER.empty, ...filter }, FLOW_FILTER)
}

/** @throws Error that says what is wrong in it, and where. */
export function readFilterJson(json: unknown): FlowFilter {
  if (!isRecord(json)) throw new Error('a filter is not an object of JSON')
  const unknown = Object.keys(json).find((name) => !FLOW_FILTER.byName.has(name))
  if (unknown !== undefined) throw new Error(`\`${unknown}\` can't be filtered by here`)
  return withoutEmpty(readMessage(json, FLOW_FILTER, ''))
}

/** A filter that only has what it asks for. */
function withoutEmpty(filter: FlowFilter): FlowFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, values]) => values.length > 0))
}
