// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import type {
  DropGroup,
  FlowAction,
  FlowDetails,
  FlowsCommand,
  FlowsPanelContract,
  FlowsState,
  MapOfServices,
  RateSeries,
} from '../../protocol/flowsPanel.ts'
import { type Bridge, HostError } from '../bridge.ts'
import { progressRing } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { LightElement } from '../components/lightElement.ts'
import { firstLayout, type Layout, type RowSource } from '../components/virtualTableData.ts'
import type { MenuRequest, VirtualTable } from '../components/virtualTable.ts'
import '../components/virtualTable.ts'
import type { Host } from '../vscode.ts'
import { flowDetails } from './detailsView.ts'
import { dropsView } from './dropsView.ts'
import { emptyView } from './emptyView.ts'
import { exact } from './figures.ts'
import type { FilterBox, FilterProblem } from '../components/filterBox.ts'
import '../components/filterBox.ts'
import { FLOW_COLUMNS, tableRow } from './flowColumns.ts'
import './rateChart.ts'
import { narrowed, openRowMenu } from './rowMenu.ts'
import { serviceMap } from './serviceMap.ts'
import { stats, streamDetails } from './statsView.ts'
import { alarms, type Notice, noDrops, noticeBar } from './notices.ts'
import { actions, sourceLine, tabs } from './toolbar.ts'
import { remembering, restoreState, type Tab, type UiState } from './uiState.ts'

/** How often what is counted (drops, map, rate) is counted anew while flows come. */
const RECOUNT_MS = 1000
const BUCKETS = 120

/** The whole panel: shows what the host holds, and keeps what a person chose in it. */
export class FlowsPanel extends LightElement {
  static override properties = {
    state: { state: true },
    ui: { state: true },
    text: { state: true },
    problem: { state: true },
    follow: { state: true },
    selected: { state: true },
    details: { state: true },
    drops: { state: true },
    map: { state: true },
    rate: { state: true },
    account: { state: true },
    notice: { state: true },
  }

  declare private state: FlowsState | null
  declare private ui: UiState
  /** The filter as it stands in the box; the host's is the last that could be understood. */
  declare private text: string
  declare private problem: FilterProblem | null
  /** Whether the table stays at the newest row. */
  declare private follow: boolean
  /** Index in the view. */
  declare private selected: number | null
  declare private details: FlowDetails | null
  declare private drops: readonly DropGroup[] | null
  declare private map: MapOfServices | null
  declare private rate: RateSeries | null
  /** The account of rate and loss is open. */
  declare private account: boolean
  declare private notice: Notice | null

  readonly #bridge: Bridge<FlowsPanelContract>
  readonly #host: Pick<Host, 'recall' | 'remember'>
  /** End of the rows that were in sight when one left the end. */
  #seenEnd = 0
  #recount: ReturnType<typeof setTimeout> | undefined
  #recounted = ''
  #restFor = RECOUNT_MS
  #detailsAsked: AbortController | undefined
  #applying = Promise.resolve(false)

