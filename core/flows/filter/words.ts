// SPDX-License-Identifier: Apache-2.0

import { type Condition, on } from './conditions.ts'
import type { Word } from './filter.ts'
import type { Endpoint, Policy, Service } from '../flow.ts'

/** What Hubble has no filter for: words found in any name or address, and policies that allowed or denied. */
export function wordCondition({ kind, text }: Word): Condition {
  return kind === 'policy' ? policyCondition(text) : anywhereCondition(text)
}

function anywhereCondition(text: string): Condition {
  const part = text.toLowerCase()
  const within = (name: string) => name.toLowerCase().includes(part)
  const inEndpoint = (endpoint: Endpoint | null) =>
    endpoint !== null &&
    (within(`${endpoint.namespace}/${endpoint.podName}`) ||
      within(endpoint.clusterName) ||
      endpoint.workloads.some(({ name }) => within(name)) ||
      endpoint.labels.some(within))
  const inService = (service: Service | null) => service !== null && within(`${service.namespace}/${service.name}`)
  const inNames = (names: readonly string[]) => names.some(within)
  const inPolicies = (policies: readonly Policy[]) => policies.some(({ namespace, name }) => within(`${namespace}/${name}`))
  return {
    kind: 'any',
    of: [
      on('source', inEndpoint),
      on('destination', inEndpoint),
      on('sourceIp', within),
      on('destinationIp', within),
      on('sourceIpXlated', within),
      on('summary', within),
      on('nodeName', within),
      on(
        'class',
        (flow) => within(flow.verdict) || within(flow.dropReasonDesc) || (flow.protocol !== null && within(flow.protocol)),
      ),
      on('interface', (found) => found !== null && within(found.name)),
      on('sourceNames', inNames),
      on('destinationNames', inNames),
      on('sourceService', inService),
      on('destinationService', inService),
      on('l7', (l7) => within(l7?.dns?.query ?? '') || within(l7?.http?.url ?? '')),
      ...onPolicies(inPolicies),
    ],
  }
}

function policyCondition(text: string): Condition {
  const slash = text.indexOf('/')
  const wanted = slash < 0 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) }
  return {
    kind: 'any',
    of: onPolicies((policies) =>
      policies.some(({ namespace, name }) => name === wanted.name && namespace === (wanted.namespace ?? namespace)),
    ),
  }
}

function onPolicies(test: (policies: readonly Policy[]) => boolean): readonly Condition[] {
  return [on('egressAllowedBy', test), on('ingressAllowedBy', test), on('egressDeniedBy', test), on('ingressDeniedBy', test)]
}
