// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { App } from '../app.ts'
import { askable, pickSource } from '../pickSource.ts'
import type { FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import type { ClusterItem } from '../trees/clusterItem.ts'
import type { MapPanel } from './mapPanel.ts'

export async function openMapOf(app: App, item: ClusterItem | undefined): Promise<MapPanel | undefined> {
  const place = await placeOf(app, item)
  return place && app.maps.open(place.source, place.node, place.map)
}

export async function watchMapOf(app: App, item: ClusterItem | undefined): Promise<void> {
  const panel = await openMapOf(app, item)
  await panel?.loaded
  panel?.watch('on')
}

export async function exportMap(app: App, item: ClusterItem | undefined): Promise<void> {
  const format = await vscode.window.showQuickPick(
    [
      {
        label: 'JSON',
        detail: vscode.l10n.t('as the command line prints it, with names and raw bytes'),
        format: 'json' as const,
      },
      { label: 'CSV', detail: vscode.l10n.t('a table, with names beside numbers and addresses'), format: 'csv' as const },
    ],
    { title: vscode.l10n.t('Export as') },
  )
  const panel = format && (await openMapOf(app, item))
  if (format === undefined || panel === undefined) return
  await panel.loaded
  await panel.export(format.format, 'shown')
}

interface Place {
  readonly source: FactSource
  readonly node: string
  readonly map: string
}

async function placeOf(app: App, item: ClusterItem | undefined): Promise<Place | undefined> {
  if (item?.kind === 'map') {
    const { map } = item.overview
    return { source: item.source, node: item.node, map: map.path ?? String(map.id) }
  }
  const source = item?.source ?? (await pickSource(askable(app.sources), vscode.l10n.t('A map of which cluster?')))
  const node = source && (await pickNode(source))
  const map = source && node && (await pickMap(source, node))
  return source && node && map ? { source, node, map } : undefined
}

async function pickNode(source: FactSource): Promise<string | undefined> {
  const nodes =
    source instanceof LiveSource
      ? source.agents.filter(({ ready }) => ready).map(({ node }) => node)
      : [...(source.current?.cluster.nodes.keys() ?? [])]
  return nodes.length === 1
    ? nodes[0]
    : vscode.window.showQuickPick(nodes.sort(), { title: vscode.l10n.t('A map of which node?') })
}

async function pickMap(source: FactSource, node: string): Promise<string | undefined> {
  const facts = source.current?.cluster.nodes.has(node) ? source.current : await source.facts({ nodes: [node] })
  const { readNodeMaps } = await import('../../core/ebpf/maps/nodeMaps.ts')
  const items = readNodeMaps(facts.files, node).maps.map(({ id, name, path, title, type }) => ({
    label: name === '' ? vscode.l10n.t('map {0}', id) : name,
    description: title ?? type,
    map: path ?? String(id),
  }))
  return (await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Which map?'), matchOnDescription: true }))?.map
}
