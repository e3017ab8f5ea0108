// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto'
import * as vscode from 'vscode'
import type { PanelContract, PanelError } from '../../protocol/panel.ts'
import { panelPage } from '../../protocol/panelPage.ts'
import { Owner } from '../disposable.ts'
import { type Failures, panelError, type Remedy, remediesOf } from '../failures.ts'
import { type Handlers, HostBridge } from './bridge.ts'

/** What every panel's contract has: a way to say why there is nothing to show, and to do something about a failure. */
export type PageContract = PanelContract & {
  readonly hostMethods: { readonly remedy: readonly [{ title: string }, null] }
  readonly hostEvents: { readonly broken: PanelError }
}

export interface PageParts<C extends PageContract> {
  readonly extensionUri: vscode.Uri
  readonly failures: Failures
  /** Folder of the panel under media/. */
  readonly panel: string
  readonly title: string
  /** What the page may ask for. What to do about a failure is the page's own business. */
  readonly handlers: Omit<Handlers<C>, 'remedy'>
  readonly onEvent?: (name: keyof C['webviewEvents'] & string, payload: unknown) => void
}

/** The host's side of a webview: loads its page, tells it what to show whenever it has been loaded anew, and offers remedies. */
export class WebviewPage<C extends PageContract> extends Owner {
  readonly #webview: vscode.Webview
  readonly #parts: PageParts<C>
  readonly #bridge: HostBridge<C>
  #show: (() => void) | undefined
  #ready = false
  #remedies: readonly Remedy[] = []

  constructor(webview: vscode.Webview, parts: PageParts<C>) {
    super()
    this.#webview = webview
    this.#parts = parts
    const handlers = { ...parts.handlers, remedy: ({ title }: { title: string }) => this.#remedy(title) }
    this.#bridge = this.own(
      new HostBridge<C>(webview, {
        handlers: handlers as unknown as Handlers<C>,
        onReady: () => {
          this.#ready = true
          this.#show?.()
        },
        onStale: () => this.#load(),
        ...(parts.onEvent && { onEvent: parts.onEvent }),
        describe: (method, error) => {
          parts.failures.record(`${parts.panel} panel ${method}`, error)
          return this.describe(error)
        },
      }),
    )
    this.#load()
  }

  /** The page listens. */
  get isReady(): boolean {
    return this.#ready
  }

  /** Shows at once if the page listens, and again whenever it has been loaded anew. */
  show(show: () => void): void {
    this.#show = show
    if (this.#ready) show()
  }

  /** Tells a page that listens; one that doesn't is shown everything once it does. */
  tell<E extends keyof C['hostEvents'] & string>(name: E, payload: C['hostEvents'][E]): void {
    if (this.#ready) this.#bridge.tell(name, payload)
  }

  /** Shows why there is nothing to show. */
  fail(error: unknown): void {
    this.#parts.failures.record(`${this.#parts.panel} panel`, error)
    this.show(() => this.tell('broken', this.describe(error)))
  }

  /** A failure as the page may see it; what can be done about it is remembered until the next one. */
  describe(error: unknown): PanelError {
    this.#remedies = remediesOf(error)
    return panelError(error)
  }

  async #remedy(title: string): Promise<null> {
    await this.#remedies.find((remedy) => remedy.title === title)?.run()
    return null
  }

  #load(): void {
    const media = vscode.Uri.joinPath(this.#parts.extensionUri, 'dist', 'media')
    this.#webview.options = { enableScripts: true, localResourceRoots: [media] }
    this.#ready = false
    this.#webview.html = panelPage({
      panel: this.#parts.panel,
      title: this.#parts.title,
      cspSource: this.#webview.cspSource,
      nonce: randomBytes(18).toString('base64url'),
      asset: (file) => this.#webview.asWebviewUri(vscode.Uri.joinPath(media, file)).toString(),
    })
  }
}
