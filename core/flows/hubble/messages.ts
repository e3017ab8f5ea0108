// SPDX-License-Identifier: Apache-2.0

import * as names from './enums.ts'
import type * as f from '../flow.ts'
import {
  boolValue,
  enumeration,
  flag,
  int32,
  int32Value,
  many,
  message,
  one,
  text,
  texts,
  timestamp,
  uint32,
  uint64,
  uniqueOne,
  uniqueText,
} from './schema.ts'

/** Hubble's messages: flow.proto, relay.proto and observer.proto of Cilium v1.19, in their order. */
const ETHERNET = message<f.Ethernet>({ source: text(1, 'source'), destination: text(2, 'destination') })
const EMITTER = message<f.Emitter>({ name: text(1, 'name'), version: text(2, 'version') })
const WORKLOAD = message<f.Workload>({ name: text(1, 'name'), kind: text(2, 'kind') })
const SERVICE = message<f.Service>({ name: text(1, 'name'), namespace: text(2, 'namespace') })
const PORTS = message<f.Ports>({ sourcePort: uint32(1, 'source_port'), destinationPort: uint32(2, 'destination_port') })
const ICMP = message<f.Icmp>({ type: uint32(1, 'type'), code: uint32(2, 'code') })

const IP = message<f.Ip>({
  source: text(1, 'source'),
  sourceXlated: text(5, 'source_xlated'),
  destination: text(2, 'destination'),
  ipVersion: enumeration(3, 'ipVersion', names.IP_VERSION),
  encrypted: flag(4, 'encrypted'),
})

export const TCP_FLAGS = message<f.TcpFlags>({
  fin: flag(1, 'FIN'),
  syn: flag(2, 'SYN'),
  rst: flag(3, 'RST'),
  psh: flag(4, 'PSH'),
  ack: flag(5, 'ACK'),
  urg: flag(6, 'URG'),
  ece: flag(7, 'ECE'),
  cwr: flag(8, 'CWR'),
  ns: flag(9, 'NS'),
})

const TCP = message<f.Tcp>(
  {
    sourcePort: uint32(1, 'source_port'),
    destinationPort: uint32(2, 'destination_port'),
    flags: one(3, 'flags', TCP_FLAGS),
  },
  (empty) => ({ ...empty }),
)

const LAYER4 = message<f.Layer4>(
  {
    tcp: uniqueOne(1, 'TCP', TCP),
    udp: uniqueOne(2, 'UDP', PORTS),
    icmpv4: one(3, 'ICMPv4', ICMP),
    icmpv6: one(4, 'ICMPv6', ICMP),
    sctp: uniqueOne(5, 'SCTP', PORTS),
    vrrp: one(6, 'VRRP', message<f.Vrrp>({ type: uint32(1, 'type'), vrid: uint32(2, 'vrid'), priority: uint32(3, 'priority') })),
    igmp: one(7, 'IGMP', message<f.Igmp>({ type: uint32(1, 'type'), groupAddress: text(2, 'group_address') })),
  },
  (empty) => ({ ...empty }),
)

const TUNNEL = message<f.Tunnel>({
  protocol: enumeration(1, 'protocol', names.TUNNEL_PROTOCOL),
  ip: one(2, 'IP', IP),
  l4: uniqueOne(3, 'l4', LAYER4),
  vni: uint32(4, 'vni'),
})

const ENDPOINT = message<f.Endpoint>({
  id: uint32(1, 'ID'),
  identity: uint32(2, 'identity'),
  clusterName: text(7, 'cluster_name'),
  namespace: text(3, 'namespace'),
  labels: texts(4, 'labels'),
  podName: text(5, 'pod_name'),
  workloads: many(6, 'workloads', WORKLOAD),
})

const DNS = message<f.Dns>({
  query: text(1, 'query'),
  ips: texts(2, 'ips'),
  ttl: uint32(3, 'ttl'),
  cnames: texts(4, 'cnames'),
  observationSource: text(5, 'observation_source'),
  rcode: uint32(6, 'rcode'),
  qtypes: texts(7, 'qtypes'),
  rrtypes: texts(8, 'rrtypes'),
})

const HTTP = message<f.Http>({
  code: uint32(1, 'code'),
  method: text(2, 'method'),
  url: text(3, 'url'),
  protocol: text(4, 'protocol'),
  headers: many(5, 'headers', message<f.HttpHeader>({ key: text(1, 'key'), value: text(2, 'value') })),
})

const KAFKA = message<f.Kafka>({
  errorCode: int32(1, 'error_code'),
  apiVersion: int32(2, 'api_version'),
  apiKey: text(3, 'api_key'),
  correlationId: int32(4, 'correlation_id'),
  topic: text(5, 'topic'),
})

const LAYER7 = message<f.Layer7>({
  type: enumeration(1, 'type', names.L7_FLOW_TYPE),
  latencyNs: uint64(2, 'latency_ns'),
  dns: one(100, 'dns', DNS),
  http: one(101, 'http', HTTP),
  kafka: one(102, 'kafka', KAFKA),
})

const POLICY = message<f.Policy>({
  name: text(1, 'name'),
  namespace: text(2, 'namespace'),
  labels: texts(3, 'labels'),
  revision: uint64(4, 'revision'),
  kind: text(5, 'kind'),
})

