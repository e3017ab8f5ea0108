// SPDX-License-Identifier: Apache-2.0

import type { NetworkInterface, TcpFlags, Timestamp, Workload } from '../flow.ts'

/**
 * Hubble's FlowFilter (flow.proto, Cilium v1.19) in camel case: what is given must all hold; of a list's values one must. An empty
 * or absent list asks for nothing. Enumerations by name, ports and status codes as Hubble takes them (text).
 */
export interface FlowFilter {
  readonly uuid?: readonly string[]
  /** Addresses (compared as text) or networks. */
  readonly sourceIp?: readonly string[]
  readonly sourceIpXlated?: readonly string[]
  /** `NAMESPACE/PREFIX`; either may be empty; without a slash the namespace is `default`. */
  readonly sourcePod?: readonly string[]
  /** DNS names with `*`. */
  readonly sourceFqdn?: readonly string[]
  /** Kubernetes label selectors, keys with Cilium's sources: `k8s:app=web`, `reserved:world`. */
  readonly sourceLabel?: readonly string[]
  readonly sourceService?: readonly string[]
  readonly sourceWorkload?: readonly Workload[]
  readonly sourceClusterName?: readonly string[]
  readonly sourceIdentity?: readonly number[]
  readonly sourcePort?: readonly string[]
  readonly destinationIp?: readonly string[]
  readonly destinationPod?: readonly string[]
  readonly destinationFqdn?: readonly string[]
  readonly destinationLabel?: readonly string[]
  readonly destinationService?: readonly string[]
  readonly destinationWorkload?: readonly Workload[]
  readonly destinationClusterName?: readonly string[]
  readonly destinationIdentity?: readonly number[]
  readonly destinationPort?: readonly string[]
  readonly trafficDirection?: readonly string[]
  readonly verdict?: readonly string[]
  readonly dropReasonDesc?: readonly string[]
  readonly interface?: readonly NetworkInterface[]
  readonly eventType?: readonly EventTypeFilter[]
  /** `404`, `5+`. */
  readonly httpStatusCode?: readonly string[]
  readonly httpMethod?: readonly string[]
  /** Go regular expressions, found anywhere. */
  readonly httpPath?: readonly string[]
  readonly httpUrl?: readonly string[]
  readonly httpHeader?: readonly { readonly key: string; readonly value: string }[]
  readonly dnsQuery?: readonly string[]
  /** tcp, udp, sctp, icmp, icmpv4, icmpv6, vrrp, igmp, dns, http, kafka. */
  readonly protocol?: readonly string[]
  readonly reply?: readonly boolean[]
  /** A flow must have all flags that one of these has. */
  readonly tcpFlags?: readonly TcpFlags[]
  /** `CLUSTER/NODE` patterns with `*`; either may be empty. */
  readonly nodeName?: readonly string[]
  readonly nodeLabels?: readonly string[]
  readonly ipVersion?: readonly string[]
  readonly traceId?: readonly string[]
  readonly ipTraceId?: readonly bigint[]
  readonly encrypted?: readonly boolean[]
}

export interface EventTypeFilter {
  /** 0 for any. */
  readonly type: number
  readonly matchSubType: boolean
  readonly subType: number
}

/** What somebody asks to see. */
export interface FlowQuery {
  /** A flow must match one of these, if there are any … */
  readonly allow: readonly FlowFilter[]
  /** … and none of these. */
  readonly deny: readonly FlowFilter[]
  /** Each must hold too. Hubble has no such filters: only the store applies them. */
  readonly words: readonly Word[]
  readonly since: Timestamp | null
  readonly until: Timestamp | null
  /** How many and from which end, and whether to go on: as asked with Hubble's --first, --last, --all and --follow. */
  readonly first: number | null
  /** Infinity for all. */
  readonly last: number | null
  readonly follow: boolean
  /** Flags that were understood, but are about the client alone (output, server, TLS): without their dashes. */
  readonly ignored: readonly string[]
}

/** A part of a name or address of the flow, in any case of letters; or a policy that allowed or denied it, as NAMESPACE/NAME or NAME. */
export interface Word {
  readonly kind: 'anywhere' | 'policy'
  readonly text: string
  readonly not: boolean
}

export const EVERYTHING: FlowQuery = {
  allow: [],
  deny: [],
  words: [],
  since: null,
  until: null,
  first: null,
  last: null,
  follow: false,
  ignored: [],
}
