// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { FIND_PANEL } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { EvidenceDocuments } from '../evidence/evidence.ts'
import type { Failures } from '../failures.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { Sources } from '../sources/sources.ts'
import type { FindPanel } from './findPanel.ts'

export interface FindsParts {
  readonly extensionUri: vscode.Uri
  readonly sources: Sources
  readonly failures: Failures
  readonly evidence: EvidenceDocuments
}

/** All open panels of *Find Everything About This Address*: one for each question. */
export class Finds extends Owner implements vscode.WebviewPanelSerializer {
  readonly #parts: FindsParts
  readonly #panels = new Map<string, FindPanel>()

  constructor(parts: FindsParts) {
    super()
    this.#parts = parts
    this.own(vscode.window.registerWebviewPanelSerializer(FIND_PANEL, this))
    this.own({ dispose: () => this.#disposeAll() })
  }

  get panels(): readonly FindPanel[] {
    return [...this.#panels.values()]
  }

  async open(source: FactSource, query: string): Promise<void> {
    const id = JSON.stringify([source.id, query])
    const known = this.#panels.get(id)
    if (known !== undefined) known.panel.reveal()
    else await this.#show(vscode.window.createWebviewPanel(FIND_PANEL, 'Find', vscode.ViewColumn.Active, {}), source, query)
  }

  /** After a reload of the window: the page's state says what it had asked, of whom. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const { source: id, query } = (typeof state === 'object' && state !== null ? state : {}) as Record<string, unknown>
    await this.#parts.sources.load()
    const source = typeof id === 'string' ? this.#parts.sources.find(id) : undefined
    if (source === undefined || typeof query !== 'string') {
      panel.dispose()
      return
    }
    await this.#show(panel, source, query)
  }

  async #show(webview: vscode.WebviewPanel, source: FactSource, query: string): Promise<void> {
    const { FindPanel } = await import('./findPanel.ts')
    const panel = new FindPanel(webview, source, query, this.#parts)
    const id = JSON.stringify([source.id, query])
    this.#panels.set(id, panel)
    webview.onDidDispose(() => this.#panels.delete(id))
    await panel.search(query)
  }

  #disposeAll(): void {
    for (const panel of this.#panels.values()) panel.dispose()
  }
}