export const NETWORK_INTERFACE = message<f.NetworkInterface>({ index: uint32(1, 'index'), name: text(2, 'name') })

export const FLOW = message<f.Flow>(
  {
    time: timestamp(1, 'time'),
    uuid: uniqueText(34, 'uuid'),
    emitter: one(41, 'emitter', EMITTER),
    verdict: enumeration(2, 'verdict', names.VERDICT),
    dropReason: uint32(3, 'drop_reason'),
    authType: enumeration(35, 'auth_type', names.AUTH_TYPE),
    ethernet: one(4, 'ethernet', ETHERNET),
    ip: one(5, 'IP', IP),
    l4: uniqueOne(6, 'l4', LAYER4),
    tunnel: uniqueOne(39, 'tunnel', TUNNEL),
    source: one(8, 'source', ENDPOINT),
    destination: one(9, 'destination', ENDPOINT),
    type: enumeration(10, 'Type', names.FLOW_TYPE),
    nodeName: text(11, 'node_name'),
    nodeLabels: texts(37, 'node_labels'),
    sourceNames: texts(13, 'source_names'),
    destinationNames: texts(14, 'destination_names'),
    l7: uniqueOne(15, 'l7', LAYER7),
    reply: flag(16, 'reply'),
    eventType: one(19, 'event_type', message<f.EventType>({ type: int32(1, 'type'), subType: int32(2, 'sub_type') })),
    sourceService: one(20, 'source_service', SERVICE),
    destinationService: one(21, 'destination_service', SERVICE),
    trafficDirection: enumeration(22, 'traffic_direction', names.TRAFFIC_DIRECTION),
    policyMatchType: uint32(23, 'policy_match_type'),
    traceObservationPoint: enumeration(24, 'trace_observation_point', names.TRACE_OBSERVATION_POINT),
    traceReason: enumeration(36, 'trace_reason', names.TRACE_REASON),
    file: one(38, 'file', message<f.FileInfo>({ name: text(1, 'name'), line: uint32(2, 'line') })),
    ipTraceId: one(
      40,
      'ip_trace_id',
      message<f.IpTraceId>({ traceId: uint64(1, 'trace_id'), ipOptionType: uint32(2, 'ip_option_type') }),
    ),
    dropReasonDesc: enumeration(25, 'drop_reason_desc', names.DROP_REASON),
    isReply: boolValue(26, 'is_reply'),
    debugCapturePoint: enumeration(27, 'debug_capture_point', names.DEBUG_CAPTURE_POINT),
    interface: one(28, 'interface', NETWORK_INTERFACE),
    proxyPort: uint32(29, 'proxy_port'),
    traceContext: one(
      30,
      'trace_context',
      message<f.TraceContext>({
        parent: one(1, 'parent', message<{ readonly traceId: string }>({ traceId: text(1, 'trace_id') })),
      }),
    ),
    sockXlatePoint: enumeration(31, 'sock_xlate_point', names.SOCKET_TRANSLATION_POINT),
    socketCookie: uint64(32, 'socket_cookie'),
    cgroupId: uint64(33, 'cgroup_id'),
    summary: text(100_000, 'Summary'),
    egressAllowedBy: many(21_001, 'egress_allowed_by', POLICY),
    ingressAllowedBy: many(21_002, 'ingress_allowed_by', POLICY),
    egressDeniedBy: many(21_004, 'egress_denied_by', POLICY),
    ingressDeniedBy: many(21_005, 'ingress_denied_by', POLICY),
    policyLog: texts(21_006, 'policy_log'),
    aggregate: one(
      21_007,
      'aggregate',
      message<f.Aggregate>({
        ingressFlowCount: uint32(1, 'ingress_flow_count'),
        egressFlowCount: uint32(2, 'egress_flow_count'),
        unknownDirectionFlowCount: uint32(3, 'unknown_direction_flow_count'),
      }),
    ),
  },
  (empty) => ({ ...empty }),
)

const LOST_EVENTS = message<f.LostEvents>({
  source: enumeration(1, 'source', names.LOST_EVENT_SOURCE),
  numEventsLost: uint64(2, 'num_events_lost'),
  cpu: int32Value(3, 'cpu'),
  first: timestamp(4, 'first'),
  last: timestamp(5, 'last'),
})

const NODE_STATUS = message<f.NodeStatus>({
  stateChange: enumeration(1, 'state_change', names.NODE_STATE),
  nodeNames: texts(2, 'node_names'),
  message: text(3, 'message'),
})

/** GetFlowsResponse, which is also what an exporter writes (ExportEvent) but for the events this reader doesn't hold. */
export interface Response extends f.Envelope {
  readonly flow: f.Flow | null
  readonly status: f.NodeStatus | null
  readonly lost: f.LostEvents | null
}

export const RESPONSE = message<Response>(
  {
    flow: uniqueOne(1, 'flow', FLOW),
    status: one(2, 'node_status', NODE_STATUS),
    lost: uniqueOne(3, 'lost_events', LOST_EVENTS),
    nodeName: text(1000, 'node_name'),
    time: timestamp(1001, 'time'),
  },
  (empty) => ({ ...empty }),
)
