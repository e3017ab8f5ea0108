// SPDX-License-Identifier: Apache-2.0

/**
 * What a Hubble says: flows, and the other events of its stream. The shapes are those of Hubble's flow.proto and observer.proto
 * (Cilium v1.19), in camel case. A message that is absent is null; a scalar that is absent has protobuf's default; a list that is
 * absent is empty. An enumeration is its value's name as Hubble writes it; a value without a known name is its number in decimal
 * digits, and a name that is not known stays as it is, so that a newer Hubble is understood.
 *
 * Not held: `extensions` (of any type, by definition) and fields that v1.19 does not know.
 */
export interface Flow {
  readonly time: Timestamp | null
  readonly uuid: string
  readonly emitter: Emitter | null
  /** FORWARDED, DROPPED, ERROR, AUDIT, REDIRECTED, TRACED, TRANSLATED; VERDICT_UNKNOWN. */
  readonly verdict: string
  /** The datapath's number of the drop reason; `dropReasonDesc` is its name. */
  readonly dropReason: number
  readonly authType: string
  readonly ethernet: Ethernet | null
  readonly ip: Ip | null
  readonly l4: Layer4 | null
  readonly tunnel: Tunnel | null
  readonly source: Endpoint | null
  readonly destination: Endpoint | null
  /** L3_L4, L7, SOCK; UNKNOWN_TYPE. */
  readonly type: string
  /** Cluster and node, as `cluster/node`, or the node alone. */
  readonly nodeName: string
  readonly nodeLabels: readonly string[]
  /** DNS names of the source address. */
  readonly sourceNames: readonly string[]
  readonly destinationNames: readonly string[]
  readonly l7: Layer7 | null
  /** Deprecated by Hubble; see `isReply`. */
  readonly reply: boolean
  readonly eventType: EventType | null
  readonly sourceService: Service | null
  readonly destinationService: Service | null
  /** INGRESS, EGRESS; TRAFFIC_DIRECTION_UNKNOWN. */
  readonly trafficDirection: string
  readonly policyMatchType: number
  /** TO_ENDPOINT, FROM_NETWORK, …; UNKNOWN_POINT. */
  readonly traceObservationPoint: string
  /** NEW, ESTABLISHED, REPLY, RELATED, …; TRACE_REASON_UNKNOWN. */
  readonly traceReason: string
  /** Place in the datapath's source that dropped the packet. */
  readonly file: FileInfo | null
  readonly ipTraceId: IpTraceId | null
  /** POLICY_DENIED, …; DROP_REASON_UNKNOWN. */
  readonly dropReasonDesc: string
  /** Null when Hubble can't tell. */
  readonly isReply: boolean | null
  readonly debugCapturePoint: string
  readonly interface: NetworkInterface | null
  readonly proxyPort: number
  readonly traceContext: TraceContext | null
  readonly sockXlatePoint: string
  readonly socketCookie: bigint
  readonly cgroupId: bigint
  readonly summary: string
  readonly egressAllowedBy: readonly Policy[]
  readonly ingressAllowedBy: readonly Policy[]
  readonly egressDeniedBy: readonly Policy[]
  readonly ingressDeniedBy: readonly Policy[]
  readonly policyLog: readonly string[]
  readonly aggregate: Aggregate | null
}

/** Exact to the nanosecond: seconds since 1970 and nanoseconds within. */
export interface Timestamp {
  readonly seconds: number
  readonly nanos: number
}

export interface Emitter {
  readonly name: string
  readonly version: string
}

export interface Ethernet {
  readonly source: string
  readonly destination: string
}

export interface Ip {
  readonly source: string
  /** Source address after the node's NAT. */
  readonly sourceXlated: string
  readonly destination: string
  /** IPv4, IPv6; IP_NOT_USED. */
  readonly ipVersion: string
  readonly encrypted: boolean
}

/** At most one is not null. */
export interface Layer4 {
  readonly tcp: Tcp | null
  readonly udp: Ports | null
  readonly icmpv4: Icmp | null
  readonly icmpv6: Icmp | null
  readonly sctp: Ports | null
  readonly vrrp: Vrrp | null
  readonly igmp: Igmp | null
}

export interface Ports {
  readonly sourcePort: number
  readonly destinationPort: number
}

export interface Tcp extends Ports {
  readonly flags: TcpFlags | null
}

