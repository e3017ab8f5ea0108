// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { PlumblineError, quoted } from '../../cluster/errors.ts'
import type { MapNames } from '../../core/ebpf/maps/names.ts'
import type { NodeMap } from '../../core/ebpf/maps/nodeMaps.ts'
import type { Facts, FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'

/** How old names may be when somebody reads a map anew, milliseconds. */
const NAMES_AGE_MS = 10_000

/** A map somebody wants to see, with the facts that give its numbers names. */
export interface OpenedMap {
  /** The same for the same map of the same node, also after a restart of VS Code. */
  readonly id: string
  readonly source: FactSource
  /** Where the facts come from, for people. */
  readonly from: string
  readonly facts: Facts
  readonly node: string
  readonly map: NodeMap
  readonly names: MapNames
  /** The pod whose endpoint the map belongs to. */
  readonly endpoint: string | undefined
}

export interface MapPlace {
  readonly sourceId: string
  readonly node: string
  /** Pinned name, path or id. */
  readonly map: string
}

export function mapId({ sourceId, node, map }: MapPlace): string {
  return JSON.stringify([sourceId, node, map])
}

/** Undefined for anything but what `mapId` made. */
export function parseMapId(id: unknown): MapPlace | undefined {
  try {
    const parts: unknown = typeof id === 'string' ? JSON.parse(id) : undefined
    if (!Array.isArray(parts)) return undefined
    const [sourceId, node, map] = parts as unknown[]
    return typeof sourceId === 'string' && typeof node === 'string' && typeof map === 'string'
      ? { sourceId, node, map }
      : undefined
  } catch {
    return undefined
  }
}

/** Finds a map among a node's facts, which are collected when they are not at hand. */
export async function openMap(source: FactSource, node: string, name: string): Promise<OpenedMap> {
  const hasNode = source.current?.cluster.nodes.has(node) === true
  const facts = hasNode && source.current ? source.current : await source.facts({ nodes: [node] })
  const { endpointName } = await import('../../core/overview/maps.ts')
  const { namesOfNode, readNodeMaps } = await import('../../core/ebpf/maps/nodeMaps.ts')
  const { maps } = readNodeMaps(facts.files, node)
  const fitting = maps.filter((each) => each.path === name || each.name === name || String(each.id) === name)
  const map = fitting.find(({ path }) => path !== undefined) ?? fitting[0]
  if (map === undefined)
    throw new PlumblineError('not-found', vscode.l10n.t('There is no map {0} on {1}.', quoted(name), quoted(node)))
  const names = namesOfNode(facts.cluster, facts.files, node, maps)
  const kind = source instanceof LiveSource ? vscode.l10n.t('live') : vscode.l10n.t('bundle')
  return {
    id: mapId({ sourceId: source.id, node, map: map.path ?? String(map.id) }),
    source,
    from: `${source.name} (${kind})`,
    facts,
    node,
    map,
    names,
    endpoint: endpointName(map, names),
  }
}

/** The same map with names of what the cluster has by now. What can't be collected leaves the old names. */
export async function withNewNames(opened: OpenedMap): Promise<OpenedMap> {
  const { source, node } = opened
  if (!(source instanceof LiveSource)) return opened
  const { namesOfNode, readNodeMaps } = await import('../../core/ebpf/maps/nodeMaps.ts')
  try {
    const facts = await source.facts({ nodes: [node], maxAge: NAMES_AGE_MS })
    const { maps } = readNodeMaps(facts.files, node)
    return { ...opened, facts, names: namesOfNode(facts.cluster, facts.files, node, maps) }
  } catch {
    // The reading that follows tells what is wrong with the connection.
    return opened
  }
}
