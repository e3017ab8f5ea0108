// SPDX-License-Identifier: Apache-2.0

import { objectKey, type PodObject } from '../facts/objects.ts'
import type { ClusterObjects } from '../facts/objectsIndex.ts'
import { type Address, formatAddress, parseAddress } from '../net/address.ts'
import { IPPROTO } from '../net/packet.ts'
import type { Endpoint, Flow } from './flow.ts'

/** The packet that a flow is about. */
export interface FlowPacket {
  readonly source: Address
  readonly destination: Address
  /** IP protocol number. */
  readonly protocol: number
  readonly sourcePort: number | undefined
  readonly destinationPort: number | undefined
  readonly icmpType: number | undefined
}

/** Undefined: the flow has no addresses, or a protocol nobody can tell. */
export function flowPacket({ ip, l4 }: Flow): FlowPacket | undefined {
  const source = parseAddress(ip?.source ?? '')
  const destination = parseAddress(ip?.destination ?? '')
  if (source === undefined || destination === undefined || l4 === null) return undefined
  const ends = { source, destination, sourcePort: undefined, destinationPort: undefined, icmpType: undefined }
  for (const [protocol, ports] of [
    [IPPROTO.tcp, l4.tcp],
    [IPPROTO.udp, l4.udp],
    [IPPROTO.sctp, l4.sctp],
  ] as const) {
    if (ports !== null) return { ...ends, protocol, sourcePort: ports.sourcePort, destinationPort: ports.destinationPort }
  }
  if (l4.icmpv4 !== null) return { ...ends, protocol: IPPROTO.icmp, icmpType: l4.icmpv4.type }
  return l4.icmpv6 === null ? undefined : { ...ends, protocol: IPPROTO.icmpv6, icmpType: l4.icmpv6.type }
}

/**
 * The pod at one end. One that took over the address since is another pod: where Hubble names the pod, that name counts.
 * Undefined also for a pod in its node's network.
 */
export function flowPod(objects: ClusterObjects, end: Endpoint | null, address: Address): PodObject | undefined {
  if (end === null || end.podName === '') return objects.podAt(address)
  const pod = objects.pods.get(objectKey({ namespace: end.namespace, name: end.podName }))
  return pod?.podIPs.some((own) => formatAddress(own) === formatAddress(address)) && !pod.hostNetwork ? pod : undefined
}

/**
 * A pod as its flow tells of it, for questions to policies after the pod is gone. Its container ports are those of a pod with the same
 * labels. Undefined: it was no pod.
 */
export function pastPod(objects: ClusterObjects, end: Endpoint | null, address: Address): PodObject | undefined {
  if (end === null || end.podName === '') return undefined
  const { namespace, podName: name } = end
  const labels = new Map([...flowLabels(end)].filter(([key]) => !key.startsWith('io.cilium.k8s.')))
  labels.delete('io.kubernetes.pod.namespace')
  const sibling = [...objects.pods.values()].find(
    ({ meta }) => meta.namespace === namespace && [...labels].every(([key, value]) => meta.labels.get(key) === value),
  )
  const source = { file: '', pointer: '' }
  const none = { uid: '', annotations: new Map<string, string>(), deletionTimestamp: undefined, owner: undefined, source }
  return {
    meta: { apiVersion: 'v1', kind: 'Pod', namespace, name, labels, ...none },
    nodeName: undefined,
    hostNetwork: false,
    phase: 'Unknown',
    ready: false,
    podIPs: [address],
    hostIPs: [],
    ports: sibling?.ports ?? [],
  }
}

/** Name of the node that saw it, without the cluster's. */
export function flowNode({ nodeName }: Flow): string {
  return nodeName.slice(nodeName.lastIndexOf('/') + 1)
}

/** Labels of an identity without their sources: "k8s:app=web" is app → web. */
export function flowLabels({ labels }: Endpoint): ReadonlyMap<string, string> {
  return new Map(
    labels.map((label) => {
      const [, key = '', value = ''] = /^(?:[^:=]*:)?([^=]*)=?(.*)$/.exec(label) ?? []
      return [key, value] as const
    }),
  )
}
