// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { Evidence, TraceAnswer } from '../../core/path/answer.ts'
import { parseSavedAnswer } from '../../core/path/savedAnswer.ts'
import type { TraceView } from '../../protocol/tracePanel.ts'
import { Owner } from '../disposable.ts'
import type { EvidenceDocuments } from '../evidence/evidence.ts'
import { holdsEvidence } from '../evidence/holdsEvidence.ts'
import { type Failures, RemediableError } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { Sources } from '../sources/sources.ts'
import { runCommand } from '../typed.ts'
import { copyAsCli, reportAnswer, saveAnswer } from './answerActions.ts'
import { TracePage } from './tracePage.ts'

/** Bytes; the longest answers are some megabytes. */
const MOST_BYTES = 64 << 20

export interface SavedTraceParts {
  readonly extensionUri: vscode.Uri
  readonly sources: Sources
  readonly evidence: EvidenceDocuments
  readonly failures: Failures
  readonly prompts: Prompts
}

/** A saved answer in an editor. It can't be asked or proved again; its evidence opens while the facts it came from are open. */
export class SavedTrace extends Owner {
  readonly uri: vscode.Uri
  readonly #parts: SavedTraceParts
  readonly #page: TracePage
  #answer: TraceAnswer | undefined

  constructor(panel: vscode.WebviewPanel, uri: vscode.Uri, parts: SavedTraceParts) {
    super()
    this.uri = uri
    panel.title = uri.path.split('/').at(-1) ?? uri.path
    this.#parts = parts
    const saved = async (): Promise<never> => {
      throw new Error(reason())
    }
    this.#page = this.own(
      new TracePage(panel, {
        extensionUri: parts.extensionUri,
        failures: parts.failures,
        handlers: {
          openEvidence: async ({ evidence }) => {
            await this.openEvidence(evidence)
            return null
          },
          prove: saved,
          reverse: saved,
          refresh: saved,
          copyAsCli: () => copyAsCli(this.#facts(), this.#current.question),
          save: () => saveAnswer(this.#current, parts.prompts),
          report: () => reportAnswer(this.#current),
        },
      }),
    )
    this.own(panel.onDidDispose(() => this.dispose()))
    this.own(parts.sources.onDidChange(() => this.#show()))
    this.#watch()
  }

  /** Reads the file and shows it, or why it can't be shown. */
  async read(): Promise<void> {
    try {
      const name = this.uri.path.split('/').at(-1) ?? this.uri.path
      const { size } = await vscode.workspace.fs.stat(this.uri)
      if (size > MOST_BYTES) throw new Error(vscode.l10n.t('{0}: is larger than {1} MiB', name, MOST_BYTES >> 20))
      this.#answer = parseSavedAnswer(await vscode.workspace.fs.readFile(this.uri), name)
      this.#show()
    } catch (error) {
      this.#answer = undefined
      const open = () => vscode.commands.executeCommand('vscode.openWith', this.uri, 'default')
      const remedies = [{ title: vscode.l10n.t('Open as Text'), run: open }]
      this.#page.fail(new RemediableError(error instanceof Error ? error.message : String(error), remedies, error))
    }
  }

  async openEvidence(evidence: Evidence): Promise<void> {
    // A map's entry is told whole by the answer itself.
    await this.#parts.evidence.open(evidence.kind === 'map' ? this.uri.toString() : this.#facts().id, evidence)
  }

  get view(): TraceView | undefined {
    if (this.#answer === undefined) return undefined
    const source = this.#source()
    const unable = { possible: false, reason: reason() } as const
    const facts = source === undefined ? vscode.l10n.t('its facts are not open') : vscode.l10n.t('from {0}', source.name)
    return {
      answer: this.#answer,
      facts: `${vscode.l10n.t('saved trace')} · ${facts}`,
      capturedAt: source?.current?.capturedAt ?? null,
      canProve: unable,
      canAsk: unable,
      partial: [],
    }
  }

  get #current(): TraceAnswer {
    if (this.#answer === undefined) throw new Error('The saved trace could not be read')
    return this.#answer
  }

  #show(): void {
    const { view } = this
    if (view !== undefined) this.#page.show(view)
  }

  #source(): FactSource | undefined {
    const answer = this.#answer
    return answer && this.#parts.sources.usable.find((source) => source.current && holdsEvidence(source.current.files, answer))
  }

  #facts(): FactSource {
    const source = this.#source()
    if (source !== undefined) return source
    const title = vscode.l10n.t('Open Bundle…')
    throw new RemediableError(
      vscode.l10n.t(
        'The facts this trace was made from are not open. Open the bundle that holds them to see the evidence in its place.',
      ),
      [{ title, run: () => runCommand('plumbline.bundle.open') }],
    )
  }

  #watch(): void {
    const pattern = new vscode.RelativePattern(vscode.Uri.joinPath(this.uri, '..'), this.uri.path.split('/').at(-1) ?? '')
    const watcher = this.own(vscode.workspace.createFileSystemWatcher(pattern))
    this.own(watcher.onDidChange(() => this.read()))
    this.own(watcher.onDidCreate(() => this.read()))
  }
}

function reason(): string {
  return vscode.l10n.t('saved trace')
}
