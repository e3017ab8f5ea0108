// SPDX-License-Identifier: Apache-2.0

import { namesOfNode, readNodeMaps } from '../ebpf/maps/nodeMaps.ts'
import type { ClusterFacts } from '../facts/cluster.ts'
import type { FactFiles } from '../facts/files.ts'
import type { NodeSnapshot } from '../facts/snapshot.ts'
import { FIND_GROUPS, type Found, type FindSink } from './found.ts'
import { findInMap } from './maps.ts'
import { findInNetns } from './netns.ts'
import { findInObjects } from './objects.ts'
import { findInRules } from './rules.ts'
import type { Wanted } from './wanted.ts'

export interface FindAnswer {
  /** By group; within one, itself before networks it is in, the smallest first. */
  readonly found: readonly Found[]
  /** Networks of everything ("0.0.0.0/0") that were left out: they tell nothing about one address. */
  readonly everything: number
  /** There was more than is kept. */
  readonly truncated: boolean
  /** Nodes whose snapshots were searched. */
  readonly nodes: readonly string[]
  /** What could not be searched, and why. */
  readonly gaps: readonly string[]
}

export interface FindOptions {
  /** Found places kept at most. */
  readonly most?: number
  /** Lets others run meanwhile; throws to give up. */
  readonly pause?: (searched: string) => Promise<void>
}

const MOST = 5_000
const RULE_FILE = /^(iptables-(legacy|nft)-save\.[46]|nft|ipset-save)\.txt$/

/** Everything the facts hold about an address or an identity. */
export async function findEverything(
  cluster: ClusterFacts,
  files: FactFiles,
  wanted: Wanted,
  { most = MOST, pause = async () => {} }: FindOptions = {},
): Promise<FindAnswer> {
  const kept: Found[] = []
  const gaps: string[] = []
  let everything = 0
  let truncated = false
  const sink: FindSink = (found) => {
    if (found.within === 0) everything++
    else if (kept.length < most) kept.push(found)
    else truncated = true
  }
  const search = async (what: string, task: () => void) => {
    try {
      task()
    } catch (error) {
      gaps.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
    await pause(what)
  }
  for (const path of files.list().filter((file) => file.startsWith('objects/')))
    await search(path, () => findInObjects(files, path, wanted, sink))
  for (const snapshot of cluster.nodes.values()) await searchNode(cluster, files, snapshot, wanted, sink, search)
  const unseen = [...cluster.objects.nodes.keys()].filter((node) => !cluster.nodes.has(node))
  if (unseen.length > 0) gaps.push(`no snapshot of ${unseen.join(', ')}: rules, routes and maps there were not searched`)
  return { found: kept.sort(byGroup), everything, truncated, nodes: [...cluster.nodes.keys()], gaps }
}

async function searchNode(
  cluster: ClusterFacts,
  files: FactFiles,
  snapshot: NodeSnapshot,
  wanted: Wanted,
  sink: FindSink,
  search: (what: string, task: () => void) => Promise<void>,
): Promise<void> {
  const { node, folder } = snapshot
  const { maps } = readNodeMaps(files, node)
  const names = namesOfNode(cluster, files, node, maps)
  for (const map of maps) await search(`${node} ${map.name}`, () => findInMap(files, node, map, names, wanted, sink))
  // Nothing else of a node names identities.
  if (wanted.addresses.length === 0) return
  for (const netns of snapshot.netns.values()) {
    for (const path of files.list().filter((file) => file.startsWith(`${folder}/netns/${netns.id}/`))) {
      const file = path.slice(path.lastIndexOf('/') + 1)
      if (RULE_FILE.test(file)) await search(path, () => findInRules(path, netns.text(file) ?? '', wanted, node, sink))
    }
    await search(netns.folder, () => findInNetns(netns, wanted, sink))
  }
}

function byGroup(a: Found, b: Found): number {
  return (
    FIND_GROUPS.indexOf(a.group) - FIND_GROUPS.indexOf(b.group) ||
    (b.within ?? Number.POSITIVE_INFINITY) - (a.within ?? Number.POSITIVE_INFINITY) ||
    0
  )
}
