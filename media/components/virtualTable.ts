// SPDX-License-Identifier: Apache-2.0

import { html, type PropertyValues, type TemplateResult } from 'lit'
import { LightElement } from './lightElement.ts'
import { openMenu } from './menu.ts'
import { TableBody } from './virtualTableBody.ts'
import {
  cellText,
  type Column,
  laidOut,
  type Layout,
  NO_LAYOUT,
  type Row,
  type RowSource,
  type Sort,
} from './virtualTableData.ts'
import { columnMenu, headerRow, neighbourColumn, tracks, widened } from './virtualTableHeader.ts'
import { HEADER, isMenuKey, openAt, rowAfterKey } from './virtualTableKeys.ts'
import { RowCache } from './virtualTableRows.ts'
import { ScrollModel } from './virtualTableScroll.ts'

const ROW_HEIGHT = 22
const HEAD_HEIGHT = 26
const SETTLED_AFTER_MS = 150

export interface MenuRequest {
  /** Absolute index of the row, and of the column in it; −1 when it is for the row as a whole. */
  readonly index: number
  readonly column: number
  readonly x: number
  readonly y: number
}

let tables = 0

/**
 * A table of any number of rows, of which only those in sight exist; they come from `source` by index. A grid for assistive
 * technology. Keys: arrows, Page Up and Down, Home and End move; right and left go into the cells; above the first row is the
 * header, where Enter sorts, Alt with arrows resizes, and the menu key chooses columns.
 */
export class VirtualTable extends LightElement {
  static override properties = {
    label: { attribute: false },
    columns: { attribute: false },
    first: { attribute: false },
    count: { attribute: false },
    source: { attribute: false },
    version: { attribute: false },
    sort: { attribute: false },
    selected: { attribute: false },
    layout: { attribute: false },
    follow: { attribute: false },
    headColumn: { state: true },
  }

  /** What the table holds. */
  declare label: string
  declare columns: readonly Column[]
  /** Absolute index of the oldest row there still is. */
  declare first: number
  declare count: number
  declare source: RowSource
  /** Another one: rows have changed in place. Those in sight are fetched anew, and shown until then. */
  declare version: number
  declare sort: Sort | null
  /** Absolute index. */
  declare selected: number | null
  declare layout: Layout
  /** Stay at the end while rows come. */
  declare follow: boolean
  declare private headColumn: number

  onSelect: (index: number) => void = () => {}
  onActivate: (index: number) => void = () => {}
  onMenu: (request: MenuRequest) => void = () => {}
  onSort: (column: string) => void = () => {}
  onLayout: (layout: Layout) => void = () => {}
  /** A person scrolled away from the end, or back to it. */
  onFollow: (follow: boolean) => void = () => {}

  readonly #id = `vt${++tables}`
  readonly #model = new ScrollModel(ROW_HEIGHT)
  readonly #cache = new RowCache(() => this.#schedule())
  readonly #resized = new ResizeObserver(() => this.#measure())
  #body: TableBody | undefined
  #laidOut: readonly Column[] = []
  #column = -1
  #written = -1
  #frame = 0
  #settle: ReturnType<typeof setTimeout> | undefined

  constructor() {
    super()
    this.label = ''
    this.columns = []
    this.first = this.count = this.version = 0
    this.source = () => []
    this.sort = this.selected = null
    this.layout = NO_LAYOUT
    this.follow = false
    this.headColumn = -1
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#resized.observe(this)
  }

  override disconnectedCallback(): void {
    this.#resized.disconnect()
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    clearTimeout(this.#settle)
    super.disconnectedCallback()
  }

  /** Shows other rows from the start (or the end, when following): nothing of what was known is shown any more. */
  reset(): void {
    this.#cache.invalidate(true)
    this.#model.resize(this.first, this.count, this.follow)
    if (!this.follow) this.#model.top = this.first
    this.#schedule()
  }

  /** Rows that are there already, so that they need not be asked for. */
  provide(from: number, rows: readonly Row[]): void {
    this.#cache.provide(from, rows)
    this.#schedule()
  }

  /** Scrolls just far enough to show a row. */
  reveal(index: number): void {
    this.#model.reveal(index)
    this.#schedule()
  }

  /** The row's cells as text, if it is at hand. */
  textOf(index: number): string | undefined {
    const row = this.#cache.row(index)
    return row && this.#laidOut.flatMap((column, at) => (column.hidden ? [] : [cellText(row.cells[at])])).join('\t')
  }

  override focus(options?: FocusOptions): void {
    this.#scroller?.focus(options)
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has('columns') || changed.has('layout')) this.#laidOut = laidOut(this.columns, this.layout)
    if (changed.has('source')) {
      this.#cache.source = (from, to, signal) => this.source(from, to, signal)
      this.#cache.invalidate(true)
    }
    if (changed.has('version')) this.#cache.invalidate()
  }