export interface TcpFlags {
  readonly fin: boolean
  readonly syn: boolean
  readonly rst: boolean
  readonly psh: boolean
  readonly ack: boolean
  readonly urg: boolean
  readonly ece: boolean
  readonly cwr: boolean
  readonly ns: boolean
}

export interface Icmp {
  readonly type: number
  readonly code: number
}

export interface Vrrp {
  readonly type: number
  readonly vrid: number
  readonly priority: number
}

export interface Igmp {
  readonly type: number
  readonly groupAddress: string
}

export interface Tunnel {
  /** VXLAN, GENEVE; UNKNOWN. */
  readonly protocol: string
  readonly ip: Ip | null
  readonly l4: Layer4 | null
  readonly vni: number
}

export interface Endpoint {
  /** Cilium's endpoint number on its node; 0 for what is not of the observing node. */
  readonly id: number
  /** Security identity. */
  readonly identity: number
  readonly clusterName: string
  readonly namespace: string
  /** `source:key=value`, as Cilium writes them. */
  readonly labels: readonly string[]
  readonly podName: string
  readonly workloads: readonly Workload[]
}

export interface Workload {
  readonly name: string
  readonly kind: string
}

/** At most one of dns, http and kafka is not null. */
export interface Layer7 {
  /** REQUEST, RESPONSE, SAMPLE; UNKNOWN_L7_TYPE. */
  readonly type: string
  readonly latencyNs: bigint
  readonly dns: Dns | null
  readonly http: Http | null
  readonly kafka: Kafka | null
}

export interface Dns {
  readonly query: string
  readonly ips: readonly string[]
  readonly ttl: number
  readonly cnames: readonly string[]
  readonly observationSource: string
  readonly rcode: number
  readonly qtypes: readonly string[]
  readonly rrtypes: readonly string[]
}

export interface Http {
  readonly code: number
  readonly method: string
  readonly url: string
  readonly protocol: string
  readonly headers: readonly HttpHeader[]
}

export interface HttpHeader {
  readonly key: string
  readonly value: string
}

export interface Kafka {
  readonly errorCode: number
  readonly apiVersion: number
  readonly apiKey: string
  readonly correlationId: number
  readonly topic: string
}

/** Cilium's monitor message: 1 drop, 4 trace, 5 policy-verdict, 7 trace-sock, 129 l7, … */
export interface EventType {
  readonly type: number
  readonly subType: number
}

export interface Service {
  readonly name: string
  readonly namespace: string
}

export interface FileInfo {
  readonly name: string
  readonly line: number
}

export interface IpTraceId {
  readonly traceId: bigint
  readonly ipOptionType: number
}

export interface NetworkInterface {
  readonly index: number
  readonly name: string
}

export interface TraceContext {
  readonly parent: { readonly traceId: string } | null
}

export interface Policy {
  readonly name: string
  readonly namespace: string
  readonly labels: readonly string[]
  readonly revision: bigint
  readonly kind: string
}

export interface Aggregate {
  readonly ingressFlowCount: number
  readonly egressFlowCount: number
  readonly unknownDirectionFlowCount: number
}

/** Events that Hubble or the kernel lost. */
export interface LostEvents {
  /** PERF_EVENT_RING_BUFFER, OBSERVER_EVENTS_QUEUE, HUBBLE_RING_BUFFER; UNKNOWN_LOST_EVENT_SOURCE. */
  readonly source: string
  readonly numEventsLost: bigint
  readonly cpu: number | null
  readonly first: Timestamp | null
  readonly last: Timestamp | null
}

/** What Hubble Relay says of the nodes it asks. */
export interface NodeStatus {
  /** NODE_CONNECTED, NODE_UNAVAILABLE, NODE_GONE, NODE_ERROR; UNKNOWN_NODE_STATE. */
  readonly stateChange: string
  readonly nodeNames: readonly string[]
  readonly message: string
}

/** One message of a stream or one line of a recording. `nodeName` and `time` are the envelope's. */
export type FlowEvent = Envelope &
  (
    | { readonly kind: 'flow'; readonly flow: Flow }
    | { readonly kind: 'lost'; readonly lost: LostEvents }
    | { readonly kind: 'nodes'; readonly status: NodeStatus }
    /** Agent and debug events of an exporter, and what is newer than this reader. */
    | { readonly kind: 'other'; readonly what: string }
  )

export interface Envelope {
  readonly nodeName: string
  readonly time: Timestamp | null
}
