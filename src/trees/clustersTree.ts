// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { describeRight, messageOf } from '../../cluster/errors.ts'
import { nodeOverview } from '../../core/overview/nodeOverview.ts'
import { VIEWS } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { Failures } from '../failures.ts'
import type { FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import type { Sources } from '../sources/sources.ts'
import { type ClusterItem, type FolderKind, itemId } from './clusterItem.ts'
import { clusterRow } from './clusterRows.ts'
import { hookPlaces, hookPoints, hookPrograms, hooksSummary } from './hookItems.ts'
import { driftRow } from './driftRow.ts'
import { mapGroups, mapItems, mapsSummary } from './mapItems.ts'
import { nodeRows } from './nodeRows.ts'

/** Rows shown of a long list before "Load more…". */
export const PAGE = 200

export class ClustersTree extends Owner implements vscode.TreeDataProvider<ClusterItem> {
  readonly #sources: Sources
  readonly #failures: Failures
  readonly #changed = this.own(new vscode.EventEmitter<ClusterItem | undefined>())
  readonly onDidChangeTreeData = this.#changed.event
  readonly view: vscode.TreeView<ClusterItem>
  /** How many rows of a list are shown, by the list's id. */
  readonly #shown = new Map<string, number>()
  readonly #parents = new Map<string, ClusterItem>()

  constructor(sources: Sources, failures: Failures) {
    super()
    this.#sources = sources
    this.#failures = failures
    this.view = this.own(vscode.window.createTreeView(VIEWS.clusters, { treeDataProvider: this, showCollapseAll: true }))
    this.own(sources.onDidChange(() => this.#changed.fire(undefined)))
  }

  getTreeItem(item: ClusterItem): vscode.TreeItem {
    return clusterRow(item)
  }

  getParent(item: ClusterItem): ClusterItem | undefined {
    return this.#parents.get(itemId(item))
  }

  async getChildren(item?: ClusterItem): Promise<ClusterItem[]> {
    try {
      const children = await this.#children(item)
      if (item !== undefined) for (const child of children) this.#parents.set(itemId(child), item)
      return children
    } catch (error) {
      if (item === undefined) throw error
      this.#failures.record('tree', error)
      return [{ kind: 'note', source: item.source, note: { kind: 'failure', text: messageOf(error), detail: '' } }]
    }
  }

  /** Shows the next rows of a list. */
  loadMore(list: string): void {
    this.#shown.set(list, (this.#shown.get(list) ?? PAGE) + PAGE)
    this.#changed.fire(undefined)
  }

  async #children(item: ClusterItem | undefined): Promise<ClusterItem[]> {
    switch (item?.kind) {
      case undefined:
        await this.#sources.load()
        return this.#sources.all.map((source) => ({ kind: 'source', source }))
      case 'source':
        return this.#ofSource(item.source)
      case 'folder':
        return this.#paged(itemId(item), await this.#ofFolder(item))
      case 'node':
        return this.#ofNode(item.source, item.name)
      case 'hookPlace':
        return hookPoints(item)
      case 'hookPoint':
        return hookPrograms(item)
      case 'mapGroup':
        return this.#paged(itemId(item), mapItems(item))
      case 'namespace':
        return (['pods', 'services'] as const).map((folder) => ({ kind: 'folder', source: item.source, folder, of: item.name }))
      default:
        return []
    }
  }

  #ofSource(source: FactSource): ClusterItem[] {
    if (source.current === undefined) return []
    const folders = (['nodes', 'namespaces'] as const).map((folder): ClusterItem => ({ kind: 'folder', source, folder }))
    return [...notesOf(source).map((note): ClusterItem => ({ kind: 'note', source, note })), ...folders]
  }

  async #ofFolder({ source, folder, of }: Extract<ClusterItem, { kind: 'folder' }>): Promise<ClusterItem[]> {
    const cluster = source.current?.cluster
    if (cluster === undefined) return []
    const { objects, nodes } = cluster
    switch (folder) {
      case 'nodes':
        return sorted(new Set([...objects.nodes.keys(), ...nodes.keys()])).map((name) => ({ kind: 'node', source, name }))
      case 'namespaces': {
        const used = [...objects.pods.values(), ...objects.services.values()].map((object) => object.meta.namespace)
        return sorted(new Set([...objects.namespaces.keys(), ...used])).map((name) => ({ kind: 'namespace', source, name }))
      }
      case 'pods':
      case 'services': {
        const kind = folder === 'pods' ? 'pod' : 'service'
        const names = [...objects[folder].values()]
          .filter((object) => object.meta.namespace === of)
          .map((object) => object.meta.name)
        return sorted(names).map((name) => ({ kind, source, namespace: of ?? '', name }))
      }
      case 'interfaces':
        return hookPlaces(source, of ?? '')
      case 'maps':
        return mapGroups(source, of ?? '')
      case 'rules': {
        const snapshot = nodes.get(of ?? '')
        return snapshot === undefined ? [] : nodeRows(source, of ?? '', folder, nodeOverview(snapshot))
      }
    }
  }

  async #ofNode(source: FactSource, name: string): Promise<ClusterItem[]> {
    if (!(await this.#hasSnapshot(source, name))) return [{ kind: 'note', source, note: noSnapshot(source, name) }]
    const snapshot = source.current?.cluster.nodes.get(name)
    if (snapshot === undefined) return []
    const overview = nodeOverview(snapshot)
    const drift = await driftRow(source, name)
    const folder = (kind: FolderKind, description: string): ClusterItem => ({
      kind: 'folder',
      source,
      folder: kind,
      of: name,
      description,
    })
    return [
      ...nodeRows(source, name, 'node', overview),
      ...(drift === undefined ? [] : [{ kind: 'fact', source, id: `${name}|drift`, row: drift } as const]),
      folder('interfaces', await hooksSummary(source, name)),
      folder('rules', String(overview.rules.reduce((sum, { count }) => sum + count, 0))),
      folder('maps', await mapsSummary(source, name)),
    ]
  }

  /** A live node's snapshot is taken when the node is first unfolded, and shown until it is refreshed. */
  async #hasSnapshot(source: FactSource, name: string): Promise<boolean> {
    const live = source instanceof LiveSource && source.agents.some((agent) => agent.node === name && agent.ready)
    if (live && !source.current?.cluster.nodes.has(name)) {
      await vscode.window.withProgress({ location: { viewId: VIEWS.clusters } }, () => source.facts({ nodes: [name] }))
    }
    return source.current?.cluster.nodes.has(name) ?? false
  }

  #paged(list: string, items: ClusterItem[]): ClusterItem[] {
    const shown = this.#shown.get(list) ?? PAGE
    const [first] = items
    if (items.length <= shown || first === undefined) return items
    return [...items.slice(0, shown), { kind: 'more', source: first.source, list, shown, of: items.length }]
  }
}