  protected override render(): TemplateResult {
    return html`<div
      class="vt-scroll"
      role="grid"
      tabindex="0"
      aria-label=${this.label}
      aria-rowcount=${this.count + 1}
      aria-colcount=${this.columns.length}
      @scroll=${this.#onScroll}
      @wheel=${{ handleEvent: this.#onWheel, passive: false }}
      @keydown=${this.#onKey}
      @copy=${this.#onCopy}
      @mousedown=${this.#onPress}
      @dblclick=${(event: MouseEvent) => this.#at(event, ({ index }) => this.onActivate(index))}
      @contextmenu=${this.#onContext}
      @pointerover=${showWhole}
    >
      <div class="vt-inner">
        ${headerRow({
          id: this.#id,
          columns: this.#laidOut,
          sort: this.sort,
          current: this.headColumn,
          onSort: (column) => this.onSort(column),
          onWidth: (column, width) => this.onLayout({ ...this.layout, widths: { ...this.layout.widths, [column]: width } }),
        })}
        <div class="vt-view" role="rowgroup"></div>
      </div>
    </div>`
  }

  protected override updated(changed: PropertyValues): void {
    const view = this.querySelector<HTMLElement>('.vt-view')
    if (view === null) return
    this.#body ??= new TableBody(view, this.#id)
    if (changed.has('columns') || changed.has('layout')) {
      const { template, width } = tracks(this.#laidOut)
      const inner = this.querySelector<HTMLElement>('.vt-inner')
      inner?.style.setProperty('--vt-tracks', template)
      if (inner) inner.style.width = `max(100%, ${width}px)`
      this.#body.columns = this.#laidOut
    }
    this.#model.resize(this.first, this.count, this.follow)
    if (changed.has('selected') && this.selected === null) this.#column = -1
    this.#draw()
  }

  get #scroller(): HTMLElement | null {
    return this.querySelector<HTMLElement>('.vt-scroll')
  }

