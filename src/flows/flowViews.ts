// SPDX-License-Identifier: Apache-2.0

/** Drops and the service map, as the panel shows them. */

import { attributeDrop } from '../../core/flows/attribution/attribution.ts'
import { dropsOf, type DropsOfRule } from '../../core/flows/drops.ts'
import { type MapEnd, serviceMapOf, UNKNOWN_END } from '../../core/flows/serviceMap.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { printable } from '../../core/text/printable.ts'
import type { DropGroup, DropRule, MapOfServices } from '../../protocol/flowsPanel.ts'
import type { FlowsModel } from './flowsModel.ts'
import { endName, policyTitle, portText } from './flowText.ts'

/** A picture of more ends can't be read; a filter makes it a smaller one. */
const MOST_ENDS = 60

export function dropGroups(model: FlowsModel, facts: ClusterFacts | undefined): readonly DropGroup[] {
  return dropsOf(model.store, model.list).map(({ reason, count, rules }) => ({
    reason,
    count,
    rules: rules.flatMap((rule) => dropRule(model, reason, rule, facts) ?? []),
  }))
}

function dropRule(model: FlowsModel, reason: string, rule: DropsOfRule, facts: ClusterFacts | undefined): DropRule | undefined {
  const { policies, direction, end, count, row } = rule
  const flow = model.eventOf(row)?.flow
  if (flow === undefined) return undefined
  const attribution = facts === undefined ? undefined : attributeDrop(facts, flow)
  const who = end === '' ? endName(flow, direction === 'EGRESS' ? 'source' : 'destination') : end
  const way = direction === '' ? '' : `${direction.toLowerCase()} `
  const deciding = policies.length > 0 ? policies : (attribution?.policies ?? [])
  const title =
    deciding.length > 0
      ? deciding.map((policy) => `${policy.kind} ${policyTitle(policy)}`.trim()).join(', ')
      : `${way}${reason.startsWith('POLICY') ? 'policies ' : ''}of ${who}`
  const port = portText(flow.l4)
  return {
    title: printable(title),
    detail: printable(attribution?.text ?? ''),
    count,
    seq: row,
    from: printable(endName(flow, 'source')),
    to: printable(`${endName(flow, 'destination')}${port === '' ? '' : ` ${port}`}`),
    filter: [
      'verdict:dropped',
      `reason:${reason}`,
      ...(end === '' ? [] : [`${direction === 'EGRESS' ? 'from' : 'to'}:${end}`]),
    ].join(' '),
    hasPolicy: policies.length > 0 || (attribution?.policies.some(({ evidence }) => evidence !== null) ?? false),
  }
}

export function mapOfServices(model: FlowsModel): MapOfServices {
  const { ends, lines, left } = serviceMapOf(model.store, model.list, MOST_ENDS)
  const byId = new Map(ends.map((end) => [end.id, end]))
  const asked = (key: 'from' | 'to', id: string) => {
    const end = byId.get(id)
    return end === undefined || end.name === UNKNOWN_END ? [] : [`${key}:${placeWord(end)}`]
  }
  return {
    nodes: ends.map((end) => ({ ...end, filter: end.namespace === '' ? `label:reserved:${end.name}` : `pod:${placeWord(end)}` })),
    edges: lines.map((line) => ({ ...line, filter: [...asked('from', line.from), ...asked('to', line.to)].join(' ') })),
    left,
  }
}

/** An end as the filter box knows it. */
function placeWord({ namespace, name }: MapEnd): string {
  return namespace === '' ? name : `${namespace}/${name}`
}
