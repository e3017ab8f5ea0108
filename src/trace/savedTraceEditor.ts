// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { SAVED_TRACE_EDITOR } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { SavedTrace, SavedTraceParts } from './savedTrace.ts'

/** The read-only editor of saved traces. What reads and shows them is loaded with the first one. */
export class SavedTraceEditor extends Owner implements vscode.CustomReadonlyEditorProvider {
  readonly #parts: SavedTraceParts
  readonly #open = new Set<SavedTrace>()

  constructor(parts: SavedTraceParts) {
    super()
    this.#parts = parts
    this.own(vscode.window.registerCustomEditorProvider(SAVED_TRACE_EDITOR, this, { supportsMultipleEditorsPerDocument: true }))
  }

  get open(): readonly SavedTrace[] {
    return [...this.#open]
  }

  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => {} }
  }

  async resolveCustomEditor({ uri }: vscode.CustomDocument, panel: vscode.WebviewPanel): Promise<void> {
    const { SavedTrace } = await import('./savedTrace.ts')
    const trace = new SavedTrace(panel, uri, this.#parts)
    this.#open.add(trace)
    panel.onDidDispose(() => this.#open.delete(trace))
    await trace.read()
    // Bundles that were open before may be the ones it was made from.
    void this.#parts.sources.load()
  }
}