  #measure(): void {
    const scroller = this.#scroller
    if (scroller === null) return
    const wasAtEnd = this.follow
    this.#model.viewport = Math.max(0, scroller.clientHeight - HEAD_HEIGHT)
    this.#model.resize(this.first, this.count, wasAtEnd)
    this.#draw()
  }

  #schedule(): void {
    if (this.#frame !== 0 || !this.isConnected) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      this.#draw()
    })
  }

  #draw(): void {
    const scroller = this.#scroller
    const view = this.querySelector<HTMLElement>('.vt-view')
    if (scroller === null || view === null || this.#body === undefined) return
    const model = this.#model
    const [from, to] = model.window
    setPx(view.parentElement, 'height', model.space + HEAD_HEIGHT)
    setPx(view, 'height', Math.min(model.viewport, model.space))
    const scrollTop = Math.round(model.scrollTop)
    if (Math.abs(scroller.scrollTop - scrollTop) >= 1) scroller.scrollTop = scrollTop
    this.#written = scroller.scrollTop
    if (to > from) this.#cache.need(from, to, this.first, model.end)
    this.#body.draw({
      top: model.top,
      from,
      to,
      first: this.first,
      rowHeight: ROW_HEIGHT,
      selected: this.selected,
      column: this.#column,
      rowAt: (index) => this.#cache.row(index),
    })
    this.#tellActive(scroller)
    clearTimeout(this.#settle)
    this.#settle = setTimeout(() => this.#body?.settle(), SETTLED_AFTER_MS)
  }

  #tellActive(scroller: HTMLElement): void {
    const active =
      this.headColumn >= 0
        ? `${this.#id}-head-${this.headColumn}`
        : this.selected === null
          ? undefined
          : this.#body?.idOf(this.selected, this.#column)
    if (active === undefined) scroller.removeAttribute('aria-activedescendant')
    else scroller.setAttribute('aria-activedescendant', active)
  }

  readonly #onScroll = (): void => {
    const scroller = this.#scroller
    if (scroller === null || Math.abs(scroller.scrollTop - this.#written) < 1) return
    this.#model.scrollTop = scroller.scrollTop
    this.#moved()
    this.#schedule()
  }

  /** Where the scroll bar is shorter than the rows, a turn of the wheel would skip many of them. */
  readonly #onWheel = (event: WheelEvent): void => {
    if (!this.#model.scaled || event.ctrlKey || event.deltaY === 0) return
    event.preventDefault()
    this.#model.top += event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY : event.deltaY / ROW_HEIGHT
    this.#moved()
    this.#schedule()
  }

  #moved(): void {
    if (this.#model.atEnd !== this.follow) this.onFollow(this.#model.atEnd)
  }

  #at(event: MouseEvent, act: (place: { readonly index: number; readonly column: number }) => void): void {
    const place = event.target instanceof Element ? this.#body?.locate(event.target) : undefined
    if (place !== undefined) act(place)
  }

  readonly #onPress = (event: MouseEvent): void => {
    this.#at(event, ({ index, column }) => {
      this.#column = event.button === 0 ? -1 : column
      this.#select(index)
    })
  }

  readonly #onContext = (event: MouseEvent): void => {
    event.preventDefault()
    // The menu key comes by keyboard handling, at the row rather than at the pointer.
    if (event.button !== 2) return
    if (event.target instanceof Element && event.target.closest('.vt-head') !== null)
      this.#chooseColumns(event.clientX, event.clientY)
    else this.#at(event, ({ index, column }) => this.onMenu({ index, column, x: event.clientX, y: event.clientY }))
  }

  #chooseColumns(x: number, y: number): void {
    openMenu(
      'Columns',
      columnMenu(this.#laidOut, this.layout, (layout) => this.onLayout(layout)),
      x,
      y,
    )
  }

  #select(index: number): void {
    this.headColumn = -1
    if (index !== this.selected) this.onSelect(index)
    else this.#schedule()
  }

  readonly #onCopy = (event: ClipboardEvent): void => {
    if (this.selected === null || getSelection()?.isCollapsed === false) return
    const row = this.#cache.row(this.selected)
    const text = this.#column >= 0 ? cellText(row?.cells[this.#column]) : this.textOf(this.selected)
    if (text === undefined) return
    event.clipboardData?.setData('text/plain', text)
    event.preventDefault()
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    const done = this.headColumn >= 0 ? this.#headKey(event) : this.#rowKey(event)
    if (!done) return
    event.preventDefault()
    event.stopPropagation()
  }

  #headKey(event: KeyboardEvent): boolean {
    const column = this.#laidOut[this.headColumn]
    if (column === undefined) return false
    switch (event.key) {
      case 'ArrowLeft':
      case 'ArrowRight': {
        const by = event.key === 'ArrowRight' ? 1 : -1
        if (event.altKey) this.onLayout({ ...this.layout, widths: { ...this.layout.widths, [column.id]: widened(column, by) } })
        else this.headColumn = Math.max(0, neighbourColumn(this.#laidOut, this.headColumn, by))
        return true
      }
      case 'ArrowDown':
      case 'Escape':
        this.#select(this.selected ?? Math.ceil(this.#model.top))
        return true
      case 'Enter':
      case ' ':
        if (column.sortable) this.onSort(column.id)
        return true
      default:
        if (!isMenuKey(event)) return false
        return openAt(document.getElementById(`${this.#id}-head-${this.headColumn}`), (x, y) => this.#chooseColumns(x, y))
    }
  }

  #rowKey(event: KeyboardEvent): boolean {
    const { selected } = this
    if (isMenuKey(event) && selected !== null) {
      this.reveal(selected)
      this.#draw()
      const id = this.#body?.idOf(selected, this.#column)
      return openAt(id === undefined ? null : document.getElementById(id), (x, y) =>
        this.onMenu({ index: selected, column: this.#column, x, y }),
      )
    }
    if (event.key === 'Enter' && selected !== null) {
      this.onActivate(selected)
      return true
    }
    if ((event.key === 'ArrowLeft' || event.key === 'ArrowRight') && selected !== null && !event.altKey) {
      this.#column = neighbourColumn(this.#laidOut, this.#column, event.key === 'ArrowRight' ? 1 : -1)
      this.#schedule()
      return true
    }
    const to = event.altKey || event.metaKey ? undefined : rowAfterKey(event.key, selected, this.#model)
    if (to === undefined) return false
    if (to === HEADER) {
      this.headColumn = Math.max(0, neighbourColumn(this.#laidOut, -1, 1), this.#column)
      return true
    }
    this.#model.reveal(to)
    this.#moved()
    this.#select(to)
    return true
  }
}

/** What is cut off can be read when the pointer rests on it. */
function showWhole({ target }: Event): void {
  const cell = target instanceof Element ? target.closest<HTMLElement>('.vt-cell') : null
  if (cell !== null && cell.title === '' && cell.scrollWidth > cell.clientWidth) cell.title = cell.textContent ?? ''
}

function setPx(element: HTMLElement | null, property: 'height', px: number): void {
  const value = `${px}px`
  if (element !== null && element.style[property] !== value) element.style[property] = value
}

customElements.define('virtual-table', VirtualTable)
