// SPDX-License-Identifier: Apache-2.0

import type { Endpoint, Flow } from '../../core/flows/flow.ts'

/** What the manifests in lab/workloads say, written down by hand: policies that isolate an endpoint, by direction and label. */
const ISOLATING: Readonly<Record<string, readonly string[]>> = {
  'ingress app=db': ['db-from-web'],
  'ingress app=web': ['web-for-reader', 'web-from-nodes', 'web-ingress'],
  'egress app=web': ['web-ingress'],
  'ingress app=edge': ['edge-not-stranger'],
  'ingress app=inner': ['inner-only-cluster'],
  'ingress app=shelf': ['shelf-by-name', 'shelf-from-outside', 'shelf-not-for-some'],
  'egress role=locked': ['locked-egress'],
  'egress app=reader': ['reader-egress'],
  'ingress app=safe': ['default-deny'],
  'egress app=safe': ['default-deny'],
}

/** Policies that deny outright. */
const DENYING: Readonly<Record<string, readonly string[]>> = {
  'ingress app=edge': ['edge-not-stranger'],
  'ingress app=shelf': ['shelf-not-for-some'],
  'egress app=reader': ['reader-egress'],
}

/** Names of the policies that dropped it; undefined: no manifest says so. */
export function truthOf(flow: Flow): readonly string[] | undefined {
  const direction = flow.trafficDirection === 'EGRESS' ? 'egress' : 'ingress'
  const end: Endpoint | null = direction === 'egress' ? flow.source : flow.destination
  const table = flow.dropReasonDesc === 'POLICY_DENY' ? DENYING : ISOLATING
  const found = Object.entries(table).find(([of]) => {
    const [way, label] = of.split(' ')
    return way === direction && end?.labels.includes(`k8s:${label}`)
  })
  return found?.[1]
}