function sorted(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => a.localeCompare(b))
}

function notesOf(source: FactSource): Extract<ClusterItem, { kind: 'note' }>['note'][] {
  const rights = source.missingRights
  const notes: Extract<ClusterItem, { kind: 'note' }>['note'][] = []
  if (rights.length > 0) {
    notes.push({
      kind: 'rights',
      text: vscode.l10n.t('Some rights are missing'),
      detail: [...new Set(rights.map(describeRight))].join(', '),
    })
  }
  if (source instanceof LiveSource && source.agents.length === 0) {
    const detail = vscode.l10n.t('names and policies work; rules, routes and proof need the agent')
    notes.push({ kind: 'agent', text: vscode.l10n.t('The agent is not deployed'), detail })
  }
  if (source.kind === 'bundle' && source.current?.cluster.nodes.size === 0) {
    const detail = vscode.l10n.t('it was made without the agent; only the planned lane can be shown')
    notes.push({ kind: 'snapshots', text: vscode.l10n.t('No node snapshots'), detail })
  }
  return notes
}

function noSnapshot(source: FactSource, node: string): Extract<ClusterItem, { kind: 'note' }>['note'] {
  if (!(source instanceof LiveSource)) return { kind: 'snapshots', text: vscode.l10n.t('No snapshot of this node'), detail: '' }
  const agent = source.agents.find((pod) => pod.node === node)
  const detail = agent === undefined ? vscode.l10n.t('Deploy Agent…') : agent.reason
  return { kind: 'agent', text: vscode.l10n.t('No agent answers here'), detail }
}
