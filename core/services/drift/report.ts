// SPDX-License-Identifier: Apache-2.0

import type { Evidence } from '../../path/answer.ts'

/**
 * `plumbline.drift/v1`: where the datapath of a node differs from what the API objects ask for. Plain data: it survives JSON
 * unchanged. Fields may be added within v1; none is removed or changes its meaning.
 */

export const DRIFT_SCHEMA = 'plumbline.drift/v1'

export interface DriftReport {
  readonly schema: typeof DRIFT_SCHEMA
  readonly nodes: readonly NodeDrift[]
}

export interface NodeDrift {
  readonly node: string
  /** Who programs services there: "unknown" where the facts hold neither maps of Cilium nor rules of kube-proxy. */
  readonly datapath: 'cilium' | 'kube-proxy' | 'unknown'
  /** The most severe first. */
  readonly findings: readonly DriftFinding[]
  /** What the objects ask for and was looked for. */
  readonly compared: { readonly frontends: number; readonly backends: number; readonly addresses: number }
  /** What was not looked at, and why: no finding about it means nothing. */
  readonly notCompared: readonly NotCompared[]
}

export interface NotCompared {
  readonly what: string
  readonly reason: string
}

/** error: connections fail, or go where they must not; warning: they may; info: worth knowing. */
export type DriftSeverity = 'error' | 'warning' | 'info'

export const DRIFT_SEVERITIES: readonly DriftSeverity[] = ['error', 'warning', 'info']

export type DriftKind =
  | 'frontend-missing'
  | 'frontend-extra'
  | 'frontend-different'
  | 'backends-different'
  | 'backend-unknown'
  | 'backend-state'
  | 'reverse-nat'
  | 'source-range-missing'
  | 'source-range-extra'
  | 'affinity-match'
  | 'address-missing'
  | 'address-extra'
  | 'identity-different'
  | 'tunnel-different'
  | 'endpoint-missing'
  | 'endpoint-different'

export interface DriftFinding {
  readonly kind: DriftKind
  readonly severity: DriftSeverity
  /** "Service shop/web", "Pod shop/web-0", "Node n2", or the frontend or address itself where no object has it. */
  readonly subject: string
  /** One sentence. */
  readonly text: string
  /** What the objects ask for; null where they ask for nothing. */
  readonly expected: string | null
  /** What the node has; null where it has nothing. */
  readonly programmed: string | null
  /** Objects first, then the entries of maps, or the rules. */
  readonly evidence: readonly Evidence[]
}

/** Most severe first, then by subject and text. */
export function sortFindings(findings: readonly DriftFinding[]): readonly DriftFinding[] {
  const rank = ({ severity }: DriftFinding) => DRIFT_SEVERITIES.indexOf(severity)
  return [...findings].sort((a, b) => rank(a) - rank(b) || compare(a.subject, b.subject) || compare(a.text, b.text))
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Same node, kind, subject and sentence: what two looks at a live cluster have in common. */
export function findingKey(node: string, { kind, subject, text }: DriftFinding): string {
  return JSON.stringify([node, kind, subject, text])
}
