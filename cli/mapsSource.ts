// SPDX-License-Identifier: Apache-2.0

import { type NodeMap, readNodeMaps } from '../core/ebpf/maps/nodeMaps.ts'
import { type ClusterFacts, loadCluster } from '../core/facts/cluster.ts'
import type { FactFiles } from '../core/facts/files.ts'
import { didYouMean } from '../core/text/suggest.ts'
import { CliError, EXIT, UsageError } from './errors.ts'
import type { NodeListing } from './mapsOutput.ts'

/** Snapshots of the maps of some nodes, and what they are asked for. */
export interface MapFacts {
  readonly files: FactFiles
  readonly cluster: ClusterFacts
  readonly nodes: readonly NodeListing[]
}

export interface ChosenMap {
  readonly node: string
  readonly map: NodeMap
  /** All maps of its node. */
  readonly maps: readonly NodeMap[]
}

/** One map, or all of some nodes. */
export type Choice = { readonly chosen: ChosenMap } | { readonly listed: readonly NodeListing[] }

export function mapFacts(files: FactFiles, say: (message: string) => void): MapFacts {
  const cluster = loadCluster(files)
  const nodes = [...cluster.nodes.keys()].map((node) => {
    const { maps, problems } = readNodeMaps(files, node)
    for (const { file, reason } of problems) say(`Incomplete: ${file}: ${reason}`)
    return { node, maps }
  })
  return { files, cluster, nodes }
}

/** What `[NODE] [MAP]` mean: one word alone is a node if there is one of that name, else a map. */
export function chooseMap({ nodes, files }: MapFacts, words: readonly string[]): Choice {
  const names = nodes.map(({ node }) => node)
  if (nodes.every(({ maps }) => maps.length === 0)) {
    throw new CliError(EXIT.facts, `${files.name}: no node's eBPF maps are among the facts (nodes/NODE/bpf/maps.json)`)
  }
  const [first, second] = words
  if (first === undefined) return { listed: nodes }
  const named = nodes.filter(({ node }) => node === first)
  if (second === undefined && named.length > 0) return { listed: named }
  if (second === undefined) return { chosen: only(first, candidates(nodes, first), names, nodes) }
  if (named.length === 0)
    throw new CliError(
      EXIT.facts,
      `there is no snapshot of node \`${first}\`${didYouMean(first, names)}; there are: ${names.join(', ')}`,
    )
  return { chosen: only(second, candidates(named, second), names, named) }
}

/** A map is named by its pinned name, its path, or its id. Those that are pinned come before others that the kernel calls the same. */
function candidates(nodes: readonly NodeListing[], word: string): readonly ChosenMap[] {
  const all = matches(nodes, word)
  const pinned = all.filter(({ map }) => map.path !== undefined)
  return pinned.length > 0 ? pinned : all
}

function matches(nodes: readonly NodeListing[], word: string): readonly ChosenMap[] {
  return nodes.flatMap(({ node, maps }) =>
    maps.filter((map) => map.name === word || map.path === word || String(map.id) === word).map((map) => ({ node, map, maps })),
  )
}

function only(word: string, found: readonly ChosenMap[], names: readonly string[], nodes: readonly NodeListing[]): ChosenMap {
  const [first, another] = found
  if (first === undefined) {
    const known = [...new Set(nodes.flatMap(({ maps }) => maps.map(({ name }) => name)))]
    throw new CliError(EXIT.facts, `there is no map \`${word}\`${didYouMean(word, [...known, ...names])}`)
  }
  if (another === undefined) return first
  const places = found.map(({ node, map }) => `${node} (id ${map.id})`).join(', ')
  if (another.node !== first.node) throw new UsageError(`\`${word}\` is on several nodes; say which one: ${places}`)
  throw new UsageError(`several maps are called \`${word}\`; name one by its id: ${places}`)
}
