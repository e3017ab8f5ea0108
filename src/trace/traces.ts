// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto'
import * as vscode from 'vscode'
import type { FactFiles } from '../../core/facts/files.ts'
import { TRACE_PANEL } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import { EvidenceDocuments } from '../evidence/evidence.ts'
import type { Failures } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { Sources } from '../sources/sources.ts'
import type { TraceHistory } from './history.ts'
import { type AskedTrace, parseTrace } from './question.ts'
import { TracePanel } from './tracePanel.ts'

/** All open Path Trace panels. */
export class Traces extends Owner implements vscode.WebviewPanelSerializer {
  readonly #extensionUri: vscode.Uri
  readonly #sources: Sources
  readonly #history: TraceHistory
  readonly #failures: Failures
  readonly #prompts: Prompts
  readonly evidence: EvidenceDocuments
  readonly #panels = new Map<string, TracePanel>()

  constructor(extensionUri: vscode.Uri, sources: Sources, history: TraceHistory, failures: Failures, prompts: Prompts) {
    super()
    this.#extensionUri = extensionUri
    this.#sources = sources
    this.#history = history
    this.#failures = failures
    this.#prompts = prompts
    this.evidence = this.own(new EvidenceDocuments((facts) => this.#filesOf(facts)))
    this.own(vscode.window.registerWebviewPanelSerializer(TRACE_PANEL, this))
  }

  get panels(): readonly TracePanel[] {
    return [...this.#panels.values()]
  }

  /** Asks in a new panel. The panel appears at once, the answer as soon as its facts are there. */
  async open(source: FactSource, asked: AskedTrace): Promise<TracePanel | undefined> {
    parseTrace(asked)
    return this.#answerIn(TracePanel.create(), source, asked)
  }

  /** After a reload of the window: the page's state holds the question's ends, the history knows whose they were. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const asked = restoredQuestion(state)
    const record = this.#history.records.find((each) =>
      asked === undefined
        ? TracePanel.title(each.asked) === panel.title
        : each.asked.from === asked.from && each.asked.to === asked.to,
    )
    await this.#sources.load()
    const source = record && this.#sources.find(record.sourceId)
    if (record === undefined || source === undefined) {
      panel.dispose()
      return
    }
    await this.#answerIn(panel, source, record.asked)
  }

  async #answerIn(webview: vscode.WebviewPanel, source: FactSource, asked: AskedTrace): Promise<TracePanel | undefined> {
    const panel = new TracePanel(webview, source, asked, {
      extensionUri: this.#extensionUri,
      evidence: this.evidence,
      failures: this.#failures,
      prompts: this.#prompts,
      open: (other, question) => this.open(other, question),
      onAnswered: (answered) => void this.#remember(answered),
    })
    this.#panels.set(panel.id, panel)
    webview.onDidDispose(() => this.#panels.delete(panel.id))
    try {
      await vscode.window.withProgress(
        {
          location: vscode.ProgressLocation.Notification,
          title: vscode.l10n.t('Tracing {0}', TracePanel.title(asked)),
          cancellable: true,
        },
        (_, token) => panel.answer({ signal: abortOn(token) }),
      )
      return panel
    } catch (error) {
      panel.fail(error)
      return undefined
    }
  }

  async #remember(panel: TracePanel): Promise<void> {
    const { traced, source, asked } = panel
    if (traced === undefined) return
    const { headline } = await import('../../core/path/headline.ts')
    const { mood, text } = headline(traced.answer)
    const at = new Date().toISOString()
    await this.#history.add({ id: randomUUID(), sourceId: source.id, sourceName: source.name, asked, at, mood, headline: text })
  }

  /** Where the facts of this id, or of the trace of this id, come from. */
  sourceOf(facts: string): FactSource | undefined {
    return this.#panels.get(facts)?.source ?? this.#sources.find(facts)
  }

  #filesOf(facts: string): FactFiles | undefined {
    return this.#panels.get(facts)?.traced?.facts.files ?? this.#sources.find(facts)?.current?.files
  }
}

/** The signal of a cancellation token. */
export function abortOn(token: vscode.CancellationToken): AbortSignal {
  const controller = new AbortController()
  token.onCancellationRequested(() => controller.abort())
  return controller.signal
}

/** The panel's page remembers its question as a JSON list that begins with the two ends. */
function restoredQuestion(state: unknown): AskedTrace | undefined {
  if (typeof state !== 'object' || state === null || !('question' in state) || typeof state.question !== 'string')
    return undefined
  try {
    const [from, to] = JSON.parse(state.question) as unknown[]
    return typeof from === 'string' && typeof to === 'string' ? { from, to } : undefined
  } catch {
    return undefined
  }
}
