// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { FindPanelContract, FindView } from '../../protocol/findPanel.ts'
import type { PanelError } from '../../protocol/panel.ts'
import { type Bridge, HostError } from '../bridge.ts'
import { button, linkButton, progressRing } from '../components/controls.ts'
import '../components/filterBox.ts'
import { icon } from '../components/icon.ts'
import { LightElement } from '../components/lightElement.ts'
import { openMenu } from '../components/menu.ts'
import { foreign } from '../components/text.ts'
import type { MenuRequest } from '../components/virtualTable.ts'
import '../components/virtualTable.ts'
import type { Layout, RowSource } from '../components/virtualTableData.ts'
import { NO_LAYOUT } from '../components/virtualTableData.ts'
import type { Host } from '../vscode.ts'
import { FIND_GROUP_TITLES } from '../../core/find/found.ts'
import { COLUMNS, type Group, groupCounts, type Shown, shownRows, tableRow } from './foundRows.ts'

const SEARCH_TIMEOUT = 300_000

/** Everything that mentions an address or an identity: a list one narrows by kind and by words; Enter opens the evidence. */
export class FindPanel extends LightElement {
  static override properties = {
    view: { state: true },
    broken: { state: true },
    group: { state: true },
    text: { state: true },
    selected: { state: true },
    layout: { state: true },
    failure: { state: true },
  }

  declare private view: FindView | null
  declare private broken: PanelError | null
  declare private group: Group | null
  declare private text: string
  declare private selected: number | null
  declare private layout: Layout
  declare private failure: string | null

  readonly #bridge: Bridge<FindPanelContract>
  readonly #host: Pick<Host, 'remember'>
  #shown: readonly Shown[] = []
  #version = 0

