// SPDX-License-Identifier: Apache-2.0

/** Rows below *Interfaces and Hooks*: places, their hooks, and the programs of each in order of execution. */

import * as vscode from 'vscode'
import type { HookPlace } from '../../core/overview/hooks.ts'
import type { FactSource } from '../sources/factSource.ts'
import { type ClusterItem, placeId } from './clusterItem.ts'

type Item<K extends ClusterItem['kind']> = Extract<ClusterItem, { kind: K }>

export async function hookPlaces(source: FactSource, node: string): Promise<ClusterItem[]> {
  return (await placesOf(source, node)).map((place) => ({ kind: 'hookPlace', source, node, place }))
}

/** "12 programs · eth0, cni0, 23 pods" */
export async function hooksSummary(source: FactSource, node: string): Promise<string> {
  const places = await placesOf(source, node)
  const own = places.filter(({ kind, pod, device }) => kind === 'interface' && pod === undefined && device?.netns === 'host')
  const names = own.map(({ name }) => name).filter((name) => name !== 'lo')
  const pods = new Set(places.flatMap(({ pod }) => (pod === undefined ? [] : [`${pod.namespace}/${pod.name}`])))
  const programs = places.flatMap(({ points }) => points.flatMap((point) => point.programs)).length
  const interfaces = names.length > 3 ? [...names.slice(0, 3), '…'] : names
  const parts = [...interfaces, ...(pods.size === 0 ? [] : [vscode.l10n.t('{0} pods', pods.size)])].join(', ')
  return `${vscode.l10n.t('{0} programs', programs)} · ${parts}`
}

async function placesOf(source: FactSource, node: string): Promise<readonly HookPlace[]> {
  const snapshot = source.current?.cluster.nodes.get(node)
  if (snapshot === undefined) return []
  const { nodeHooks } = await import('../../core/overview/hooks.ts')
  return nodeHooks(snapshot)
}

export function hookPoints({ source, node, place }: Item<'hookPlace'>): ClusterItem[] {
  return place.points.map((point) => ({ kind: 'hookPoint', source, node, place, point }))
}

export async function hookPrograms({ source, node, place, point }: Item<'hookPoint'>): Promise<ClusterItem[]> {
  const names = await mapNames(source, node)
  const at = `${placeId({ node, place })}|${point.attach}`
  return point.programs.map((program, index) => ({
    kind: 'program',
    source,
    node,
    at,
    order: index + 1,
    of: point.programs.length,
    program,
    maps: program.mapIds.map((id) => names.get(id) ?? `map ${id}`),
  }))
}

async function mapNames(source: FactSource, node: string): Promise<ReadonlyMap<number, string>> {
  const { current } = source
  if (current === undefined) return new Map()
  const { readNodeMaps } = await import('../../core/ebpf/maps/nodeMaps.ts')
  return new Map(readNodeMaps(current.files, node).maps.map(({ id, name }) => [id, name]))
}
