// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto'
import * as vscode from 'vscode'
import { messageOf } from '../../cluster/errors.ts'
import type { TraceAnswer } from '../../core/path/answer.ts'
import { printable } from '../../core/text/printable.ts'
import { panelPage } from '../../protocol/panelPage.ts'
import type { TracePanelContract, TraceView } from '../../protocol/tracePanel.ts'
import { TRACE_PANEL } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { EvidenceDocuments } from '../evidence/evidence.ts'
import { type Failures, panelError } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import type { FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import { HostBridge } from '../webview/bridge.ts'
import { type AskedTrace, commandLine, reversed } from './question.ts'
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

/** One Path Trace panel: the host's side. It owns the answer and the facts the answer came from. */
export class TracePanel extends Owner {
  /** Under this id, evidence documents find this panel's facts. */
  readonly id = `trace-${randomBytes(8).toString('hex')}`
  readonly source: FactSource
  readonly asked: AskedTrace
  readonly panel: vscode.WebviewPanel
  readonly #parts: TracePanelParts
  readonly #bridge: HostBridge<TracePanelContract>
  #traced: Traced | undefined
  #ready = false

  constructor(panel: vscode.WebviewPanel, source: FactSource, asked: AskedTrace, parts: TracePanelParts) {
    super()
    this.panel = panel
    this.source = source
    this.asked = asked
    this.#parts = parts
    this.#bridge = this.own(
      new HostBridge<TracePanelContract>(panel.webview, {
        handlers: {
          openEvidence: async ({ evidence }) => {
            await parts.evidence.open(this.id, evidence)
            return null
          },
          prove: (_, signal) => this.prove(signal),
          reverse: async () => {
            await parts.open(
              source,
              reversed(asked, this.#current.answer.question.destination, this.#current.answer.question.source.port),
            )
            return null
          },
          refresh: async (_, signal) => (await this.answer({ signal, maxAge: 0 })).answer,
          copyAsCli: () => this.#copyAsCli(),
          save: () => this.#save(),
          report: () => this.#report(),
        },
        onReady: () => {
          this.#ready = true
          this.#show()
        },
        onStale: () => this.#load(),
        describe: (method, error) => {
          parts.failures.record(`trace panel ${method}`, error)
          return panelError(error)
        },
      }),
    )
    this.own(panel.onDidDispose(() => this.dispose()))
    this.#load()
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
    this.#traced = traced
    this.#show()
    this.#parts.onAnswered(this)
    return traced
  }

  async prove(signal: AbortSignal) {
    const traced = this.#current
    const tell = (done: number, of: number) => {
      this.#bridge.tell('proving', { text: vscode.l10n.t('{0} of {1} connections made', done, of), done, of })
    }
    tell(0, 1)
    const proof = await prove(this.source, traced, this.asked, { signal, onProgress: tell })
    this.#traced = { ...traced, answer: { ...traced.answer, proof } }
    this.#show()
    return proof
  }

  get #current(): Traced {
    if (this.#traced === undefined) throw new Error('The question is not answered yet')
    return this.#traced
  }

  #load(): void {
    const { webview } = this.panel
    const media = vscode.Uri.joinPath(this.#parts.extensionUri, 'dist', 'media')
    webview.options = { enableScripts: true, localResourceRoots: [media] }
    this.panel.title = TracePanel.title(this.asked)
    const icon = (theme: string) => vscode.Uri.joinPath(this.#parts.extensionUri, 'media', 'icons', `trace-${theme}.svg`)
    this.panel.iconPath = { light: icon('light'), dark: icon('dark') }
    this.#ready = false
    webview.html = panelPage({
      panel: 'trace',
      title: this.panel.title,
      cspSource: webview.cspSource,
      nonce: randomBytes(18).toString('base64url'),
      asset: (file) => webview.asWebviewUri(vscode.Uri.joinPath(media, file)).toString(),
    })
  }

  #show(): void {
    if (this.#ready && this.#traced !== undefined) this.#bridge.tell('answer', this.view(this.#traced))
  }

  view({ answer, facts }: Traced): TraceView {
    const reason = whyNoProof(this.source, facts, this.asked)
    const kind = this.source.kind === 'bundle' ? vscode.l10n.t('bundle') : vscode.l10n.t('live')
    return {
      answer,
      facts: printable(`${this.source.name} (${kind})`),
      capturedAt: facts.capturedAt,
      canProve: reason === undefined ? { possible: true } : { possible: false, reason },
      partial: facts.partial.map(printable),
    }
  }

  async #copyAsCli(): Promise<{ command: string }> {
    const { source } = this
    const command = commandLine(
      this.asked,
      source instanceof LiveSource
        ? { kind: 'context', place: source.name, kubeconfig: source.context.file }
        : { kind: 'bundle', place: vscode.Uri.parse(source.id.slice('bundle:'.length)).fsPath },
    )
    await vscode.env.clipboard.writeText(command)
    return { command }
  }

  async #save(): Promise<{ path: string } | null> {
    const { answer } = this.#current
    const uri = await this.#parts.prompts.save('trace.json', { JSON: ['json'] })
    if (uri === undefined) return null
    await vscode.workspace.fs.writeFile(uri, Buffer.from(`${JSON.stringify(answer, null, 2)}\n`))
    return { path: uri.scheme === 'file' ? uri.fsPath : uri.toString(true) }
  }

  async #report(): Promise<null> {
    const { redacted } = await import('./redact.ts')
    const answer: TraceAnswer = redacted(this.#current.answer)
    await vscode.env.clipboard.writeText(JSON.stringify(answer, null, 2))
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Prediction and proof are on the clipboard, with names and addresses replaced.'),
    )
    return null
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