  constructor(bridge: Bridge<FindPanelContract>, host: Pick<Host, 'remember'>) {
    super()
    this.#bridge = bridge
    this.#host = host
    this.view = this.broken = this.group = this.selected = this.failure = null
    this.text = ''
    this.layout = NO_LAYOUT
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.classList.add('table-page')
    this.#bridge.on('view', (view) => {
      this.view = view
      this.broken = null
      this.#host.remember({ query: view.query, source: view.source })
    })
    this.#bridge.on('broken', (error) => {
      this.broken = error
    })
    this.#bridge.ready()
  }

  protected override render(): TemplateResult {
    if (this.broken !== null) return this.#brokenView(this.broken)
    const { view } = this
    if (view === null) return html`<main class="waiting">${progressRing('Searching')}</main>`
    this.#shown = shownRows(view.found, { group: this.group, text: this.text })
    this.#version++
    return html`<main>
      ${this.#head(view)} ${this.#notes(view)}
      <div class="chips" role="group" aria-label="Kinds">
        ${this.#chip(null, 'All', view.found.length)} ${groupCounts(view.found).map(([group, count]) => this.#chip(group, FIND_GROUP_TITLES[group], count))}
      </div>
      <div class="filter-row">
        <filter-box
          .label=${'Filter what was found'}
          .placeholder=${'Filter by any words: a node, a chain, a map…'}
          .value=${this.text}
          .onInput=${(text: string) => {
            this.text = text
            this.selected = null
          }}
        ></filter-box>
        <span class="shown" role="status">${this.#shown.length} of ${view.found.length}${view.truncated ? '+' : ''} places</span>
      </div>
      <div class="content">${this.#content(view)}</div>
    </main>`
  }

  #head({ query, wanted, facts, nodes, capturedAt, searching }: FindView): TemplateResult {
    return html`<div class="top">
      <div class="head">
        <h1>${icon('type-hierarchy', { tone: 'quiet' })} Everything about ${foreign(query)}${wanted === query || wanted === '' ? nothing : html` <span class="note">${foreign(wanted)}</span>`}</h1>
        <p class="facts">
          ${foreign(facts)} · ${nodes.length === 1 ? '1 node searched' : `${nodes.length} nodes searched`}${
            capturedAt === null
              ? nothing
              : html` · facts of <time datetime=${capturedAt}>${new Date(capturedAt).toLocaleString(undefined, { hour12: false })}</time>`
          }
        </p>
      </div>
      <div class="toolbar" role="toolbar" aria-label="Search">
        ${
          searching === null
            ? button({
                label: 'Search Again',
                icon: 'refresh',
                onPress: () => void this.#attempt(this.#bridge.request('refresh', {}, { timeout: SEARCH_TIMEOUT })),
              })
            : html`<span class="note" role="status">${foreign(searching)}</span> ${button({ label: 'Stop', icon: 'stop-circle', onPress: () => void this.#attempt(this.#bridge.request('cancel', {})) })}`
        }
      </div>
    </div>`
  }

  #notes({ everything, truncated, gaps }: FindView): TemplateResult {
    const notes = [...(truncated ? ['There was more than is kept here; ask about something more particular.'] : []), ...gaps]
    return html`<div role="alert">${this.failure === null ? nothing : html`<p class="banner error">${icon('error', { tone: 'bad' })} <span>${foreign(this.failure)}</span></p>`}</div>
      ${notes.map((note) => html`<p class="banner">${icon('warning', { tone: 'warned' })} <span>${foreign(note)}</span></p>`)}
      ${everything === 0 ? nothing : html`<p class="note">${everything} routes, rules and entries for any address at all (such as 0.0.0.0/0) are left out.</p>`}`
  }

  #chip(group: Group | null, title: string, count: number): TemplateResult {
    return html`<button
      type="button"
      class="chip"
      aria-pressed=${String(this.group === group)}
      @click=${() => {
        this.group = group
        this.selected = null
      }}
    >${title} <span class="count">${count}</span></button>`
  }

  #content({ searching, found, query }: FindView): TemplateResult {
    if (this.#shown.length === 0) {
      const text =
        found.length > 0
          ? 'Nothing that was found matches the filter.'
          : searching === null
            ? html`Nothing in these facts mentions ${foreign(query)}.`
            : 'Searching…'
      return html`<div class="empty-view"><p>${icon('info')} ${text}</p></div>`
    }
    return html`<virtual-table
      .label=${'What was found'}
      .columns=${COLUMNS}
      .layout=${this.layout}
      .count=${this.#shown.length}
      .version=${this.#version}
      .source=${this.#rows}
      .selected=${this.selected}
      .onSelect=${(index: number) => {
        this.selected = index
      }}
      .onActivate=${(index: number) => this.#open(index)}
      .onLayout=${(layout: Layout) => {
        this.layout = layout
      }}
      .onMenu=${this.#menu}
    ></virtual-table>`
  }

  readonly #rows: RowSource = (from, to) => this.#shown.slice(from, to).map(({ row }) => tableRow(row))

  readonly #menu = ({ index, x, y }: MenuRequest): void => {
    const found = this.#shown[index]
    if (found === undefined) return
    openMenu(
      'Place',
      [
        { label: 'Open Evidence', icon: 'go-to-file', onChoose: () => this.#open(index) },
        { label: 'Copy', icon: 'copy', onChoose: () => void this.#attempt(this.#bridge.request('copy', { index: found.index })) },
      ],
      x,
      y,
    )
  }

  #open(index: number): void {
    const found = this.#shown[index]
    if (found !== undefined) void this.#attempt(this.#bridge.request('open', { index: found.index }))
  }

  #brokenView({ message, actions = [] }: PanelError): TemplateResult {
    return html`<main class="waiting"><div role="alert">
      <h1>${icon('error', { tone: 'bad' })} This can’t be searched.</h1>
      <p>${foreign(message)}</p>
      <p>${actions.map((title) => linkButton(title, title, () => void this.#attempt(this.#bridge.request('remedy', { title }, { timeout: null }))))}</p>
    </div></main>`
  }

  async #attempt(asked: Promise<unknown>): Promise<void> {
    try {
      this.failure = null
      await asked
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (error.code !== 'cancelled') this.failure = error.message
    }
  }
}

customElements.define('find-panel', FindPanel)
