// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import type { FactFiles } from '../../facts/files.ts'
import type { FactProblem, Shape } from '../../facts/objectsShape.ts'
import { readShape } from '../../facts/snapshot.ts'
import { cellValue } from './cell.ts'
import { decodeEntries } from './decode.ts'
import { datalessTitle } from './ciliumMaps.ts'
import { findLayout, isOfUnknownVersion, type MapIdentity, versionsOf } from './find.ts'
import type { MapGroup, MapLayout, Versions } from './layout.ts'
import { MapNames } from './names.ts'

/** A map of one node, as its snapshot lists it. */
export interface NodeMap {
  readonly id: number
  /** Pinned name where there is one, else the kernel's, which is cut to 15 characters. */
  readonly name: string
  /** Where it is pinned. */
  readonly path: string | undefined
  readonly type: string
  readonly group: MapGroup
  readonly title: string | undefined
  readonly layout: MapLayout | undefined
  /** One of Cilium's maps, of a version whose layout is not known. */
  readonly unknownVersion: boolean
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly memoryBytes: number | undefined
  /** What the snapshot holds of its contents. */
  readonly contents: MapContents | undefined
}

export interface MapContents {
  readonly file: string
  readonly count: number
  readonly valuesPerEntry: number
  /** True: the map had more entries than the snapshot took. */
  readonly truncated: boolean
  readonly incomplete: string | undefined
}

export const MAP_GROUPS: readonly MapGroup[] = ['services', 'identities', 'policy', 'connections', 'nat', 'other']

export interface NodeMaps {
  readonly maps: readonly NodeMap[]
  readonly problems: readonly FactProblem[]
}

/** All maps of a node, in the order of their groups. Nothing throws: what is broken is a problem. */
export function readNodeMaps(files: FactFiles, node: string): NodeMaps {
  const folder = `nodes/${node}`
  const problems: FactProblem[] = []
  const items = (file: string) => readShape(files, `${folder}/bpf/${file}`, problems).items()
  const paths = pinnedPaths(items('pins.json'))
  const dumps = new Map(items('maps/index.json').map((dump) => [dump.field('id').integer() ?? -1, dump]))
  const listed = items('maps.json')
  // A snapshot of the contents alone has no list of maps.
  const described = (listed.length > 0 ? listed : [...dumps.values()]).flatMap((item) => {
    const id = item.field('id').integer()
    if (id === undefined) return []
    const dump = dumps.get(id)
    const path = paths.get(id) ?? dump?.field('path').text()
    return [{ id, item, path, dump, identity: identityOf(item, path) }]
  })
  const versions = versionsOf(described.map(({ identity }) => identity))
  const maps = described.map((each) => nodeMap(each, versions, folder))
  maps.sort((a, b) => MAP_GROUPS.indexOf(a.group) - MAP_GROUPS.indexOf(b.group) || compareText(a.name, b.name) || a.id - b.id)
  return { maps, problems }
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function pinnedPaths(pins: readonly Shape[]): ReadonlyMap<number, string> {
  const paths = new Map<number, string>()
  for (const pin of pins) {
    const id = pin.field('id').integer()
    const path = pin.field('path').text()
    if (pin.field('kind').text() === 'map' && id !== undefined && path !== undefined && !paths.has(id)) paths.set(id, path)
  }
  return paths
}

interface Described {
  readonly id: number
  readonly item: Shape
  readonly path: string | undefined
  readonly dump: Shape | undefined
  readonly identity: MapIdentity
}

function identityOf(item: Shape, path: string | undefined): MapIdentity {
  return {
    name: path?.slice(path.lastIndexOf('/') + 1) ?? item.field('name').text() ?? '',
    keySize: item.field('keySize').integer() ?? 0,
    valueSize: item.field('valueSize').integer() ?? 0,
  }
}

function nodeMap({ id, item, path, dump, identity }: Described, versions: Versions | undefined, folder: string): NodeMap {
  const layout = findLayout(identity, versions)
  const memory = Number(item.field('memoryBytes').text() ?? Number.NaN)
  return {
    id,
    ...identity,
    path,
    type: item.field('type').text() ?? '',
    group: layout?.group ?? 'other',
    title: layout?.title ?? datalessTitle(identity.name),
    layout,
    unknownVersion: isOfUnknownVersion(identity),
    maxEntries: item.field('maxEntries').integer() ?? 0,
    memoryBytes: Number.isFinite(memory) ? memory : undefined,
    contents: dump === undefined ? undefined : contentsOf(dump, folder),
  }
}

function contentsOf(dump: Shape, folder: string): MapContents | undefined {
  const file = dump.field('file').text()
  const count = dump.field('count').integer()
  if (file === undefined || count === undefined) return undefined
  return {
    file: `${folder}/${file}`,
    count,
    valuesPerEntry: dump.field('valuesPerEntry').integer() ?? 1,
    truncated: dump.field('truncated').flag() ?? false,
    incomplete: dump.field('incomplete').text(),
  }
}

/** Names for a node's maps: from the cluster's objects, and from the maps that name what others refer to by number. */
export function namesOfNode(cluster: ClusterFacts, files: FactFiles, node: string, maps: readonly NodeMap[]): MapNames {
  const names = new MapNames(cluster, node)
  for (const map of maps) {
    const means =
      map.layout?.title === 'Backends' ? 'backend' : /_reverse_nat$/.test(map.layout?.name ?? '') ? 'revnat' : undefined
    const bytes = map.contents === undefined ? undefined : files.read(map.contents.file)
    if (means === undefined || map.layout === undefined || bytes === undefined) continue
    learn(names, means, map.layout, bytes)
  }
  return names
}

function learn(names: MapNames, means: 'revnat' | 'backend', layout: MapLayout, bytes: Uint8Array): void {
  if (bytes.byteLength % (layout.keySize + layout.valueSize) !== 0) return
  const entries = decodeEntries(layout, bytes)
  const [id] = entries.key
  const address = entries.value.find(({ field }) => field.name === 'address')
  const port = entries.value.find(({ field }) => field.name === 'port')
  if (id === undefined || address === undefined || port === undefined) return
  for (let row = 0; row < entries.count; row++) {
    const text = String(cellValue(address, row))
    const endpoint = `${text.includes(':') ? `[${text}]` : text}:${cellValue(port, row)}`
    const owner = names.ofAddress(text)
    names.learn(means, Number(cellValue(id, row)), owner === undefined ? endpoint : `${owner} ${endpoint}`)
  }
}