  constructor(bridge: Bridge<FlowsPanelContract>, host: Pick<Host, 'recall' | 'remember'>) {
    super()
    this.#bridge = bridge
    this.#host = host
    this.state = null
    this.ui = restoreState(host.recall(), firstLayout(FLOW_COLUMNS))
    this.text = ''
    this.follow = true
    this.account = false
    this.problem = this.selected = this.details = this.drops = this.map = this.rate = this.notice = null
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#bridge.on('state', (state) => this.#show(state))
    this.#bridge.on('broken', ({ message, actions: remedies = [] }) => {
      this.notice = { kind: 'error', text: message, actions: remedies }
    })
    this.#bridge.on('filterSet', ({ text }) => this.#setFilter(text))
    this.#bridge.ready()
  }

  #show(state: FlowsState): void {
    const before = this.state
    this.state = state
    if (before === null) {
      this.text = state.filter
      void this.#restoreSelection()
    }
    if (before !== null && before.generation !== state.generation) this.#otherView()
    void this.updateComplete.then(() => {
      this.#table?.provide(state.first + state.count - state.tail.length, state.tail.map(tableRow))
      // The next state may come when this one is on the screen.
      requestAnimationFrame(() => this.#bridge.emit('seen', { tick: state.tick }))
    })
    this.#countLater()
  }

  /** After the page was made anew: shows the flow that was selected, if it is still kept and still the same one. */
  async #restoreSelection(): Promise<void> {
    const { selected } = this.ui
    if (selected === null) return
    const { seq, uuid } = selected
    const details = await this.#attempt(this.#bridge.request('details', { seq }))
    if (!details || details.uuid !== uuid) return
    this.details = details
    const found = await this.#attempt(this.#bridge.request('locate', { seq }))
    if (!found) return
    this.selected = found.index
    this.follow = false
    await this.updateComplete
    this.#table?.reveal(found.index)
  }

  /** Rows mean others now: what was selected is looked for, and shown at its new place. */
  #otherView(): void {
    this.selected = null
    this.follow = true
    const { details } = this
    void this.updateComplete.then(() => this.#table?.reset())
    if (details === null) return
    void this.#attempt(this.#bridge.request('locate', { seq: details.seq })).then((found) => {
      if (found && this.details === details) this.selected = found.index
    })
  }

  get #table(): VirtualTable | null {
    return this.querySelector<VirtualTable>('virtual-table')
  }

  #remember(change: Partial<UiState>): void {
    this.ui = { ...this.ui, ...change }
    this.#host.remember(this.ui)
  }

  protected override render(): TemplateResult {
    const { state } = this
    if (state === null) return html`<main class="waiting">${progressRing('Loading flows')}</main>`
    return html`<main>
      <h1 class="spoken">Flows</h1>
      <div class="bar">
        ${tabs(this.ui.tab, (tab) => this.#openTab(tab))}
        <filter-box
          .label=${'Filter flows'}
          .placeholder=${'Filter (pod:shop/web verdict:dropped port:5432 -ns:kube-system), or hubble flags'}
          .value=${this.text}
          .problem=${this.problem}
          .history=${this.ui.history}
          .complete=${(text: string, at: number) => this.#bridge.request('complete', { text, at })}
          .onInput=${(text: string) => void this.#apply(text)}
          .onDone=${(text: string) => void this.#used(text)}
        ></filter-box>
        ${actions(state, {
          run: (command) => this.#run(command),
          chart: this.ui.chart,
          details: this.ui.details,
          onChart: () => this.#remember({ chart: !this.ui.chart }),
          onDetails: () => this.#remember({ details: !this.ui.details }),
        })}
        ${stats(state, this.account, () => {
          this.account = !this.account
        })}
      </div>
      ${alarms(state)} ${noticeBar(
        this.notice,
        (title) => this.#remedy(title),
        () => {
          this.notice = null
        },
      )} ${this.account ? streamDetails(state) : nothing} ${sourceLine(state)}
      ${this.ui.chart && state.kept > 0 ? html`<rate-chart .series=${this.rate} .onChoose=${(from: number, to: number) => this.#chooseTime(from, to)}></rate-chart>` : nothing}
      <div class="content" id="flows-content" role="tabpanel" aria-labelledby="tab-${this.ui.tab}">${this.#content(state)}</div>
    </main>`
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has('details')) {
      this.querySelector('.details')?.scrollTo(0, 0)
      const { details } = this
      if (changed.get('details') !== undefined) this.#remember({ selected: details && { seq: details.seq, uuid: details.uuid } })
    }
    if (changed.has('state') && this.state !== null && this.follow) this.#seenEnd = this.state.first + this.state.count
  }

  #content(state: FlowsState): unknown {
    const empty = emptyView(state, {
      run: (command) => this.#run(command),
      remedy: (title) => this.#remedy(title),
      onClearFilter: () => this.#setFilter(''),
    })
    if (empty !== null) return empty
    if (this.ui.tab === 'map') return serviceMap(this.map, (text) => this.#showOnly(text))
    if (this.ui.tab === 'drops')
      return this.drops?.length === 0
        ? noDrops(this.text.trim() !== '')
        : dropsView(this.drops, { onFilter: (text) => this.#showOnly(text), act: (action, seq) => void this.#act(action, seq) })
    const fresh = state.first + state.count - this.#seenEnd
    return html`<div class="flows ${this.ui.details && this.details !== null ? 'with-details' : ''}">
      <div class="table-frame">
        <virtual-table
          .label=${'Flows'}
          .columns=${FLOW_COLUMNS}
          .first=${state.first}
          .count=${state.count}
          .source=${this.#source}
          .selected=${this.selected}
          .layout=${this.ui.layout}
          .follow=${this.follow}
          .onSelect=${this.#select}
          .onActivate=${this.#activate}
          .onMenu=${this.#menu}
          .onLayout=${(layout: Layout) => this.#remember({ layout })}
          .onFollow=${this.#onFollow}
        ></virtual-table>
        ${!this.follow && fresh > 0 ? html`<button type="button" class="pill" @click=${this.#toEnd}>${icon('arrow-down')} ${exact(fresh)} new</button>` : nothing}
      </div>
      ${this.ui.details && this.details !== null ? flowDetails(this.details, { act: (action) => this.#actOnSelected(action), onFilter: (text) => this.#showOnly(narrowed(this.text, text)), onClose: () => this.#closeDetails() }) : nothing}
    </div>`
  }

  readonly #source: RowSource = async (from, to, signal) => {
    const { state } = this
    if (state === null) return []
    const rows = await this.#bridge.request('rows', { generation: state.generation, from, to }, { signal })
    return rows.map(tableRow)
  }

  readonly #select = (index: number): void => {
    this.selected = index
    void this.#loadDetails(index)
  }

  readonly #activate = (): void => {
    if (!this.ui.details) this.#remember({ details: true })
  }

  /** The flow at a place of the view; only the last one asked for counts. */
  async #loadDetails(index: number): Promise<FlowDetails | null> {
    this.#detailsAsked?.abort()
    const asked = new AbortController()
    this.#detailsAsked = asked
    const { state } = this
    if (state === null) return null
    const options = { signal: asked.signal }
    try {
      const [row] = await this.#bridge.request('rows', { generation: state.generation, from: index, to: index + 1 }, options)
      const details = row === undefined ? null : await this.#bridge.request('details', { seq: row.seq }, options)
      if (this.#detailsAsked === asked) this.details = details
      return details
    } catch (error) {
      this.#tell(error)
      return null
    }
  }

  #closeDetails(): void {
    this.details = null
    this.#table?.focus()
  }

  readonly #menu = ({ index, column, x, y }: MenuRequest): void => {
    this.selected = index
    void this.#loadDetails(index).then((details) => {
      if (details === null) return
      openRowMenu(
        details,
        { column: FLOW_COLUMNS[column]?.id, x, y },
        {
          act: (action) => void this.#act(action, details.seq),
          onFilter: (text) => this.#showOnly(narrowed(this.text, text)),
          onExclude: (text) => this.#showOnly(narrowed(this.text, `-${text}`)),
        },
      )
    })
  }

  readonly #onFollow = (follow: boolean): void => {
    this.follow = follow
    if (this.state !== null) this.#seenEnd = this.state.first + this.state.count
  }

  readonly #toEnd = (): void => {
    this.#onFollow(true)
    this.#table?.focus()
  }

  #openTab(tab: Tab): void {
    this.#remember({ tab })
    this.#recounted = ''
    void this.#count()
  }

  /** Shows the flows of a filter: where a press on a drop, an end or a line leads. */
  #showOnly(text: string): void {
    this.#remember({ tab: 'flows', history: remembering(this.ui.history, text) })
    this.#setFilter(text)
  }

  #setFilter(text: string): void {
    this.text = text
    void this.#apply(text)
  }

  /** Remembers a filter that could be understood. */
  async #used(text: string): Promise<void> {
    if (this.text === text && (await this.#applying)) this.#remember({ history: remembering(this.ui.history, text) })
  }

  /** Whether it could be understood. */
  #apply(text: string): Promise<boolean> {
    this.#applying = this.#filterBy(text)
    return this.#applying
  }

  async #filterBy(text: string): Promise<boolean> {
    this.text = text
    const filtered = await this.#attempt(this.#bridge.request('filter', { text }))
    if (filtered !== undefined && this.text === text)
      this.problem = filtered.ok ? null : { at: filtered.at, reason: filtered.reason }
    return filtered?.ok === true
  }

  #chooseTime(from: number, to: number): void {
    const iso = (seconds: number) => new Date(Math.round(seconds * 1000)).toISOString()
    const rest = this.text.split(/\s+/).filter((part) => part !== '' && !/^(since|until):/.test(part))
    this.#setFilter([...rest, `since:${iso(from)}`, `until:${iso(to)}`].join(' '))
  }

  /** Counts what is in sight anew, now and then, when there is something new. */
  #countLater(): void {
    this.#recount ??= setTimeout(
      () => {
        this.#recount = undefined
        void this.#count()
      },
      this.#recounted === '' ? 0 : this.#restFor,
    )
  }

  async #count(): Promise<void> {
    const { state, ui } = this
    if (state === null) return
    const of = `${state.generation}/${state.first + state.count}/${state.came}/${ui.tab}/${ui.chart}`
    if (of === this.#recounted) return
    this.#recounted = of
    const began = performance.now()
    if (ui.chart && state.kept > 0)
      this.rate = (await this.#attempt(this.#bridge.request('rate', { buckets: BUCKETS }))) ?? this.rate
    if (ui.tab === 'drops') this.drops = (await this.#attempt(this.#bridge.request('drops', {}))) ?? this.drops
    if (ui.tab === 'map') this.map = (await this.#attempt(this.#bridge.request('serviceMap', {}))) ?? this.map
    // Of many flows it takes the host a while: it has other things to do as well.
    this.#restFor = Math.max(RECOUNT_MS, 10 * (performance.now() - began))
  }

  #run(command: FlowsCommand): void {
    void this.#attempt(this.#bridge.request('run', { command }, { timeout: null }))
  }

  #remedy(title: string): void {
    void this.#attempt(this.#bridge.request('remedy', { title }, { timeout: null }))
  }

  #actOnSelected(action: FlowAction): void {
    if (this.details !== null) void this.#act(action, this.details.seq)
  }

  async #act(action: FlowAction, seq: number): Promise<void> {
    const done = await this.#attempt(this.#bridge.request('act', { action, seq }, { timeout: null }))
    if (done) this.notice = { kind: 'done', text: done.said, actions: [] }
  }

  /** Waits for the host; a failure becomes the message one sees. */
  async #attempt<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked
    } catch (error) {
      this.#tell(error)
      return undefined
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof HostError)) throw error
    if (error.code !== 'cancelled') this.notice = { kind: 'error', text: error.message, actions: error.actions }
  }

  /** Puts the keyboard into the filter. */
  focusFilter(): void {
    this.querySelector<FilterBox>('filter-box')?.focus()
  }
}

customElements.define('flows-panel', FlowsPanel)
