// SPDX-License-Identifier: Apache-2.0

/** A node's row about drift: whether Cilium's maps there are what the cluster's objects ask for. */

import * as vscode from 'vscode'
import type { DriftFinding, NodeDrift } from '../../core/services/drift/report.ts'
import { printable } from '../../core/text/printable.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { FactRow } from './clusterItem.ts'

/** Findings that a tooltip lists. */
const LISTED = 8

/** Pods and services that are compared within the time a row may take: about 0.1 ms each. */
const MOST = 5_000

/** Findings belong to facts, which never change: made once for each. */
const known = new WeakMap<object, Map<string, NodeDrift | undefined>>()

async function driftOfNode(current: NonNullable<FactSource['current']>, node: string): Promise<NodeDrift | undefined> {
  const byNode = known.get(current) ?? new Map<string, NodeDrift | undefined>()
  known.set(current, byNode)
  if (!byNode.has(node)) {
    const { ciliumDriftOf } = await import('../../core/services/drift.ts')
    byNode.set(node, ciliumDriftOf(current.cluster, node))
  }
  return byNode.get(node)
}

/** Undefined where there are no maps of Cilium to compare, or too much to compare while a row is awaited. */
export async function driftRow({ current }: FactSource, node: string): Promise<FactRow | undefined> {
  if (current === undefined) return undefined
  const { pods, services } = current.cluster.objects
  if (pods.size + services.size > MOST) return undefined
  const drift = await driftOfNode(current, node)
  if (drift === undefined) return undefined
  const { findings } = drift
  return {
    label: vscode.l10n.t('Drift'),
    description: summary(drift),
    tooltip: findings.length === 0 ? comparedText(drift) : tooltip(findings),
    icon: 'diff',
    warning: findings.some(({ severity }) => severity !== 'info'),
  }
}

function summary({ findings }: NodeDrift): string {
  if (findings.length === 0) return vscode.l10n.t('none')
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const all = findings.length === 1 ? vscode.l10n.t('1 finding') : vscode.l10n.t('{0} findings', findings.length)
  return errors === 0 || errors === findings.length ? all : `${all} · ${vscode.l10n.t('{0} severe', errors)}`
}

function comparedText({ compared }: NodeDrift): string {
  const { frontends, backends, addresses } = compared
  return vscode.l10n.t(
    "Cilium's maps have what the cluster's objects ask for: {0} frontends, {1} backends and {2} addresses.",
    frontends,
    backends,
    addresses,
  )
}

function tooltip(findings: readonly DriftFinding[]): string {
  const lines = findings.slice(0, LISTED).map(({ subject, text }) => printable(`${subject}: ${text}`))
  const more = findings.length > LISTED ? [vscode.l10n.t('and {0} more', findings.length - LISTED)] : []
  const advice = vscode.l10n.t('The snapshot and the objects may be some time apart: `plumbline drift` looks twice.')
  return [...lines, ...more, advice].join('\n')
}
