// SPDX-License-Identifier: Apache-2.0

import type { MapGroup } from '../../core/ebpf/maps/layout.ts'
import type { HookPlace, HookPoint, HookProgram } from '../../core/overview/hooks.ts'
import type { MapOverview } from '../../core/overview/maps.ts'
import type { FactSource } from '../sources/factSource.ts'

/** What a row of the Clusters view stands for. Plain data; how it looks is decided in clusterRows.ts. */
export type ClusterItem =
  | { readonly kind: 'source'; readonly source: FactSource }
  | {
      readonly kind: 'folder'
      readonly source: FactSource
      readonly folder: FolderKind
      readonly of?: string
      /** The fact one came for. */
      readonly description?: string
    }
  | { readonly kind: 'node'; readonly source: FactSource; readonly name: string }
  | { readonly kind: 'namespace'; readonly source: FactSource; readonly name: string }
  | { readonly kind: 'pod'; readonly source: FactSource; readonly namespace: string; readonly name: string }
  | { readonly kind: 'service'; readonly source: FactSource; readonly namespace: string; readonly name: string }
  | { readonly kind: 'fact'; readonly source: FactSource; readonly id: string; readonly row: FactRow }
  | { readonly kind: 'hookPlace'; readonly source: FactSource; readonly node: string; readonly place: HookPlace }
  | {
      readonly kind: 'hookPoint'
      readonly source: FactSource
      readonly node: string
      readonly place: HookPlace
      readonly point: HookPoint
    }
  | {
      readonly kind: 'program'
      readonly source: FactSource
      readonly node: string
      /** Of its place and hook, with its position. */
      readonly at: string
      readonly order: number
      readonly of: number
      readonly program: HookProgram
      /** Names of the maps it uses. */
      readonly maps: readonly string[]
    }
  | {
      readonly kind: 'mapGroup'
      readonly source: FactSource
      readonly node: string
      readonly group: MapGroup
      readonly maps: readonly MapOverview[]
    }
  | { readonly kind: 'map'; readonly source: FactSource; readonly node: string; readonly overview: MapOverview }
  | { readonly kind: 'more'; readonly source: FactSource; readonly list: string; readonly shown: number; readonly of: number }
  | { readonly kind: 'note'; readonly source: FactSource; readonly note: Note }

/** `nodes`, `namespaces` of a cluster; the others of the node or namespace in `of`. */
export type FolderKind = 'nodes' | 'namespaces' | 'interfaces' | 'rules' | 'maps' | 'pods' | 'services'

export interface FactRow {
  readonly label: string
  readonly description: string
  readonly tooltip: string
  readonly icon: string
  readonly warning?: boolean
  /** Opens this line when clicked. */
  readonly evidence?: { readonly file: string; readonly line: number }
}

/** Something that is missing, and what to do about it. */
export interface Note {
  readonly kind: 'failure' | 'rights' | 'agent' | 'snapshots'
  readonly text: string
  readonly detail: string
}

/** Identity of a row across refreshes, so that VS Code keeps it unfolded and selected. */
export function itemId(item: ClusterItem): string {
  const { id } = item.source
  switch (item.kind) {
    case 'source':
      // Another id once it has contents: VS Code remembers "folded" for the one without.
      return `${id}|${item.source.current === undefined ? 'closed' : 'open'}`
    case 'folder':
      return `${id}|${item.folder}|${item.of ?? ''}`
    case 'node':
    case 'namespace':
      return `${id}|${item.kind}|${item.name}`
    case 'pod':
    case 'service':
      return `${id}|${item.kind}|${item.namespace}/${item.name}`
    case 'fact':
      return `${id}|fact|${item.id}`
    case 'hookPlace':
      return `${id}|${placeId(item)}`
    case 'hookPoint':
      return `${id}|${placeId(item)}|${item.point.attach}`
    case 'program':
      return `${id}|${item.at}|${item.order}`
    case 'mapGroup':
      return `${id}|maps|${item.node}|${item.group}`
    case 'map':
      return `${id}|map|${item.node}|${item.overview.map.id}`
    case 'more':
      return `${id}|more|${item.list}`
    case 'note':
      return `${id}|note|${item.note.kind}`
  }
}

/** A place of a node where programs are attached. */
export function placeId({ node, place }: { readonly node: string; readonly place: HookPlace }): string {
  return `${node}|${place.kind}|${place.device?.netns ?? ''}|${place.name}`
}
