// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { entryDocuments } from '../../core/ebpf/maps/documents.ts'
import { printable } from '../../core/text/printable.ts'
import type { MapPanelContract, MapView, WatchState } from '../../protocol/mapPanel.ts'
import type { Ability } from '../../protocol/tracePanel.ts'
import { MAP_PANEL } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { Failures } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import { WebviewPage } from '../webview/page.ts'
import { mapAnswers, positionOf, rowOf } from './mapAnswers.ts'
import { hex } from './mapFollower.ts'
import { MapModel } from './mapModel.ts'
import { type OpenedMap, withNewNames } from './openMap.ts'
import { entryText, mapView } from './mapView.ts'
import { readerOf, shapeOfMap, whyUnreadable } from './readers.ts'

export interface MapPanelParts {
  readonly extensionUri: vscode.Uri
  readonly failures: Failures
  readonly prompts: Prompts
  /** Expressions used before, newest first. */
  readonly filterHistory: () => readonly string[]
  readonly rememberFilter: (text: string) => void
  readonly find: (query: string) => Promise<void>
}

/** One map of one node in an editor: the host's side. */
export class MapPanel extends Owner {
  readonly panel: vscode.WebviewPanel
  readonly model: MapModel
  #opened: OpenedMap
  readonly #parts: MapPanelParts
  readonly #page: WebviewPage<MapPanelContract>
  #version = 0
  /** Of an entry to select once it is there. */
  #wantedKey: string | undefined
  /** The first reading, however it ends. */
  loaded: Promise<void> | undefined

  constructor(panel: vscode.WebviewPanel, opened: OpenedMap, parts: MapPanelParts) {
    super()
    const { source, facts, node, map } = opened
    this.panel = panel
    this.#opened = opened
    this.#parts = parts
    panel.title = MapPanel.title(opened)
    const icon = (theme: string) => vscode.Uri.joinPath(parts.extensionUri, 'media', 'icons', `map-${theme}.svg`)
    panel.iconPath = { light: icon('light'), dark: icon('dark') }
    this.model = new MapModel({
      shape: shapeOfMap(map),
      reader: readerOf(source, facts, node, map),
      names: () => this.#opened.names,
      onChange: () => this.#tell(),
      onChanges: (lines) => this.#page.tell('changes', lines),
    })
    this.own(this.model)
    this.#page = this.own(
      new WebviewPage<MapPanelContract>(panel.webview, {
        extensionUri: parts.extensionUri,
        failures: parts.failures,
        panel: 'map',
        title: panel.title,
        handlers: this.#handlers(),
      }),
    )
    this.#page.show(() => {
      this.#page.tell('view', this.view)
      this.#reveal()
    })
    this.own(panel.onDidDispose(() => this.dispose()))
  }

  static title({ map, node }: Pick<OpenedMap, 'map' | 'node'>): string {
    return printable(`${map.name} · ${node}`)
  }

  static create(column: vscode.ViewColumn): vscode.WebviewPanel {
    return vscode.window.createWebviewPanel(MAP_PANEL, 'Map', column, {})
  }

  get view(): MapView {
    const { model } = this
    const { failure } = model
    return mapView(this.#opened, model, {
      canRead: this.#canRead,
      canWatch: this.#canWatch,
      filterHistory: this.#parts.filterHistory(),
      reason: failure === undefined ? null : this.#page.describe(failure),
      version: this.#version,
    })
  }

  /** Reads the map anew. A watched one is as new as can be. */
  async refresh(): Promise<void> {
    if (this.model.watch === 'on') return
    if (this.loaded !== undefined) this.#opened = await withNewNames(this.#opened)
    const { contents, maxEntries } = this.#opened.map
    this.loaded = this.model.read(contents?.count ?? maxEntries)
    await this.loaded
    this.#reveal()
  }

  watch(state: WatchState): void {
    this.model.setWatch(state)
  }

  /** Selects an entry, now or once it has been read. */
  reveal(key: string): void {
    this.#wantedKey = key
    this.#reveal()
  }

  /** Whether there is an entry of that key (hexadecimal). */
  holds(key: string): boolean {
    return rowOf(this.model, key) >= 0
  }

  /** Saves the entries; null when the person changed their mind. */
  async export(format: 'csv' | 'json', which: 'shown' | 'all'): Promise<{ path: string; rows: number } | null> {
    const { map, node } = this.#opened
    const uri = await this.#parts.prompts.save(
      `${node}-${map.name}.${format}`.replace(/[^\w.-]+/g, '-'),
      format === 'csv' ? { CSV: ['csv'] } : { JSON: ['json'] },
    )
    if (uri === undefined) return null
    const { model } = this
    // Everything in the order shown where nothing is left out.
    const rows = which === 'shown' || model.rows.length === model.store.count ? model.rows.slice() : allRows(model)
    const filter = which === 'shown' && model.filterText !== '' ? model.filterText : null
    const { exportCsv, exportJson } = await import('./mapExport.ts')
    const bytes = await (format === 'csv' ? exportCsv : exportJson)({ node, map, model, rows, filter })
    await vscode.workspace.fs.writeFile(uri, bytes)
    return { path: uri.scheme === 'file' ? uri.fsPath : uri.toString(true), rows: rows.length }
  }

  #handlers(): ConstructorParameters<typeof WebviewPage<MapPanelContract>>[1]['handlers'] {
    const { model } = this
    return {
      ...mapAnswers(model, (text) => this.#parts.rememberFilter(text)),
      refresh: async () => {
        void this.refresh()
        return null
      },
      export: ({ format, rows }) => this.export(format, rows),
      copy: async ({ key, as }) => {
        await this.#copy(key, as)
        return null
      },
      find: async ({ query }) => {
        await this.#parts.find(query)
        return null
      },
    }
  }

  async #copy(key: string, as: 'text' | 'json' | 'hex'): Promise<void> {
    const row = rowOf(this.model, key)
    if (row < 0) return
    const { model } = this
    const { table, row: inTable } = model.store.locate(row)
    const { key: keyBytes, value } = table.raw(inTable)
    const text =
      as === 'hex'
        ? `${hex(keyBytes)} ${hex(value)}`
        : as === 'json'
          ? JSON.stringify(entryDocuments(table, [inTable])[0], null, 2)
          : entryText(model, row)
    await vscode.env.clipboard.writeText(text)
  }

  #reveal(): void {
    const key = this.#wantedKey
    const position = key === undefined ? -1 : positionOf(this.model, key)
    if (key === undefined || position < 0 || !this.#page.isReady) return
    this.#page.tell('reveal', { position, key })
    this.#wantedKey = undefined
  }

  get #canRead(): Ability {
    const { source, node, map } = this.#opened
    const reason = whyUnreadable(source, node, map)
    return reason === undefined ? { possible: true } : { possible: false, reason }
  }

  get #canWatch(): Ability {
    if (this.#opened.source.kind === 'bundle') return { possible: false, reason: vscode.l10n.t('a bundle stays as it is') }
    if (!this.model.isWhole && this.model.watch === 'off')
      return { possible: false, reason: vscode.l10n.t('the map is too large to follow; filter it by a field first') }
    return this.#canRead
  }

  #tell(): void {
    this.#version++
    if (this.disposed) return
    this.#page.tell('view', this.view)
    this.#reveal()
  }
}

function allRows({ store }: MapModel): Uint32Array {
  const rows: number[] = []
  for (let row = 0; row < store.end; row++) if (store.has(row)) rows.push(row)
  return Uint32Array.from(rows)
}
