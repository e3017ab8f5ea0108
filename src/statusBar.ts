// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { printable } from '../core/text/printable.ts'
import { Owner } from './disposable.ts'
import { LiveSource } from './sources/liveSource.ts'
import type { Sources } from './sources/sources.ts'

/** The one status bar item: which cluster, and how many agents answer. Hidden while nothing is connected. */
export class StatusBar extends Owner {
  readonly #item = this.own(vscode.window.createStatusBarItem('plumbline.status', vscode.StatusBarAlignment.Left))
  readonly #sources: Sources

  constructor(sources: Sources) {
    super()
    this.#sources = sources
    this.#item.name = 'Plumbline'
    this.#item.command = 'plumbline.status.show'
    this.own(sources.onDidChange(() => this.#show()))
    this.#show()
  }

  get text(): string {
    return this.#item.text
  }

  #show(): void {
    const [source] = this.#sources.usable
    if (source === undefined) {
      this.#item.hide()
      return
    }
    const name = printable(source.name).replaceAll('$(', '$ (')
    const more = this.#sources.usable.length > 1 ? ` +${this.#sources.usable.length - 1}` : ''
    this.#item.text = `$(pulse) ${name}${more}${source instanceof LiveSource ? ` · ${agents(source)}` : ''}`
    this.#item.accessibilityInformation = { label: `Plumbline: ${name}${more}` }
    this.#item.tooltip = vscode.l10n.t('Plumbline: click for actions')
    this.#item.show()
  }
}

function agents(source: LiveSource): string {
  const nodes = source.current?.cluster.objects.nodes.size ?? 0
  const ready = source.agents.filter((agent) => agent.ready).length
  return ready === 0 ? vscode.l10n.t('no agent') : vscode.l10n.t('agent {0}/{1}', ready, nodes)
}
