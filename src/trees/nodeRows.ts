// SPDX-License-Identifier: Apache-2.0

/** Rows below a node: what its snapshot holds, at a glance. */

import * as vscode from 'vscode'
import { type NodeOverview, proxyName } from '../../core/overview/nodeOverview.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { ClusterItem, FactRow, FolderKind } from './clusterItem.ts'

export function nodeRows(source: FactSource, node: string, folder: FolderKind | 'node', overview: NodeOverview): ClusterItem[] {
  return rowsOf(folder, overview).map((row, index) => ({ kind: 'fact', source, id: `${node}|${folder}|${index}`, row }))
}

function rowsOf(folder: FolderKind | 'node', overview: NodeOverview): FactRow[] {
  switch (folder) {
    case 'node':
      return [...summary(overview), ...problems(overview)]
    case 'rules':
      return overview.rules.map((rule) => ({
        label: rule.owner === 'unknown' ? vscode.l10n.t('unknown owner') : rule.owner,
        description: vscode.l10n.t('{0} rules · {1}', rule.count, backend(rule.file)),
        tooltip: `${rule.file}:${rule.line}`,
        icon: 'list-ordered',
        warning: rule.owner === 'unknown',
        evidence: { file: rule.file, line: rule.line },
      }))
    default:
      return []
  }
}

function summary(overview: NodeOverview): FactRow[] {
  const rows = [
    fact(vscode.l10n.t('Kernel'), overview.kernelRelease, 'chip'),
    fact(vscode.l10n.t('Services by'), overview.proxies.map(proxyName).join(' + ') || vscode.l10n.t('nobody'), 'type-hierarchy'),
    ...(overview.ciliumUnattended ? [unattended()] : []),
  ]
  const { conntrack } = overview
  if (conntrack !== undefined && conntrack.max > 0) {
    const share = (100 * conntrack.count) / conntrack.max
    const description = vscode.l10n.t(
      '{0} % of {1}',
      share < 1 ? share.toFixed(1) : share.toFixed(0),
      conntrack.max.toLocaleString(),
    )
    rows.push({ ...fact(vscode.l10n.t('Conntrack'), description, 'table'), warning: share > 80 })
  }
  return rows
}

function unattended(): FactRow {
  const description = vscode.l10n.t('not running; its datapath still forwards')
  const tooltip = vscode.l10n.t("Cilium's programs and maps are in place, but its agent doesn't run: nobody updates the maps.")
  return { label: vscode.l10n.t("Cilium's agent"), description, tooltip, icon: 'warning', warning: true }
}

function problems(overview: NodeOverview): FactRow[] {
  return overview.problems.map(({ file, reason }) => ({
    label: file.split('/').slice(2).join('/') || file,
    description: reason,
    tooltip: `${file}: ${reason}`,
    icon: 'warning',
    warning: true,
  }))
}

function fact(label: string, description: string, icon: string): FactRow {
  return { label, description, tooltip: '', icon }
}

function backend(file: string): string {
  const name = file.split('/').at(-1) ?? ''
  if (name === 'nft.txt') return 'nft'
  const [, kind, family] = /^iptables-(legacy|nft)-save\.([46])/.exec(name) ?? []
  return `${family === '6' ? 'ip6tables' : 'iptables'}-${kind ?? ''}`
}
