// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { MapChangeLine, MapEntry, MapPanelContract, MapView, WatchState } from '../../protocol/mapPanel.ts'
import type { PanelError } from '../../protocol/panel.ts'
import { type Bridge, HostError } from '../bridge.ts'
import { button, linkButton, progressRing } from '../components/controls.ts'
import type { FilterProblem } from '../components/filterBox.ts'
import '../components/filterBox.ts'
import { icon } from '../components/icon.ts'
import { LightElement } from '../components/lightElement.ts'
import { openMenu } from '../components/menu.ts'
import { foreign } from '../components/text.ts'
import type { MenuRequest, VirtualTable } from '../components/virtualTable.ts'
import '../components/virtualTable.ts'
import type { Layout, RowSource } from '../components/virtualTableData.ts'
import type { Host } from '../vscode.ts'
import { changeLog } from './changeLog.ts'
import { type ColumnWishes, NO_WISHES, tableColumns, tableLayout, tableRow, wishesIn, wishesOf } from './columns.ts'
import { completeFilter } from './completion.ts'
import { entryView } from './entryView.ts'
import { exact, fillView, mapHead, stateView } from './headView.ts'

/** Lines of the change log kept. */
const MOST_LINES = 500
/** Between a key press and the filter's work. */
const TYPING_MS = 150

interface Notice {
  readonly kind: 'error' | 'done'
  readonly text: string
  readonly actions: readonly string[]
}

/** The whole panel: holds what the host told last, what is selected, and how the columns are laid out. */
export class MapPanel extends LightElement {
  static override properties = {
    view: { state: true },
    broken: { state: true },
    text: { state: true },
    problem: { state: true },
    wishes: { state: true },
    selected: { state: true },
    entry: { state: true },
    field: { state: true },
    lines: { state: true },
    notice: { state: true },
  }

  declare private view: MapView | null
  declare private broken: PanelError | null
  /** The filter as it stands in the box; the host's is the last that could be understood. */
  declare private text: string
  declare private problem: FilterProblem | null
  declare private wishes: ColumnWishes
  /** Position of the selected entry among those shown. */
  declare private selected: number | null
  declare private entry: MapEntry | null
  declare private field: string | null
  declare private lines: readonly MapChangeLine[]
  declare private notice: Notice | null

  readonly #bridge: Bridge<MapPanelContract>
  readonly #host: Pick<Host, 'recall' | 'remember'>
  #typing: ReturnType<typeof setTimeout> | undefined
  #asked = 0

