// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { CancelledError, PlumblineError } from '../../cluster/errors.ts'
import { type FindAnswer, findEverything } from '../../core/find/find.ts'
import { parseWanted, wantedText } from '../../core/find/wanted.ts'
import { printable } from '../../core/text/printable.ts'
import type { FindPanelContract, FindView } from '../../protocol/findPanel.ts'
import { Owner } from '../disposable.ts'
import type { FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import { WebviewPage } from '../webview/page.ts'
import type { FindsParts } from './finds.ts'

/** Between two tellings of how far it is, milliseconds. */
const TELL_MS = 200

/** What the facts hold about one address or identity: the host's side. */
export class FindPanel extends Owner {
  readonly panel: vscode.WebviewPanel
  readonly #source: FactSource
  readonly #page: WebviewPage<FindPanelContract>
  #query: string
  #wanted = ''
  #answer: FindAnswer | undefined
  #searching: string | undefined
  #running: AbortController | undefined

  constructor(panel: vscode.WebviewPanel, source: FactSource, query: string, parts: FindsParts) {
    super()
    this.panel = panel
    this.#source = source
    this.#query = query
    panel.title = titleOf(query)
    const icon = (theme: string) => vscode.Uri.joinPath(parts.extensionUri, 'media', 'icons', `map-${theme}.svg`)
    panel.iconPath = { light: icon('light'), dark: icon('dark') }
    this.#page = this.own(
      new WebviewPage<FindPanelContract>(panel.webview, {
        extensionUri: parts.extensionUri,
        failures: parts.failures,
        panel: 'find',
        title: panel.title,
        handlers: {
          open: async ({ index }) => {
            const found = this.#answer?.found[index]
            if (found !== undefined) await parts.evidence.open(source.id, found.evidence)
            return null
          },
          copy: async ({ index }) => {
            const found = this.#answer?.found[index]
            if (found !== undefined) await vscode.env.clipboard.writeText(`${found.node}\t${found.place}\t${found.text}`)
            return null
          },
          search: async ({ query: other }) => {
            await this.search(other)
            return null
          },
          refresh: async () => {
            await this.search(this.#query, 0)
            return null
          },
          cancel: async () => {
            this.#running?.abort()
            return null
          },
        },
      }),
    )
    this.own({ dispose: () => this.#running?.abort() })
    this.own(panel.onDidDispose(() => this.dispose()))
  }

  get view(): FindView {
    const { current, kind } = this.#source
    const answer = this.#answer
    const state = kind === 'bundle' ? vscode.l10n.t('bundle') : vscode.l10n.t('live')
    return {
      query: this.#query,
      wanted: this.#wanted,
      source: this.#source.id,
      facts: printable(`${this.#source.name} (${state})`),
      capturedAt: current?.capturedAt ?? null,
      searching: this.#searching ?? null,
      found: (answer?.found ?? []).map(({ group, node, place, text, within }) => ({
        group,
        node: printable(node),
        place: printable(place),
        text: printable(text),
        within: within ?? null,
      })),
      everything: answer?.everything ?? 0,
      truncated: answer?.truncated ?? false,
      nodes: answer?.nodes ?? [],
      gaps: (answer?.gaps ?? []).map(printable),
    }
  }

  /** Searches the snapshots of all nodes whose agents answer; those taken before are used again unless too old. */
  async search(query: string, maxAge?: number): Promise<void> {
    this.#running?.abort()
    const running = new AbortController()
    this.#running = running
    this.#query = query
    this.panel.title = titleOf(query)
    this.#page.show(() => this.#page.tell('view', this.view))
    try {
      this.#tell(vscode.l10n.t('Collecting facts…'))
      const source = this.#source
      const nodes = source instanceof LiveSource ? source.agents.filter(({ ready }) => ready).map(({ node }) => node) : []
      const facts = await source.facts({ nodes, signal: running.signal, ...(maxAge !== undefined && { maxAge }) })
      const wanted = parseWanted(query, facts.cluster.objects)
      this.#wanted = wantedText(wanted)
      let told = Date.now()
      this.#answer = await findEverything(facts.cluster, facts.files, wanted, {
        pause: async (searched) => {
          await new Promise((resolve) => setImmediate(resolve))
          if (running.signal.aborted) throw new CancelledError()
          if (Date.now() - told < TELL_MS) return
          told = Date.now()
          this.#tell(vscode.l10n.t('Searched {0}', printable(searched)))
        },
      })
    } catch (error) {
      if (this.#running === running && !PlumblineError.is(error, 'cancelled')) this.#page.fail(error)
    } finally {
      if (this.#running === running) {
        this.#running = undefined
        this.#tell(undefined)
      }
    }
  }

  #tell(searching: string | undefined): void {
    this.#searching = searching
    if (!this.disposed) this.#page.tell('view', this.view)
  }
}

function titleOf(query: string): string {
  return printable(vscode.l10n.t('Everything About {0}', query))
}
