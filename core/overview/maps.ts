// SPDX-License-Identifier: Apache-2.0

/** A node's eBPF maps as a tree shows them: how full, whose, and which programs use them. */

import type { ClusterFacts } from '../facts/cluster.ts'
import type { FactFiles } from '../facts/files.ts'
import type { NodeSnapshot } from '../facts/snapshot.ts'
import { endpointOf } from '../ebpf/maps/endpoint.ts'
import type { MapNames } from '../ebpf/maps/names.ts'
import { namesOfNode, type NodeMap, readNodeMaps } from '../ebpf/maps/nodeMaps.ts'

export interface MapOverview {
  readonly map: NodeMap
  /** Undefined where nobody counted, or where being full means nothing. */
  readonly fill: Fill | undefined
  /** "pod shop/web", of maps that belong to one endpoint. */
  readonly endpoint: string | undefined
  /** Names of programs that use it, each once. */
  readonly programs: readonly string[]
}

export interface Fill {
  readonly count: number
  /** There are at least so many. */
  readonly atLeast: boolean
  readonly capacity: number
  /** 0 to 1. */
  readonly share: number
  /** New entries fail, or push out old ones, when it is full. */
  readonly high: boolean
}

export interface NodeMapsOverview {
  readonly maps: readonly MapOverview[]
  readonly names: MapNames
  readonly problems: readonly { readonly file: string; readonly reason: string }[]
}

/** From here on one should know. */
export const HIGH_FILL = 0.8

export function nodeMapsOverview(cluster: ClusterFacts, files: FactFiles, snapshot: NodeSnapshot): NodeMapsOverview {
  const { maps, problems } = readNodeMaps(files, snapshot.node)
  const names = namesOfNode(cluster, files, snapshot.node, maps)
  const programs = programsByMap(snapshot)
  return {
    names,
    problems,
    maps: maps.map((map) => ({
      map,
      fill: fillOf(map),
      endpoint: endpointName(map, names),
      programs: [...new Set(programs.get(map.id) ?? [])].sort(),
    })),
  }
}

/** Arrays hold all their entries from the start. */
const ALWAYS_FULL = /array|devmap|cpumap|xskmap|sockmap|ringbuf|struct_ops/

export function fillOf({ contents, maxEntries, type }: NodeMap): Fill | undefined {
  if (contents === undefined || maxEntries === 0 || ALWAYS_FULL.test(type)) return undefined
  const share = contents.count / maxEntries
  return { count: contents.count, atLeast: contents.truncated, capacity: maxEntries, share, high: share >= HIGH_FILL }
}

export function endpointName(map: NodeMap, names: MapNames): string | undefined {
  const endpoint = endpointOf(map)
  if (endpoint === undefined) return undefined
  const pod = names.of('endpoint', endpoint)
  return pod === undefined ? `endpoint ${endpoint}` : `pod ${pod}`
}

function programsByMap(snapshot: NodeSnapshot): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>()
  for (const program of snapshot.shape('bpf/programs.json').items()) {
    const name = program.field('name').text() || `program ${program.field('id').integer()}`
    for (const map of program.field('mapIds').items()) {
      const id = map.integer()
      if (id !== undefined) found.set(id, [...(found.get(id) ?? []), name])
    }
  }
  return found
}
