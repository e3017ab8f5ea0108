// SPDX-License-Identifier: Apache-2.0

import type { Term } from '../../ebpf/cilium/ciliumPolicy.ts'
import { isWorld } from '../../ebpf/cilium/identity.ts'
import type { OriginQuery } from '../../ebpf/cilium/origin.ts'
import { type LabelSelector, objectKey, type PolicyPeer, type PolicyPort } from '../../facts/objects.ts'
import { parseSelector } from '../../facts/objectsParse.ts'
import type { Shape } from '../../facts/objectsShape.ts'
import { formatAddress } from '../../net/address.ts'
import { formatPrefix } from '../../net/prefix.ts'
import { protocolName } from '../../path/resolve.ts'

/** What rules of policies ask for, and what a flow has, in words. */

const COMMON_LABELS = /^(io\.cilium\.k8s\.|io\.kubernetes\.pod\.namespace)/

/** A question to policies about a flow. */
export interface FlowRuleQuery extends OriginQuery {
  /** What Cilium calls a peer that is no pod: "remote-node", "kube-apiserver". */
  readonly entities: readonly string[]
}

/** "pod shop/client-n1 (app=client)", "10.200.0.100, outside the cluster", "10.200.0.12 (remote-node)" */
export function peerText(query: FlowRuleQuery): string {
  const { peer, peerPod, peerLabels, peerIdentity, entities } = query
  const address = formatAddress(peer)
  if (isStranger(query)) return `${address}, outside the cluster to this node`
  if (peerLabels === undefined) {
    if (isWorld(peerIdentity)) return `${address}, outside the cluster`
    return `${address} (${entities.join(', ') || `identity ${peerIdentity}`})`
  }
  const labels = [...peerLabels].filter(([key]) => !COMMON_LABELS.test(key)).map(([key, value]) => labelText(key, value))
  const known = labels.length === 0 ? `identity ${peerIdentity}` : labels.sort().join(',')
  const namespace = peerLabels.get('io.kubernetes.pod.namespace') ?? ''
  return peerPod === undefined ? `${address} (${known}, namespace ${namespace})` : `pod ${objectKey(peerPod.meta)} (${known})`
}

/** A pod that this node's Cilium doesn't know to be one, as those of nodes without Cilium: no label matches it. */
export function isStranger({ peerPod, peerIdentity }: OriginQuery): boolean {
  return peerPod !== undefined && isWorld(peerIdentity)
}

/** "5432/TCP", "ICMP type 8" */
export function portText({ protocol, port, icmpType }: Pick<OriginQuery, 'protocol' | 'port' | 'icmpType'>): string {
  const name = protocolName(protocol)
  if (port !== undefined) return `${port}/${name}`
  return icmpType === undefined ? name : `${name} type ${icmpType}`
}

export function askedByPeer(peer: PolicyPeer): string {
  if (peer.kind === 'invalid') return 'nobody, because it can not be read'
  if (peer.kind === 'ipBlock') return cidrText(formatPrefix(peer.cidr), peer.except.map(formatPrefix))
  const pods = peer.pods === undefined ? 'any pod' : `pods with ${selectorText(peer.pods)}`
  const where =
    peer.namespaces === undefined ? "of the policy's namespace" : `of namespaces with ${selectorText(peer.namespaces)}`
  return `${pods} ${where}`
}

export function portAsked({ protocol, port, endPort }: PolicyPort): string {
  if (port === undefined) return `any ${protocol} port`
  return `${port}${endPort === undefined ? '' : `–${endPort}`}/${protocol}`
}

/** A peer of a rule of Cilium's. */
export function askedByTerm({ kind, field, value }: Term): string {
  if (kind === field) return value.items().length === 0 ? 'nobody, because the list is empty' : kind
  if (kind.endsWith('Endpoints')) return `endpoints with ${selectorText(parseSelector(value))}`
  if (kind.endsWith('Entities')) return `entity ${value.text() ?? ''}`
  if (kind.endsWith('CIDR')) return cidrText(value.text() ?? '', [])
  return cidrText(value.field('cidr').text() ?? 'a group of CIDRs', value.field('except').texts())
}

/** A port, or ICMP type, of a rule of Cilium's. */
export function askedPort({ kind, value }: Term): string {
  if (kind === 'icmps') return `${value.field('family').text() === 'IPv6' ? 'ICMPv6' : 'ICMP'} type ${value.field('type').value}`
  const protocol = value.field('protocol').text() ?? 'ANY'
  return `${value.field('port').text() ?? 'any port'}${rangeEnd(value)}${protocol === 'ANY' ? '' : `/${protocol}`}`
}

function rangeEnd(port: Shape): string {
  const end = port.field('endPort').integer()
  return end === undefined || end === 0 ? '' : `–${end}`
}

/** CIDRs mean addresses outside of the cluster, to Cilium. */
function cidrText(cidr: string, except: readonly string[]): string {
  return `addresses outside the cluster in ${cidr}${except.length === 0 ? '' : `, except ${except.join(', ')}`}`
}

function selectorText({ matchLabels, matchExpressions, invalid }: LabelSelector): string {
  if (invalid) return 'a selector that can not be read'
  const labels = [...matchLabels].map(([key, value]) => labelText(key, value))
  const expressions = matchExpressions.map(({ key, operator, values }) => {
    if (operator === 'Exists') return key
    if (operator === 'DoesNotExist') return `!${key}`
    return `${key} ${operator === 'In' ? 'in' : 'not in'} (${values.join(', ')})`
  })
  const all = [...labels, ...expressions]
  return all.length === 0 ? 'any labels' : all.join(',')
}

function labelText(key: string, value: string): string {
  return value === '' ? key : `${key}=${value}`
}
