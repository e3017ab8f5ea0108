// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto'
import * as vscode from 'vscode'
import { messageOf } from '../../cluster/errors.ts'
import { printable } from '../../core/text/printable.ts'
import type { TraceView } from '../../protocol/tracePanel.ts'
import { TRACE_PANEL } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { EvidenceDocuments } from '../evidence/evidence.ts'
import type { Failures } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import type { FactSource } from '../sources/factSource.ts'
import { copyAsCli, reportAnswer, saveAnswer } from './answerActions.ts'
import { type AskedTrace, reversed } from './question.ts'
import { TracePage } from './tracePage.ts'
import { ask, prove, type Traced, whyNoProof } from './tracer.ts'

export interface TracePanelParts {
  readonly extensionUri: vscode.Uri
  readonly evidence: EvidenceDocuments
  readonly failures: Failures
  readonly prompts: Prompts
  /** Opens another question in a panel of its own. */
  readonly open: (source: FactSource, asked: AskedTrace) => Promise<unknown>
  readonly onAnswered: (panel: TracePanel) => void
}

/** A question in a panel of its own: the host's side. It owns the answer and the facts the answer came from. */
export class TracePanel extends Owner {
  /** Under this id, evidence documents find this panel's facts. */
  readonly id = `trace-${randomBytes(8).toString('hex')}`
  readonly source: FactSource
  readonly asked: AskedTrace
  readonly panel: vscode.WebviewPanel
  readonly #parts: TracePanelParts
  readonly #page: TracePage
  #traced: Traced | undefined

  constructor(panel: vscode.WebviewPanel, source: FactSource, asked: AskedTrace, parts: TracePanelParts) {
    super()
    this.panel = panel
    this.source = source
    this.asked = asked
    this.#parts = parts
    panel.title = TracePanel.title(asked)
    this.#page = this.own(
      new TracePage(panel, {
        extensionUri: parts.extensionUri,
        failures: parts.failures,
        handlers: {
          openEvidence: async ({ evidence }) => {
            await parts.evidence.open(this.id, evidence)
            return null
          },
          prove: (_, signal) => this.prove(signal),
          reverse: async () => {
            const { destination, source: sender } = this.#current.answer.question
            await parts.open(source, reversed(asked, destination, sender.port))
            return null
          },
          refresh: async (_, signal) => (await this.answer({ signal, maxAge: 0 })).answer,
          copyAsCli: () => copyAsCli(source, asked),
          save: () => saveAnswer(this.#current.answer, parts.prompts),
          report: () => reportAnswer(this.#current.answer),
        },
      }),
    )
    this.own(panel.onDidDispose(() => this.dispose()))
  }

  static title(asked: AskedTrace): string {
    return printable(`${shortPlace(asked.from)} → ${shortPlace(asked.to)}`)
  }

  static create(): vscode.WebviewPanel {
    return vscode.window.createWebviewPanel(TRACE_PANEL, 'Path Trace', vscode.ViewColumn.Active, {})
  }

  /** The current answer and its facts. */
  get traced(): Traced | undefined {
    return this.#traced
  }

  /** Asks the question and shows the answer. */
  async answer(options: { readonly signal?: AbortSignal; readonly maxAge?: number } = {}): Promise<Traced> {
    const traced = await ask(this.source, this.asked, options)
    this.#show(traced)
    this.#parts.onAnswered(this)
    return traced
  }

  async prove(signal: AbortSignal) {
    const traced = this.#current
    const tell = (done: number, of: number) =>
      this.#page.tellProving(vscode.l10n.t('{0} of {1} connections made', done, of), done, of)
    this.#page.tellProving(vscode.l10n.t('Preparing…'), 0, 0)
    const proof = await prove(this.source, traced, this.asked, { signal, onProgress: tell })
    this.#show({ ...traced, answer: { ...traced.answer, proof } })
    return proof
  }

  get #current(): Traced {
    if (this.#traced === undefined) throw new Error('The question is not answered yet')
    return this.#traced
  }

  #show(traced: Traced): void {
    this.#traced = traced
    this.#page.show(this.view(traced))
  }

  view({ answer, facts }: Traced): TraceView {
    const reason = whyNoProof(this.source, facts, this.asked)
    const kind = this.source.kind === 'bundle' ? vscode.l10n.t('bundle') : vscode.l10n.t('live')
    return {
      answer,
      facts: printable(`${this.source.name} (${kind})`),
      capturedAt: facts.capturedAt,
      canProve: reason === undefined ? { possible: true } : { possible: false, reason },
      canAsk: { possible: true },
      partial: facts.partial.map(printable),
    }
  }

  /** Shows why there is no answer, in the panel's place, and closes it. */
  fail(error: unknown): void {
    this.#parts.failures.report(`trace ${this.asked.from} → ${this.asked.to}`, new Error(messageOf(error), { cause: error }))
    this.panel.dispose()
  }
}

function shortPlace(text: string): string {
  return text.replace(/^(pod|svc|service|host|node):/, '')
}
