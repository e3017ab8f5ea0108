// SPDX-License-Identifier: Apache-2.0

import { attributeDrop } from '../../core/flows/attribution/attribution.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import type { Endpoint, Flow, Policy, Service } from '../../core/flows/flow.ts'
import { flowNode, flowPacket } from '../../core/flows/flowPacket.ts'
import { formatTimestamp } from '../../core/flows/time.ts'
import { printable } from '../../core/text/printable.ts'
import type { FilterPart, FlowDetails, FlowEnd } from '../../protocol/flowsPanel.ts'
import { endName, policyTitle, portText, reservedName, seenAt, summaryText } from './flowText.ts'

type Pair = readonly [name: string, value: string]

/** All of a flow. With facts of its cluster, also who dropped it. */
export function flowDetails(seq: number, flow: Flow, facts: ClusterFacts | undefined): FlowDetails {
  const from = endName(flow, 'source')
  const to = endName(flow, 'destination')
  const attribution = facts === undefined ? undefined : attributeDrop(facts, flow)
  return {
    seq,
    uuid: flow.uuid,
    title: printable(`${from} → ${to}${portText(flow.l4) === '' ? '' : ` ${portText(flow.l4)}`}`),
    verdict: flow.verdict,
    attribution: attribution === undefined ? null : { text: attribution.text, remedy: attribution.remedy },
    policies: policiesOf(flow),
    ends: [endOf(flow, 'from'), endOf(flow, 'to')],
    fields: fieldsOf(flow).filter(([, value]) => value !== ''),
    filters: filtersOf(flow),
    canTrace: flowPacket(flow) !== undefined,
    hasPolicy: policyOf(flow) !== undefined || (attribution?.policies.some(({ evidence }) => evidence !== null) ?? false),
  }
}

/** The policy that decided, by Hubble's own account: one that denied before one that allowed. */
export function policyOf(flow: Flow): Policy | undefined {
  const all = [...flow.ingressDeniedBy, ...flow.egressDeniedBy, ...flow.ingressAllowedBy, ...flow.egressAllowedBy]
  return all.find(({ name }) => name !== '')
}

function policiesOf(flow: Flow): FlowDetails['policies'] {
  const of = (policies: readonly Policy[], direction: string, effect: 'allowed' | 'denied') =>
    policies.map((policy) => ({ title: `${policy.kind} ${policyTitle(policy)}`.trim(), direction, effect }))
  return [
    ...of(flow.egressDeniedBy, 'egress', 'denied'),
    ...of(flow.ingressDeniedBy, 'ingress', 'denied'),
    ...of(flow.egressAllowedBy, 'egress', 'allowed'),
    ...of(flow.ingressAllowedBy, 'ingress', 'allowed'),
  ]
}

function endOf(flow: Flow, role: FlowEnd['role']): FlowEnd {
  const end = role === 'from' ? 'source' : 'destination'
  const endpoint = flow[end]
  const ports = flow.l4?.tcp ?? flow.l4?.udp ?? flow.l4?.sctp
  const port = end === 'source' ? ports?.sourcePort : ports?.destinationPort
  const translated = end === 'source' ? (flow.ip?.sourceXlated ?? '') : ''
  const facts: readonly Pair[] = [
    ['port', port === undefined ? '' : String(port)],
    ['sent as', translated],
    ['service', serviceName(flow[`${end}Service`])],
    ['workload', (endpoint?.workloads ?? []).map(({ kind, name }) => `${kind} ${name}`).join(', ')],
    ['names', flow[`${end}Names`].join(', ')],
    ['identity', identityText(endpoint)],
    ['endpoint', endpoint === null || endpoint.id === 0 ? '' : String(endpoint.id)],
    ['cluster', endpoint?.clusterName ?? ''],
  ]
  return { role, name: printable(endName(flow, end)), address: flow.ip?.[end] ?? '', facts, labels: endpoint?.labels ?? [] }
}

function serviceName(service: Service | null): string {
  return service === null || service.name === '' ? '' : `${service.namespace}/${service.name}`
}

function identityText(endpoint: Endpoint | null): string {
  if (endpoint === null || endpoint.identity === 0) return ''
  const name = reservedName(endpoint)
  return name === undefined ? String(endpoint.identity) : `${endpoint.identity} (${name})`
}

