// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { Evidence } from '../../core/path/answer.ts'
import { MAP_PANEL } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { Failures } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { Sources } from '../sources/sources.ts'
import type { MapPanel } from './mapPanel.ts'
import { openMap, type OpenedMap, parseMapId } from './openMap.ts'

const FILTERS_KEY = 'mapFilters'
const MOST_FILTERS = 30

export interface MapsParts {
  readonly extensionUri: vscode.Uri
  readonly sources: Sources
  readonly failures: Failures
  readonly prompts: Prompts
  readonly memory: vscode.Memento
  /** The source whose facts, or a trace of whose, have this id. */
  readonly sourceOf: (facts: string) => FactSource | undefined
  readonly find: (source: FactSource, query: string) => Promise<void>
}

/** All open Map panels: one for each map of each node. */
export class Maps extends Owner implements vscode.WebviewPanelSerializer {
  readonly #parts: MapsParts
  readonly #panels = new Map<string, MapPanel>()

  constructor(parts: MapsParts) {
    super()
    this.#parts = parts
    this.own(vscode.window.registerWebviewPanelSerializer(MAP_PANEL, this))
    this.own({ dispose: () => this.#disposeAll() })
  }

  get panels(): readonly MapPanel[] {
    return [...this.#panels.values()]
  }

  /** Shows a map, by name, path or id; with `key` (hexadecimal) that very entry. */
  async open(
    source: FactSource,
    node: string,
    map: string,
    { key, column = vscode.ViewColumn.Active }: { readonly key?: string; readonly column?: vscode.ViewColumn } = {},
  ): Promise<MapPanel> {
    const opened = await openMap(source, node, map)
    const known = this.#panels.get(opened.id)
    if (known !== undefined) {
      known.panel.reveal()
      if (key !== undefined) known.reveal(key)
      return known
    }
    const { MapPanel } = await import('./mapPanel.ts')
    return this.#show(MapPanel.create(column), opened, key)
  }

  /** An entry that is evidence, among the others of its map. A live map may have lost it since. */
  async showEntry(
    facts: string,
    { map, node, keyBytes }: Extract<Evidence, { kind: 'map' }>,
    column: vscode.ViewColumn,
  ): Promise<boolean> {
    const source = this.#parts.sourceOf(facts)
    if (node === undefined || keyBytes === undefined || source?.current === undefined) return false
    const panel = await this.open(source, node, map, { key: keyBytes, column })
    await panel.loaded
    return panel.holds(keyBytes)
  }

  /** After a reload of the window: the page's state says which map it showed. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const id = typeof state === 'object' && state !== null && 'id' in state ? state.id : undefined
    const place = parseMapId(id)
    await this.#parts.sources.load()
    const source = place && this.#parts.sources.find(place.sourceId)
    if (place === undefined || source === undefined) {
      panel.dispose()
      return
    }
    try {
      await this.#show(panel, await openMap(source, place.node, place.map))
    } catch (error) {
      this.#parts.failures.report('map panel', error)
      panel.dispose()
    }
  }

  async #show(webview: vscode.WebviewPanel, opened: OpenedMap, key?: string): Promise<MapPanel> {
    const { MapPanel } = await import('./mapPanel.ts')
    const { extensionUri, failures, prompts, memory, find } = this.#parts
    const panel = new MapPanel(webview, opened, {
      extensionUri,
      failures,
      prompts,
      filterHistory: () => memory.get<readonly string[]>(FILTERS_KEY, []),
      rememberFilter: (text) => void memory.update(FILTERS_KEY, remembered(memory.get<readonly string[]>(FILTERS_KEY, []), text)),
      find: (query) => find(opened.source, query),
    })
    this.#panels.set(opened.id, panel)
    webview.onDidDispose(() => this.#panels.delete(opened.id))
    if (key !== undefined) panel.reveal(key)
    // The panel shows how far it is; nobody waits for a large map.
    void panel.refresh()
    return panel
  }

  #disposeAll(): void {
    for (const panel of this.#panels.values()) panel.dispose()
  }
}

/** Newest first, each once. A filter that goes on from the last one takes its place: it was still being typed. */
function remembered(history: readonly string[], text: string): readonly string[] {
  const [last] = history
  const older = last !== undefined && text.startsWith(last) ? history.slice(1) : history
  return [text, ...older.filter((each) => each !== text)].slice(0, MOST_FILTERS)
}
