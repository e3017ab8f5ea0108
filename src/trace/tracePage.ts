// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { TracePanelContract, TraceView } from '../../protocol/tracePanel.ts'
import { Owner } from '../disposable.ts'
import type { Failures } from '../failures.ts'
import type { Handlers } from '../webview/bridge.ts'
import { WebviewPage } from '../webview/page.ts'

export interface TracePageParts {
  readonly extensionUri: vscode.Uri
  readonly failures: Failures
  readonly handlers: Omit<Handlers<TracePanelContract>, 'remedy'>
}

/** The host's side of a Path Trace page, whoever made the answer. */
export class TracePage extends Owner {
  readonly #page: WebviewPage<TracePanelContract>

  constructor(panel: vscode.WebviewPanel, parts: TracePageParts) {
    super()
    const icon = (theme: string) => vscode.Uri.joinPath(parts.extensionUri, 'media', 'icons', `trace-${theme}.svg`)
    panel.iconPath = { light: icon('light'), dark: icon('dark') }
    this.#page = this.own(new WebviewPage<TracePanelContract>(panel.webview, { ...parts, panel: 'trace', title: panel.title }))
    this.own(panel.onDidDispose(() => this.dispose()))
  }

  show(view: TraceView): void {
    this.#page.show(() => this.#page.tell('answer', view))
  }

  /** Shows why there is nothing to show. */
  fail(error: unknown): void {
    this.#page.fail(error)
  }

  readonly tellProving = (text: string, done: number, of: number): void => this.#page.tell('proving', { text, done, of })
}