  constructor(bridge: Bridge<MapPanelContract>, host: Pick<Host, 'recall' | 'remember'>) {
    super()
    this.#bridge = bridge
    this.#host = host
    this.view = this.broken = this.problem = this.selected = this.entry = this.field = this.notice = null
    this.text = ''
    this.lines = []
    this.wishes = NO_WISHES
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.classList.add('table-page')
    this.#bridge.on('view', (view) => this.#show(view))
    this.#bridge.on('changes', (lines) => {
      this.lines = [...this.lines, ...lines].slice(-MOST_LINES)
    })
    this.#bridge.on('reveal', ({ position, key }) => void this.#reveal(position, key))
    this.#bridge.on('broken', (error) => {
      this.broken = error
    })
    this.#bridge.ready()
  }

  #show(view: MapView): void {
    const before = this.view
    if (before === null) {
      this.text = view.filter
      this.wishes = wishesIn(this.#host.recall(), view.id)
      this.#host.remember({ id: view.id, wishes: this.wishes })
    }
    this.view = view
    this.broken = null
    if (this.entry !== null && before?.version !== view.version) void this.#lookAgain(this.entry.key)
  }

  protected override render(): TemplateResult {
    const { view } = this
    if (this.broken !== null)
      return html`<main class="waiting"><div role="alert"><h1>This map can’t be shown.</h1><p>${foreign(this.broken.message)}</p></div></main>`
    if (view === null) return html`<main class="waiting">${progressRing('Opening the map')}</main>`
    return html`<main>
      <div class="top">${mapHead(view)} ${this.#toolbar(view)}</div>
      ${fillView(view)}
      ${stateView(view, {
        onCancel: () => void this.#attempt(this.#bridge.request('cancel', {})),
        onRefresh: () => void this.#attempt(this.#bridge.request('refresh', {})),
        onRemedy: (title) => void this.#attempt(this.#bridge.request('remedy', { title }, { timeout: null })),
      })}
      ${this.#noticeView()}
      <div class="filter-row">
        <filter-box
          .label=${'Filter entries'}
          .placeholder=${placeholder(view)}
          .value=${this.text}
          .problem=${this.problem}
          .history=${view.filterHistory}
          .complete=${async (text: string, at: number) => completeFilter(text, at, view.columns)}
          .onInput=${(text: string) => this.#type(text)}
        ></filter-box>
        <span class="shown" role="status">${shownText(view)}</span>
      </div>
      <div class="content">${this.#content(view)}</div>
      ${view.watch === 'off' && this.lines.length === 0 ? nothing : this.#log()}
    </main>`
  }

  #toolbar({ watch, canRead, canWatch, state, entries }: MapView): TemplateResult {
    const to = (wanted: WatchState) => () => void this.#attempt(this.#bridge.request('watch', { watch: wanted }))
    const whyNot = canWatch.possible ? undefined : canWatch.reason
    return html`<div class="toolbar" role="toolbar" aria-label="Map">
      ${button({
        label: 'Refresh',
        icon: 'refresh',
        disabled: canRead.possible ? (watch === 'on' ? 'it is being watched' : undefined) : canRead.reason,
        busy: state === 'reading',
        onPress: () => void this.#attempt(this.#bridge.request('refresh', {})),
      })}
      ${
        watch === 'off'
          ? button({ label: 'Watch', icon: 'debug-start', disabled: whyNot, onPress: to('on') })
          : html`${
              watch === 'on'
                ? button({ label: 'Pause', icon: 'debug-pause', onPress: to('paused') })
                : button({ label: 'Continue', icon: 'debug-continue', disabled: whyNot, onPress: to('on') })
            } ${button({ label: 'Stop Watching', icon: 'debug-stop', onPress: to('off') })}`
      }
      ${button({ label: 'Export…', icon: 'export', disabled: entries === 0 ? 'there is nothing to export' : undefined, onPress: () => this.#exportMenu() })}
      ${whyNot !== undefined && watch === 'off' ? html`<span class="note why">can’t be watched: ${foreign(whyNot)}</span>` : nothing}
    </div>`
  }

  #content(view: MapView): TemplateResult {
    if (view.shown === 0) return this.#emptyView(view)
    return html`<virtual-table
        .label=${`Entries of ${view.name}`}
        .columns=${tableColumns(view.columns)}
        .layout=${tableLayout(view, this.wishes)}
        .count=${view.shown}
        .version=${view.version}
        .source=${this.#rows}
        .sort=${view.sort && { column: view.sort.column, direction: view.sort.descending ? 'descending' : 'ascending' }}
        .selected=${this.selected}
        .onSelect=${this.#select}
        .onActivate=${this.#select}
        .onSort=${this.#sort}
        .onLayout=${this.#layOut}
        .onMenu=${this.#rowMenu}
      ></virtual-table>
      ${
        this.entry === null
          ? nothing
          : entryView(this.entry, {
              onClose: () => this.#deselect(),
              onCopy: (as) => void this.#copy(this.entry?.key ?? '', as),
              onFind: (query) => void this.#attempt(this.#bridge.request('find', { query }, { timeout: null })),
              field: this.field,
              onField: (field) => {
                this.field = field
              },
            })
      }`
  }

  /** Nothing to show, and why. */
  #emptyView({ state, entries, filter, ordering, canRead }: MapView): TemplateResult {
    const text = (words: unknown) => html`<div class="empty-view"><p>${icon('info')} ${words}</p></div>`
    if (state === 'reading' || ordering) return html`<div class="empty-view">${progressRing('Reading the map')}</div>`
    if (!canRead.possible) return text(html`The contents can’t be read: ${foreign(canRead.reason)}.`)
    if (entries === 0) return text(state === 'ready' ? 'The map is empty.' : 'Nothing was read.')
    return text(
      html`None of ${exact(entries)} entries matches ${foreign(filter)}. ${linkButton('Clear filter', 'Clear filter', () => this.#type('', 0))}`,
    )
  }

  #log(): TemplateResult {
    return changeLog(this.lines, {
      onClear: () => {
        this.lines = []
      },
      onShow: (key) => void this.#showKey(key),
    })
  }

  #noticeView(): TemplateResult {
    const { notice } = this
    const close = () => {
      this.notice = null
    }
    return html`<div role=${notice?.kind === 'error' ? 'alert' : 'status'}>${
      notice === null
        ? nothing
        : html`<p class="notice ${notice.kind}">${icon(notice.kind === 'error' ? 'error' : 'check')} ${foreign(notice.text)}
          ${notice.actions.map((title) => linkButton(title, title, () => void this.#attempt(this.#bridge.request('remedy', { title }, { timeout: null }))))}
          ${linkButton('Dismiss', 'Dismiss message', close)}</p>`
    }</div>`
  }

  readonly #rows: RowSource = async (from, to, signal) => {
    const { rows } = await this.#bridge.request('rows', { from, to }, { signal })
    return rows.map(tableRow)
  }

  readonly #select = (index: number): void => {
    this.selected = index
    void this.#bridge.request('rows', { from: index, to: index + 1 }).then(({ rows: [row] }) => {
      if (row !== undefined && this.selected === index) return this.#showEntry(row.key)
      return undefined
    })
  }

  async #showEntry(key: string): Promise<void> {
    const asked = ++this.#asked
    const entry = await this.#attempt(this.#bridge.request('entry', { key }))
    if (asked === this.#asked && entry !== undefined) this.entry = entry
  }

  /** Rows may mean others now: the selected entry is looked for. */
  async #lookAgain(key: string): Promise<void> {
    const { position } = await this.#bridge.request('position', { key })
    if (this.entry?.key !== key) return
    this.selected = position
    await this.#showEntry(key)
  }

  async #showKey(key: string): Promise<void> {
    const { position } = await this.#bridge.request('position', { key })
    if (position !== null) await this.#reveal(position, key)
    else
      this.notice = { kind: 'done', text: 'That entry is no longer shown: it is gone, or the filter leaves it out.', actions: [] }
  }

  async #reveal(position: number, key: string): Promise<void> {
    this.selected = position
    await this.#showEntry(key)
    await this.updateComplete
    const table = this.querySelector<VirtualTable>('virtual-table')
    await table?.updateComplete
    // The entry's details may have taken room from the table, which notices with the next frames.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    table?.reveal(position)
  }

  #deselect(): void {
    this.selected = this.entry = null
    this.querySelector<VirtualTable>('virtual-table')?.focus()
  }

  #type(text: string, wait = TYPING_MS): void {
    this.text = text
    clearTimeout(this.#typing)
    this.#typing = setTimeout(() => void this.#applyFilter(text), wait)
  }

  async #applyFilter(text: string): Promise<void> {
    const outcome = await this.#attempt(this.#bridge.request('filter', { text }))
    if (outcome === undefined || this.text !== text) return
    this.problem = outcome.ok ? null : { at: outcome.at, reason: outcome.message }
  }

  /** Up, down, and back to the order of keys. */
  readonly #sort = (column: string): void => {
    const sort = this.view?.sort ?? null
    const next = sort?.column !== column ? { column, descending: false } : sort.descending ? null : { column, descending: true }
    void this.#attempt(this.#bridge.request('sort', { sort: next }))
  }

  readonly #layOut = (layout: Layout): void => {
    if (this.view === null) return
    this.wishes = wishesOf(this.view.columns, layout)
    this.#host.remember({ id: this.view.id, wishes: this.wishes })
  }

  readonly #rowMenu = ({ index, column, x, y }: MenuRequest): void => {
    void this.#bridge.request('rows', { from: index, to: index + 1 }).then(async ({ rows: [row] }) => {
      if (row === undefined || this.view === null) return
      const entry = await this.#bridge.request('entry', { key: row.key })
      const id = this.view.columns[column - 1]?.id
      const finds = [...new Set((entry?.fields ?? []).flatMap(({ find }) => find ?? []))]
      const here = entry?.fields.find((field) => `${field.side}.${field.name}` === id)
      const ordered = here?.find == null ? finds : [here.find, ...finds.filter((find) => find !== here.find)]
      openMenu(
        'Entry',
        [
          { label: 'Show Details', icon: 'layout-sidebar-right', onChoose: () => this.#select(index) },
          ...ordered.map((find, at) => ({
            label: `Find Everything About ${find}`,
            icon: 'type-hierarchy' as const,
            separated: at === 0,
            onChoose: () => void this.#attempt(this.#bridge.request('find', { query: find }, { timeout: null })),
          })),
          ...(here === undefined
            ? []
            : [
                {
                  label: `Filter by ${here.name}`,
                  icon: 'filter' as const,
                  separated: true,
                  onChoose: () => this.#filterBy(here.name, here.text),
                },
              ]),
          { label: 'Copy Row', icon: 'copy', separated: true, onChoose: () => void this.#copy(row.key, 'text') },
          { label: 'Copy as JSON', onChoose: () => void this.#copy(row.key, 'json') },
          { label: 'Copy Bytes', onChoose: () => void this.#copy(row.key, 'hex') },
        ],
        x,
        y,
      )
    })
  }

  #filterBy(field: string, text: string): void {
    // A value with a name is told as "name (value)".
    const value = /\((\d+)\)$/.exec(text)?.[1] ?? text
    const condition = `${field}=${/^[\w.:/-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`}`
    this.#type(this.text.trim() === '' ? condition : `(${this.text.trim()}) and ${condition}`, 0)
  }

  #exportMenu(): void {
    const { left, bottom } = this.querySelector('.toolbar')?.getBoundingClientRect() ?? { left: 0, bottom: 0 }
    const item = (label: string, format: 'csv' | 'json', rows: 'shown' | 'all', separated = false) => ({
      label,
      separated,
      onChoose: () => void this.#export(format, rows),
    })
    const filtered = this.view !== null && this.view.shown < this.view.entries
    openMenu(
      'Export',
      [
        item(filtered ? 'Rows Shown as CSV' : 'CSV', 'csv', 'shown'),
        item(filtered ? 'Rows Shown as JSON' : 'JSON', 'json', 'shown'),
        ...(filtered ? [item('All Entries as CSV', 'csv', 'all', true), item('All Entries as JSON', 'json', 'all')] : []),
      ],
      left,
      bottom,
    )
  }

  async #export(format: 'csv' | 'json', rows: 'shown' | 'all'): Promise<void> {
    const saved = await this.#attempt(this.#bridge.request('export', { format, rows }, { timeout: null }))
    if (saved) this.notice = { kind: 'done', text: `${exact(saved.rows)} entries saved to ${saved.path}`, actions: [] }
  }

  async #copy(key: string, as: 'text' | 'json' | 'hex'): Promise<void> {
    const done = await this.#attempt(this.#bridge.request('copy', { key, as }))
    if (done !== undefined) this.notice = { kind: 'done', text: 'Copied.', actions: [] }
  }

  /** Waits for the host; a failure becomes the message one sees. */
  async #attempt<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (error.code !== 'cancelled') this.notice = { kind: 'error', text: error.message, actions: error.actions }
      return undefined
    }
  }
}

function placeholder({ columns }: MapView): string {
  const names = columns.filter(({ side }) => side !== null).map(({ title }) => title)
  const example = names.includes('port') ? 'port=80 and address~10.96' : `${names[0] ?? 'key'}=…`
  return `Filter (${example}), or any text`
}

function shownText({ shown, entries, ordering, filter }: MapView): string {
  const text = filter === '' ? `${exact(entries)} entries` : `${exact(shown)} of ${exact(entries)} entries`
  return ordering ? `${text}, working…` : text
}

customElements.define('map-panel', MapPanel)
