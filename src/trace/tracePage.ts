// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto'
import * as vscode from 'vscode'
import { panelPage } from '../../protocol/panelPage.ts'
import type { TracePanelContract, TraceView } from '../../protocol/tracePanel.ts'
import { Owner } from '../disposable.ts'
import { type Failures, panelError, type Remedy, remediesOf } from '../failures.ts'
import { type Handlers, HostBridge } from '../webview/bridge.ts'

export interface TracePageParts {
  readonly extensionUri: vscode.Uri
  readonly failures: Failures
  /** What the page may ask for. What to do about a failure is the page's own business. */
  readonly handlers: Omit<Handlers<TracePanelContract>, 'remedy'>
}

/** The host's side of a Path Trace page, whoever made the answer: loads it, shows a view in it, offers remedies. */
export class TracePage extends Owner {
  readonly #panel: vscode.WebviewPanel
  readonly #parts: TracePageParts
  readonly #bridge: HostBridge<TracePanelContract>
  #show: (() => void) | undefined
  #ready = false
  #remedies: readonly Remedy[] = []

  constructor(panel: vscode.WebviewPanel, parts: TracePageParts) {
    super()
    this.#panel = panel
    this.#parts = parts
    this.#bridge = this.own(
      new HostBridge<TracePanelContract>(panel.webview, {
        handlers: { ...parts.handlers, remedy: ({ title }) => this.#remedy(title) },
        onReady: () => {
          this.#ready = true
          this.#show?.()
        },
        onStale: () => this.#load(),
        describe: (method, error) => {
          parts.failures.record(`trace panel ${method}`, error)
          this.#remedies = remediesOf(error)
          return panelError(error)
        },
      }),
    )
    this.own(panel.onDidDispose(() => this.dispose()))
    this.#load()
  }

  show(view: TraceView): void {
    this.#later(() => this.#bridge.tell('answer', view))
  }

  /** Shows why there is nothing to show. */
  fail(error: unknown): void {
    this.#parts.failures.record('trace panel', error)
    this.#later(() => {
      this.#remedies = remediesOf(error)
      this.#bridge.tell('broken', panelError(error))
    })
  }

  readonly tellProving = (text: string, done: number, of: number): void => this.#bridge.tell('proving', { text, done, of })

  /** At once if the page listens, and again whenever it has been loaded anew. */
  #later(show: () => void): void {
    this.#show = show
    if (this.#ready) show()
  }

  async #remedy(title: string): Promise<null> {
    await this.#remedies.find((remedy) => remedy.title === title)?.run()
    return null
  }

  #load(): void {
    const { webview } = this.#panel
    const media = vscode.Uri.joinPath(this.#parts.extensionUri, 'dist', 'media')
    const icon = (theme: string) => vscode.Uri.joinPath(this.#parts.extensionUri, 'media', 'icons', `trace-${theme}.svg`)
    this.#panel.iconPath = { light: icon('light'), dark: icon('dark') }
    webview.options = { enableScripts: true, localResourceRoots: [media] }
    this.#ready = false
    webview.html = panelPage({
      panel: 'trace',
      title: this.#panel.title,
      cspSource: webview.cspSource,
      nonce: randomBytes(18).toString('base64url'),
      asset: (file) => webview.asWebviewUri(vscode.Uri.joinPath(media, file)).toString(),
    })
  }
}
