// SPDX-License-Identifier: Apache-2.0

/** Evidence as read-only documents: fact files with the line that decided, objects as YAML with the field revealed. */

import * as vscode from 'vscode'
import type { FactFiles } from '../../core/facts/files.ts'
import { decodeText, parseJson } from '../../core/facts/text.ts'
import type { Evidence } from '../../core/path/answer.ts'
import { EVIDENCE_SCHEME } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import { jsonLines } from './jsonLines.ts'
import { addressOf, addressUri, type EvidenceAddress, parseAddress } from './uri.ts'

/** Shows an entry in its map; false when it can't be found any more. */
export interface MapViewer {
  showEntry(facts: string, evidence: Extract<Evidence, { kind: 'map' }>, column: vscode.ViewColumn): Promise<boolean>
}

export class EvidenceDocuments extends Owner implements vscode.TextDocumentContentProvider {
  readonly #filesOf: (facts: string) => FactFiles | undefined
  readonly #highlight = this.own(
    vscode.window.createTextEditorDecorationType({
      isWholeLine: true,
      backgroundColor: new vscode.ThemeColor('editor.findMatchHighlightBackground'),
      overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.findMatchForeground'),
      overviewRulerLane: vscode.OverviewRulerLane.Center,
    }),
  )

  #maps: MapViewer | undefined

  /** `filesOf` finds facts by the id in a document's address. */
  constructor(filesOf: (facts: string) => FactFiles | undefined) {
    super()
    this.#filesOf = filesOf
    this.own(vscode.workspace.registerTextDocumentContentProvider(EVIDENCE_SCHEME, this))
  }

  /** Entries of maps are shown among the others of their map from now on. */
  showMapsIn(maps: MapViewer): vscode.Disposable {
    this.#maps = maps
    return new vscode.Disposable(() => {
      this.#maps = undefined
    })
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const address = parseAddress(uri)
    if (address.view === 'map') return `map    ${address.map}\nkey    ${address.key}\nvalue  ${address.value}\n`
    const files = this.#filesOf(address.facts)
    if (files === undefined) return vscode.l10n.t('These facts are no longer open. Ask the question again.')
    return contentOf(files, address)
  }

  /**
   * Opens evidence, beside what it is evidence of unless told otherwise: a map's entry in its map, anything else as text with its line
   * highlighted.
   */
  async open(facts: string, evidence: Evidence, column = vscode.ViewColumn.Beside): Promise<void> {
    if (evidence.kind === 'map' && (await this.#maps?.showEntry(facts, evidence, column)) === true) return
    await this.openText(facts, evidence, column)
  }

  async openText(facts: string, evidence: Evidence, column = vscode.ViewColumn.Beside): Promise<vscode.TextEditor> {
    const uri = addressUri(addressOf(facts, evidence))
    const document = await vscode.workspace.openTextDocument(uri)
    const line = Math.min(await this.#lineOf(document, facts, evidence), Math.max(0, document.lineCount - 1))
    const range = document.lineAt(line).range
    const editor = await vscode.window.showTextDocument(document, {
      viewColumn: column,
      preview: true,
      preserveFocus: false,
      selection: new vscode.Range(range.start, range.start),
    })
    editor.setDecorations(this.#highlight, [range])
    editor.revealRange(range, vscode.TextEditorRevealType.InCenter)
    return editor
  }

  async #lineOf(document: vscode.TextDocument, facts: string, evidence: Evidence): Promise<number> {
    switch (evidence.kind) {
      case 'file':
        return evidence.line - 1
      case 'fact':
        return jsonOf(this.#filesOf(facts), evidence.file, evidence.pointer).line
      case 'object':
        return (await yamlObject()).lineOfField(document.getText(), evidence.field)
      case 'map':
        return 1
    }
  }
}

async function contentOf(files: FactFiles, address: Exclude<EvidenceAddress, { view: 'map' }>): Promise<string> {
  switch (address.view) {
    case 'file': {
      const bytes = files.read(address.path)
      return bytes === undefined ? vscode.l10n.t('{0} is not among the facts.', address.path) : decodeText(bytes, address.path)
    }
    case 'json':
      return jsonOf(files, address.path, '').text
    case 'object': {
      const { findObject, objectText } = await yamlObject()
      const object = findObject(files, address)
      return object === undefined
        ? vscode.l10n.t('{0} {1} is not among the facts.', address.kind, address.name)
        : objectText(object)
    }
  }
}

/** Loaded with the first object somebody looks at: the YAML library is larger than all the rest. */
function yamlObject() {
  return import('./yamlObject.ts')
}

function jsonOf(files: FactFiles | undefined, path: string, pointer: string): { text: string; line: number } {
  const bytes = files?.read(path)
  return bytes === undefined
    ? { text: vscode.l10n.t('{0} is not among the facts.', path), line: 0 }
    : jsonLines(parseJson(bytes, path), pointer)
}
