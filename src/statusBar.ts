// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { printable } from '../core/text/printable.ts'
import { Owner } from './disposable.ts'
import type { Flows, Watch } from './flows/flows.ts'
import { LiveSource } from './sources/liveSource.ts'
import type { Sources } from './sources/sources.ts'

/**
 * The one status bar item: which cluster, how many agents answer, and while flows are followed, how many were lost. A warning while
 * events are being lost. Hidden while nothing is connected.
 */
export class StatusBar extends Owner {
  readonly #item = this.own(vscode.window.createStatusBarItem('plumbline.status', vscode.StatusBarAlignment.Left))
  readonly #sources: Sources
  readonly #flows: Flows
  #background: string | undefined

  constructor(sources: Sources, flows: Flows) {
    super()
    this.#sources = sources
    this.#flows = flows
    this.#item.name = 'Plumbline'
    this.#item.command = 'plumbline.status.show'
    this.own(sources.onDidChange(() => this.#show()))
    this.own(flows.onDidChange(() => this.#show()))
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
    const { watch } = this.#flows
    const parts = [
      `$(pulse) ${name}${more}`,
      ...(source instanceof LiveSource ? [agents(source)] : []),
      ...(watch ? [lost(watch)] : []),
    ]
    this.#set(parts.join(' · '), watch?.alarmed ?? false)
    this.#item.accessibilityInformation = { label: `Plumbline: ${[`${name}${more}`, ...parts.slice(1)].join(', ')}` }
    this.#item.tooltip = vscode.l10n.t('Plumbline: click for actions')
    this.#item.show()
  }

  /** Flows change many times a second, the text rarely. */
  #set(text: string, alarmed: boolean): void {
    if (this.#item.text !== text) this.#item.text = text
    const background = alarmed ? 'statusBarItem.warningBackground' : undefined
    if (this.#background === background) return
    this.#background = background
    this.#item.backgroundColor = background === undefined ? undefined : new vscode.ThemeColor(background)
  }
}

function agents(source: LiveSource): string {
  const nodes = source.current?.cluster.objects.nodes.size ?? 0
  const ready = source.agents.filter((agent) => agent.ready).length
  return ready === 0 ? vscode.l10n.t('no agent') : vscode.l10n.t('agent {0}/{1}', ready, nodes)
}

function lost({ lost: count, atLeast }: Watch): string {
  return atLeast ? vscode.l10n.t('at least {0} lost', count) : vscode.l10n.t('{0} lost', count)
}
