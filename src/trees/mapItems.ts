// SPDX-License-Identifier: Apache-2.0

/** Rows below *Maps*: groups as people think of them, and the maps of each. */

import * as vscode from 'vscode'
import type { MapGroup } from '../../core/ebpf/maps/layout.ts'
import type { MapOverview } from '../../core/overview/maps.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { ClusterItem } from './clusterItem.ts'

type Item<K extends ClusterItem['kind']> = Extract<ClusterItem, { kind: K }>

/** Overviews belong to facts, which never change: made once for each. */
const known = new WeakMap<object, Map<string, readonly MapOverview[]>>()

async function overviewsOf(source: FactSource, node: string): Promise<readonly MapOverview[]> {
  const { current } = source
  const snapshot = current?.cluster.nodes.get(node)
  if (current === undefined || snapshot === undefined) return []
  const byNode = known.get(current) ?? new Map<string, readonly MapOverview[]>()
  known.set(current, byNode)
  const { nodeMapsOverview } = await import('../../core/overview/maps.ts')
  const overviews = byNode.get(node) ?? nodeMapsOverview(current.cluster, current.files, snapshot).maps
  byNode.set(node, overviews)
  return overviews
}

/** "12 of Cilium's · 3 others", and how many are nearly full. */
export async function mapsSummary(source: FactSource, node: string): Promise<string> {
  const overviews = await overviewsOf(source, node)
  const known = overviews.filter(({ map }) => map.title !== undefined || map.unknownVersion).length
  const high = overviews.filter(({ fill }) => fill?.high === true).length
  return [
    ...(known === 0 ? [] : [vscode.l10n.t("{0} of Cilium's", known)]),
    vscode.l10n.t('{0} others', overviews.length - known),
    ...(high === 0 ? [] : [vscode.l10n.t('⚠ {0} nearly full', high)]),
  ].join(' · ')
}

export async function mapGroups(source: FactSource, node: string): Promise<ClusterItem[]> {
  const overviews = await overviewsOf(source, node)
  if (overviews.length === 0) {
    const detail = vscode.l10n.t('the kernel has none, or the snapshot left them out')
    return [{ kind: 'note', source, note: { kind: 'snapshots', text: vscode.l10n.t('No eBPF maps'), detail } }]
  }
  const { MAP_GROUPS } = await import('../../core/ebpf/maps/nodeMaps.ts')
  return MAP_GROUPS.flatMap((group: MapGroup): ClusterItem[] => {
    const maps = overviews.filter(({ map }) => map.group === group)
    return maps.length === 0 ? [] : [{ kind: 'mapGroup', source, node, group, maps }]
  })
}

export function mapItems({ source, node, maps }: Item<'mapGroup'>): ClusterItem[] {
  return maps.map((overview) => ({ kind: 'map', source, node, overview }))
}
