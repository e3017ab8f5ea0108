// SPDX-License-Identifier: Apache-2.0

import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'

/**
 * Kubernetes objects as Plumbline needs them: only the fields it reads, parsed once, addresses by value. Names and
 * meanings are the API's own (k8s.io/api core/v1, discovery/v1, networking/v1).
 */

/** Where an object came from, for evidence. */
export interface ObjectSource {
  readonly file: string
  /** JSON pointer to the object in the file. */
  readonly pointer: string
}

export interface ObjectMeta {
  readonly apiVersion: string
  readonly kind: string
  /** Empty for cluster-scoped objects. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly labels: ReadonlyMap<string, string>
  readonly annotations: ReadonlyMap<string, string>
  readonly deletionTimestamp: string | undefined
  /** The controlling owner, if any. */
  readonly owner: { readonly kind: string; readonly name: string } | undefined
  readonly source: ObjectSource
}

/** As Service and container ports name them. */
export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface NodeObject {
  readonly meta: ObjectMeta
  readonly internalIPs: readonly Address[]
  readonly externalIPs: readonly Address[]
  readonly podCIDRs: readonly Prefix[]
  /** Label topology.kubernetes.io/zone. */
  readonly zone: string | undefined
}

export interface NamespaceObject {
  readonly meta: ObjectMeta
}

export interface PodObject {
  readonly meta: ObjectMeta
  readonly nodeName: string | undefined
  readonly hostNetwork: boolean
  /** "Pending", "Running", "Succeeded", "Failed", "Unknown". */
  readonly phase: string
  readonly ready: boolean
  readonly podIPs: readonly Address[]
  readonly hostIPs: readonly Address[]
  /** Of containers and restartable init containers (sidecars). */
  readonly ports: readonly ContainerPort[]
}

export interface ContainerPort {
  readonly name: string | undefined
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostPort: number | undefined
  readonly hostIP: Address | undefined
}

export interface ServiceObject {
  readonly meta: ObjectMeta
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  /** Empty when headless or ExternalName. */
  readonly clusterIPs: readonly Address[]
  readonly headless: boolean
  readonly externalName: string | undefined
  readonly externalIPs: readonly Address[]
  /** With ipMode "Proxy" the node must not take the address itself (KEP-1860). */
  readonly loadBalancerIPs: readonly { readonly address: Address; readonly ipMode: 'VIP' | 'Proxy' }[]
  readonly ports: readonly ServicePort[]
  /** Undefined: endpoints are managed by hand. */
  readonly selector: ReadonlyMap<string, string> | undefined
  readonly sessionAffinity: 'None' | 'ClientIP'
  /** Seconds. */
  readonly affinityTimeout: number
  readonly externalTrafficPolicy: 'Cluster' | 'Local'
  readonly internalTrafficPolicy: 'Cluster' | 'Local'
  readonly healthCheckNodePort: number | undefined
  /** Empty: every source is allowed. */
  readonly loadBalancerSourceRanges: readonly Prefix[]
  readonly publishNotReadyAddresses: boolean
  /** "PreferClose", "PreferSameZone", "PreferSameNode", or undefined. */
  readonly trafficDistribution: string | undefined
}

export interface ServicePort {
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** A number, or the name of a container port. */
  readonly targetPort: number | string
  readonly nodePort: number | undefined
}

export interface EndpointSliceObject {
  readonly meta: ObjectMeta
  /** Label kubernetes.io/service-name. */
  readonly serviceName: string | undefined
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN'
  /** A port without number means "all ports" and is not load-balanced. */
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number | undefined }[]
  readonly endpoints: readonly EndpointObject[]
}

export interface EndpointObject {
  readonly addresses: readonly Address[]
  /** Absent conditions count as the API says: ready and serving as true, terminating as false. */
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodeName: string | undefined
  readonly zone: string | undefined
  readonly hintZones: readonly string[]
  readonly hintNodes: readonly string[]
  readonly target: { readonly kind: string; readonly namespace: string; readonly name: string } | undefined
}

export interface NetworkPolicyObject {
  readonly meta: ObjectMeta
  readonly podSelector: LabelSelector
  /** After the API's defaulting: Ingress always unless listed otherwise, Egress when there are egress rules. */
  readonly isolatesIngress: boolean
  readonly isolatesEgress: boolean
  readonly ingress: readonly PolicyRule[]
  readonly egress: readonly PolicyRule[]
}

export interface PolicyRule {
  /** Empty: every peer. */
  readonly peers: readonly PolicyPeer[]
  /** Empty: every port. */
  readonly ports: readonly PolicyPort[]
}

export type PolicyPeer =
  | { readonly kind: 'ipBlock'; readonly cidr: Prefix; readonly except: readonly Prefix[] }
  | { readonly kind: 'selector'; readonly pods: LabelSelector | undefined; readonly namespaces: LabelSelector | undefined }
  /** Could not be read: matches nobody, and the problem was reported. */
  | { readonly kind: 'invalid' }

export interface PolicyPort {
  readonly protocol: Protocol
  /** Undefined: every port of the protocol. */
  readonly port: number | string | undefined
  readonly endPort: number | undefined
}

export interface LabelSelector {
  readonly matchLabels: ReadonlyMap<string, string>
  readonly matchExpressions: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values: readonly string[]
  }[]
  /** A requirement that could not be read: the selector matches nothing. */
  readonly invalid: boolean
}

/** k8s.io/apimachinery labels.Selector: NotIn and DoesNotExist also hold when the key is absent. */
export function selects(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  if (selector.invalid) return false
  for (const [key, value] of selector.matchLabels) if (labels.get(key) !== value) return false
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labels.get(key)
    if (operator === 'Exists') return value !== undefined
    if (operator === 'DoesNotExist') return value === undefined
    const listed = value !== undefined && values.includes(value)
    return operator === 'In' ? listed : !listed
  })
}

/** "namespace/name", or the name alone for cluster-scoped objects. */
export function objectKey(meta: Pick<ObjectMeta, 'namespace' | 'name'>): string {
  return meta.namespace === '' ? meta.name : `${meta.namespace}/${meta.name}`
}