function fieldsOf(flow: Flow): readonly Pair[] {
  const { l4, ip, interface: link, file, eventType } = flow
  const isReply = flow.isReply === null ? 'Hubble can’t tell' : flow.isReply ? 'yes' : 'no'
  return [
    ['time', flow.time === null ? '' : formatTimestamp(flow.time)],
    ['node', flowNode(flow)],
    ['summary', summaryText(flow)],
    ['drop reason', flow.dropReason === 0 ? '' : `${flow.dropReasonDesc} (${flow.dropReason})`],
    ['direction', known(flow.trafficDirection, 'TRAFFIC_DIRECTION_UNKNOWN').toLowerCase()],
    ['reply', isReply],
    ['seen at', seenAt(flow)],
    ['connection', known(flow.traceReason, 'TRACE_REASON_UNKNOWN').toLowerCase()],
    ['interface', link === null ? '' : `${link.name} (${link.index})`],
    ['IP version', known(ip?.ipVersion ?? '', 'IP_NOT_USED')],
    ['encrypted', ip?.encrypted ? 'yes' : ''],
    ['TCP flags', l4?.tcp?.flags ? summaryText({ ...flow, l7: null }).replace(/^TCP /, '') : ''],
    ['HTTP headers', (flow.l7?.http?.headers ?? []).map(({ key, value }) => `${key}: ${value}`).join('; ')],
    [
      'tunnel',
      flow.tunnel === null
        ? ''
        : `${flow.tunnel.protocol} ${flow.tunnel.ip?.source ?? ''} → ${flow.tunnel.ip?.destination ?? ''}`,
    ],
    ['ethernet', flow.ethernet === null ? '' : `${flow.ethernet.source} → ${flow.ethernet.destination}`],
    ['proxy port', flow.proxyPort === 0 ? '' : String(flow.proxyPort)],
    ['auth', known(flow.authType, 'DISABLED')],
    ['dropped in', file === null ? '' : `${file.name}:${file.line}`],
    ['socket translation', known(flow.sockXlatePoint, 'SOCK_XLATE_POINT_UNKNOWN').toLowerCase()],
    ['trace context', flow.traceContext?.parent?.traceId ?? ''],
    ['policy log', flow.policyLog.join('; ')],
    ['type', known(flow.type, 'UNKNOWN_TYPE')],
    ['event type', eventType === null ? '' : `${eventType.type}/${eventType.subType}`],
    ['uuid', flow.uuid],
  ]
}

function known(name: string, unknown: string): string {
  return name === unknown ? '' : name
}

/** Filters that show more like it. */
export function filtersOf(flow: Flow): readonly FilterPart[] {
  const ports = flow.l4?.tcp ?? flow.l4?.udp ?? flow.l4?.sctp
  const node = flowNode(flow)
  const parts: readonly FilterPart[] = [
    ...filtersOfEnd(flow, 'source', 'from'),
    ...filtersOfEnd(flow, 'destination', 'to'),
    ...(ports ? [{ about: 'port', column: 'port' as const, text: `port:${ports.destinationPort}` }] : []),
    { about: 'verdict', column: 'verdict', text: `verdict:${flow.verdict.toLowerCase()}` },
    ...(flow.dropReason === 0 ? [] : [{ about: 'reason', column: 'reason' as const, text: `reason:${flow.dropReasonDesc}` }]),
    ...(node === '' ? [] : [{ about: 'node', column: 'node' as const, text: `node:${node}` }]),
  ]
  return parts.filter(({ text }, index) => parts.findIndex((other) => other.text === text) === index)
}

function filtersOfEnd(flow: Flow, end: 'source' | 'destination', column: 'from' | 'to'): readonly FilterPart[] {
  const endpoint = flow[end]
  const address = flow.ip?.[end] ?? ''
  if (endpoint === null || endpoint.podName === '') {
    return address === '' ? [] : [{ about: 'address', column, text: `ip:${address}` }]
  }
  return [
    { about: 'pod', column, text: `pod:${endpoint.namespace}/${endpoint.podName}` },
    { about: 'namespace', column, text: `ns:${endpoint.namespace}` },
  ]
}
