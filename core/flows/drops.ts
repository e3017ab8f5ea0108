// SPDX-License-Identifier: Apache-2.0

import type { Policy } from './flow.ts'
import { isBadByClass, type RowList } from './rate.ts'
import { workloadsOf } from './serviceMap.ts'
import type { FlowStore } from './store/store.ts'

/** Dropped flows of one reason. */
export interface DropsOfReason {
  /** "POLICY_DENIED"; as Hubble names it. */
  readonly reason: string
  readonly count: number
  readonly rules: readonly DropsOfRule[]
}

/** Those of them on which the same policies decided, about the same end. */
export interface DropsOfRule {
  /** Policies that Hubble names. */
  readonly policies: readonly Policy[]
  /** "INGRESS", "EGRESS", or empty. */
  readonly direction: string
  /** Name of the workload or pod whose policies they are: `namespace/name`; of the receiver, where none is known. */
  readonly end: string
  readonly count: number
  /** The newest of them; of those in which the policies are named, if they are in any. */
  readonly row: number
}

interface Counted {
  readonly reason: string
  readonly policies: readonly Policy[]
  readonly direction: string
  readonly end: string
  count: number
  row: number
}

const DIRECTIONS: Readonly<Record<string, string>> = { INGRESS: 'INGRESS', EGRESS: 'EGRESS' }

/** Dropped flows by reason, then by what decided; the most frequent first. */
export function dropsOf(store: FlowStore, rows: RowList): readonly DropsOfReason[] {
  const rules = withoutNamelessTwins(merged(countDrops(store, rows)))
  const byReason = new Map<string, Counted[]>()
  for (const rule of rules) byReason.set(rule.reason, [...(byReason.get(rule.reason) ?? []), rule])
  return [...byReason]
    .map(([reason, own]) => ({
      reason,
      count: own.reduce((sum, { count }) => sum + count, 0),
      rules: own.map(({ policies, direction, end, count, row }) => ({ policies, direction, end, count, row })).sort(mostFirst),
    }))
    .sort(mostFirst)
}

function merged(counted: readonly Counted[]): readonly Counted[] {
  const byKey = new Map<string, Counted>()
  for (const each of counted) {
    const policies = each.policies.map(({ kind, namespace, name }) => [kind, namespace, name])
    const key = JSON.stringify([each.reason, policies, each.direction, each.end])
    const known = byKey.get(key)
    if (known === undefined) byKey.set(key, each)
    else {
      known.count += each.count
      known.row = Math.max(known.row, each.row)
    }
  }
  return [...byKey.values()]
}

/**
 * Cilium tells twice of a packet that a policy drops, and names the policy in the verdict alone. Where one policy is named, it is
 * the one that the other events are about.
 */
function withoutNamelessTwins(rules: readonly Counted[]): readonly Counted[] {
  return rules.filter((rule) => {
    if (rule.policies.length > 0) return true
    const named = rules.filter(
      ({ reason, direction, end, policies }) =>
        policies.length > 0 && reason === rule.reason && direction === rule.direction && end === rule.end,
    )
    const [only] = named
    if (only === undefined || named.length > 1) return true
    only.count += rule.count
    return false
  })
}

/** Counts by the numbers that rows hold; what they mean is looked up once each. */
function countDrops(store: FlowStore, rows: RowList): readonly Counted[] {
  const { numbers } = store.columns
  const { dictionaries: d, first, capacity } = store
  const bad = isBadByClass(store)
  const workloads = workloadsOf(store)
  const byNumbers = new Map<string, Counted>()
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as number
    const slot = row % capacity
    const kind = numbers.class[slot] ?? 0
    if (row < first || bad[kind] !== 1) continue
    const [source, destination, ingress, egress] = [
      numbers.source[slot] ?? 0,
      numbers.destination[slot] ?? 0,
      numbers.ingressDeniedBy[slot] ?? 0,
      numbers.egressDeniedBy[slot] ?? 0,
    ]
    const key = `${kind} ${source} ${destination} ${ingress} ${egress}`
    const known = byNumbers.get(key)
    if (known !== undefined) {
      known.count++
      known.row = row
      continue
    }
    const flow = d.classes.get(kind)
    const direction = DIRECTIONS[flow?.trafficDirection ?? ''] ?? ''
    const end = d.endpoints.get(direction === 'EGRESS' ? source : destination) ?? null
    byNumbers.set(key, {
      reason: flow === undefined ? '' : reasonOf(flow),
      policies: [...(d.policies.get(ingress) ?? []), ...(d.policies.get(egress) ?? [])],
      direction,
      end:
        end === null || end.namespace === ''
          ? ''
          : `${end.namespace}/${workloads.get(`${end.namespace}/${end.podName}`) ?? end.podName}`,
      count: 1,
      row,
    })
  }
  return [...byNumbers.values()]
}

function reasonOf({
  dropReasonDesc,
  dropReason,
  verdict,
}: {
  readonly dropReasonDesc: string
  readonly dropReason: number
  readonly verdict: string
}): string {
  if (dropReasonDesc !== 'DROP_REASON_UNKNOWN') return dropReasonDesc
  return dropReason === 0 ? verdict : `reason ${dropReason}`
}

function mostFirst(a: { readonly count: number }, b: { readonly count: number }): number {
  return b.count - a.count
}
