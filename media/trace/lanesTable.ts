// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { alignLanes, type Cell, type Choice, type Row, type Visit } from '../../core/path/alignment.ts'
import type { Difference, Lane, Outcome, Step, Unknown } from '../../core/path/answer.ts'
import { endPod, endpointText, laneNotes, laneSource, laneTitle } from '../../core/path/headline.ts'
import { isBad, isGood, weightOf } from '../../core/path/weight.ts'
import { icon } from '../components/icon.ts'
import { LightElement } from '../components/lightElement.ts'
import { code, foreign, spoken } from '../components/text.ts'
import { changeLines } from './changeLines.ts'
import { drawConnectors } from './connectors.ts'
import { GLYPH_WORDS, type Glyph, glyph } from './glyph.ts'
import { moveFocus } from './gridFocus.ts'
import { bypassedAt, cellItems, type Item, laneSummary, layOut } from './layout.ts'

/** A step where it stands. */
export interface Chosen {
  readonly lane: number
  /** Index into the outcome's steps. */
  readonly index: number
}

/** The lanes side by side: a grid of places, with each lane's way drawn through it. */
export class LanesTable extends LightElement {
  static override properties = {
    lanes: { attribute: false },
    choice: { attribute: false },
    difference: { attribute: false },
    open: { attribute: false },
    focusId: { state: true },
  }

  declare lanes: readonly Lane[]
  declare choice: Choice
  declare difference: Difference | null
  /** Ids of unfolded folds. */
  declare open: readonly string[]
  declare onToggle: (id: string) => void
  declare onFocusStep: (step: Chosen) => void
  declare onOpenStep: (step: Chosen) => void
  /** The one cell or step that Tab reaches; arrows move it. */
  declare focusId: string

  readonly #resized = new ResizeObserver(() => drawConnectors(this))

  constructor() {
    super()
    this.lanes = []
    this.choice = []
    this.difference = null
    this.open = []
    this.focusId = ''
    this.onToggle = this.onFocusStep = this.onOpenStep = () => {}
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#resized.observe(this)
  }

  override disconnectedCallback(): void {
    this.#resized.disconnect()
    super.disconnectedCallback()
  }

  protected override updated(changed: PropertyValues): void {
    // Folding may have taken away what Tab reached.
    if (this.querySelector('[data-stop][tabindex="0"]') === null) {
      this.querySelector<HTMLElement>('[data-stop]')?.setAttribute('tabindex', '0')
    }
    if (changed.size > 1 || !changed.has('focusId')) drawConnectors(this)
  }

  /** Scrolls to a step's row and focuses it. */
  reveal(lane: number, index: number): void {
    this.#focus(this.querySelector<HTMLElement>(`[data-step="${lane}.${index}"]`))
  }

  /** Scrolls to the row of a place. */
  revealPlace(node: string, hook: string): void {
    const row = [...this.querySelectorAll<HTMLElement>('tr[data-node]')].find(
      ({ dataset }) => dataset['node'] === node && dataset['hook'] === hook,
    )
    this.#focus(row?.querySelector<HTMLElement>('[data-stop]') ?? null)
  }

  #focus(stop: HTMLElement | null): void {
    stop?.scrollIntoView({ block: 'center' })
    stop?.focus()
  }

  protected override render(): TemplateResult {
    const visits = alignLanes(this.lanes.map((_, lane) => this.#outcome(lane)?.steps ?? null))
    const parting = this.#partingRow(visits)
    const items = layOut(visits, (_, row) => row === parting)
    return html`
      <svg class="connectors" aria-hidden="true"></svg>
      <table role="grid" aria-label="The packet’s way, place by place" @keydown=${this.#onKey} @focusin=${this.#onFocus}>
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col" class="place">Where</th>
            ${this.lanes.map((lane, index) => this.#laneHeader(lane, index))}
          </tr>
        </thead>
        ${items.map(
          (visit) => html`<tbody role="rowgroup">
            <tr role="row" class="visit">
              <th role="rowheader" scope="rowgroup" colspan=${this.lanes.length + 1} aria-colspan=${this.lanes.length + 1}>
                ${visitTitle(visit.node, visit.netns)}
              </th>
            </tr>
            ${visit.items.map((item) => this.#item(visit, item, parting))}
          </tbody>`,
        )}
        <tfoot role="rowgroup">${this.#endRow()}</tfoot>
      </table>
    `
  }

  #outcome(lane: number): Outcome | null {
    const index = this.choice[lane]
    return (index === null || index === undefined ? null : this.lanes[lane]?.outcomes[index]) ?? null
  }

  /** Beside each cell where lanes stand under each other. */
  #title(lane: number): string {
    const own = this.lanes[lane]
    return own === undefined ? '' : laneTitle(own)
  }

  /** The first row of the place where the lanes part. */
  #partingRow(visits: readonly Visit[]): Row | undefined {
    const at = this.difference?.at
    return visits
      .filter(({ node }) => node === at?.node)
      .flatMap(({ rows }) => rows)
      .find(({ hook }) => hook === at?.hook)
  }

  #laneHeader(lane: Lane, index: number): TemplateResult {
    return html`<th role="columnheader" scope="col" class="lane lane-${index}">
      <span class="lane-name">${laneTitle(lane)}</span> <span class="lane-source">${foreign(laneSource(lane))}</span>${laneNotes(
        lane,
      ).map((note) => html`<span class="lane-note">${icon('warning', { tone: 'warned' })} ${foreign(note)}</span>`)}
    </th>`
  }

  #item(visit: Pick<Visit, 'node'>, item: Item, parting: Row | undefined): TemplateResult | readonly TemplateResult[] {
    if (item.kind === 'row') return this.#row(visit, item.id, item.row, item.row === parting)
    const open = this.open.includes(item.id)
    const rows = item.rows.map(({ row }) => row)
    const names = rows.map(({ hook }) => hook).join(', ')
    const fold = html`<tr role="row" class="fold">
      <th role="rowheader" scope="row" class="place">
        <span class="fold-count">${rows.length} places</span> <span class="fold-names">${foreign(names)}</span>
      </th>
      ${this.lanes.map((_, lane) => this.#foldCell(visit, item.id, rows, lane, open))}
    </tr>`
    return open ? [fold, ...item.rows.map(({ id, row }) => this.#row(visit, id, row, false))] : [fold]
  }

  #foldCell(visit: Pick<Visit, 'node'>, id: string, rows: readonly Row[], lane: number, open: boolean): TemplateResult {
    const { steps, absent } = laneSummary(rows, lane)
    if (steps === 0) return this.#emptyCell(`${id}:${lane}`, id, lane, absent, this.#bypassedNote(visit.node, rows, lane))
    const count = steps === 1 ? '1 step decided nothing' : `${steps} steps decided nothing`
    return html`<td role="gridcell" class="cell lane-${lane}" data-title=${this.#title(lane)}>
      ${this.#foldButton(`${id}:${lane}`, id, id, lane, open, count)}
    </td>`
  }

  #foldButton(stop: string, row: string, fold: string, lane: number, open: boolean, text: string): TemplateResult {
    return html`<button
      type="button"
      class="step folded"
      data-stop=${stop}
      data-row=${row}
      data-lane=${lane}
      data-fold=${fold}
      tabindex=${this.focusId === stop ? 0 : -1}
      aria-expanded=${open}
      @click=${() => this.onToggle(fold)}
    >
      ${glyph('fold', lane, true)}<span class="said">${text} ${icon(open ? 'chevron-down' : 'chevron-right')}</span>
    </button>`
  }

  #row(visit: Pick<Visit, 'node'>, id: string, row: Row, parts: boolean): TemplateResult {
    return html`<tr role="row" class=${parts ? 'parts' : ''} data-node=${visit.node} data-hook=${row.hook}>
      <th role="rowheader" scope="row" class="place">
        ${foreign(row.hook)}${parts ? html`<span class="parts-mark">≠ lanes part here</span>` : nothing}
      </th>
      ${row.cells.map((cell, lane) => this.#cell(visit, id, row.hook, cell, lane))}
    </tr>`
  }

  #cell(visit: Pick<Visit, 'node'>, rowId: string, hook: string, cell: Cell, lane: number): TemplateResult {
    if (cell.kind !== 'steps') {
      return this.#emptyCell(`${rowId}:${lane}`, rowId, lane, cell.kind, this.#bypassedNote(visit.node, [{ hook }], lane))
    }
    return html`<td role="gridcell" class="cell lane-${lane}" data-title=${this.#title(lane)}>
      ${cellItems(cell.steps, cell.first).map((item) => {
        if (item.kind === 'step') return this.#step(rowId, lane, item.step, item.index)
        const fold = `${rowId}:${lane}:f${item.steps[0]?.index}`
        const open = this.open.includes(fold)
        const button = this.#foldButton(fold, rowId, fold, lane, open, `${item.steps.length} steps passed`)
        return [button, ...(open ? item.steps.map(({ step, index }) => this.#step(rowId, lane, step, index)) : [])]
      })}
    </td>`
  }

  #emptyCell(stop: string, row: string, lane: number, absent: 'gap' | 'ended', note: unknown): TemplateResult {
    const bypassed = absent === 'gap' && this.lanes[lane]?.lane === 'ebpf'
    const arrived = isGood(this.#outcome(lane)?.verdict ?? 'unknown')
    const ended = arrived ? 'arrived already' : 'never comes here'
    const words = absent === 'ended' ? ended : bypassed ? 'bypassed' : 'not on this way'
    return html`<td
      role="gridcell"
      class="cell empty ${absent} lane-${lane}"
      data-title=${this.#title(lane)}
      data-stop=${stop}
      data-row=${row}
      data-lane=${lane}
      data-past=${absent === 'gap' ? lane : 'none'}
      tabindex=${this.focusId === stop ? 0 : -1}
    >
      ${absent === 'gap' ? glyph('absent', lane, false) : nothing}<span class="said">${words}${note}</span>
    </td>`
  }

  #bypassedNote(node: string, places: readonly { readonly hook: string }[], lane: number): unknown {
    if (this.lanes[lane]?.lane !== 'ebpf') return nothing
    const { rules, unknown } = bypassedAt(this.difference, node, new Set(places.map(({ hook }) => hook)))
    if (rules === 0) return nothing
    const count = rules === 1 ? '1 rule' : `${rules} rules`
    if (unknown === 0) return html` <span class="count">(${count})</span>`
    return html` <span class="count">(${count}, <span class="warned">${icon('warning')}${unknown} of unknown owner</span>)</span>`
  }

  #step(rowId: string, lane: number, step: Step, index: number): TemplateResult {
    const outcome = this.#outcome(lane)
    const last = outcome !== null && index === outcome.steps.length - 1
    const ended = last && isBad(outcome.verdict)
    const shape: Glyph = ended ? 'wall' : weightOf(step)
    const stop = `${rowId}:${lane}:${index}`
    const past = shape === 'bypass'
    return html`<button
        type="button"
        class="step ${shape}"
        data-stop=${stop}
        data-row=${rowId}
        data-lane=${lane}
        data-step=${`${lane}.${index}`}
        data-past=${past ? lane : 'none'}
        tabindex=${this.focusId === stop ? 0 : -1}
        @click=${() => this.onOpenStep({ lane, index })}
      >
        ${glyph(shape, lane, !past)}<span class="said"
          >${spoken(GLYPH_WORDS[shape])}${foreign(step.text)}${changeLines(step)}</span
        >
      </button>
      ${shape === 'unknown' ? missing(step, outcome?.unknowns ?? []) : nothing}${ended ? wall(outcome) : nothing}`
  }

  #endRow(): TemplateResult {
    return html`<tr role="row" class="end">
      <th role="rowheader" scope="row" class="place">In the end</th>
      ${this.lanes.map((_, lane) => {
        const outcome = this.#outcome(lane)
        const stop = `end:${lane}`
        return html`<td
          role="gridcell"
          class="cell lane-${lane}"
          data-title=${this.#title(lane)}
          data-stop=${stop}
          data-row="end"
          data-lane=${lane}
          tabindex=${this.focusId === stop ? 0 : -1}
        >
          ${outcome === null ? html`<span class="said">never ends like this</span>` : ending(outcome, lane)}
        </td>`
      })}
    </tr>`
  }

  #onFocus(event: FocusEvent): void {
    const stop = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>('[data-stop]') : null
    if (stop === null) return
    this.focusId = stop.dataset['stop'] ?? ''
    const [lane, index] = (stop.dataset['step'] ?? '').split('.')
    if (lane && index) this.onFocusStep({ lane: Number(lane), index: Number(index) })
  }

  #onKey(event: KeyboardEvent): void {
    if (moveFocus(this, event)) event.preventDefault()
  }
}

function visitTitle(node: string, netns: string): TemplateResult {
  if (!netns.startsWith('pod:')) {
    return html`${icon('server')} <span class="visit-name">${foreign(node)}</span>
      ${netns === 'host' ? nothing : html`<span class="visit-detail">network namespace ${foreign(netns)}</span>`}`
  }
  return html`${icon('package')} <span class="visit-name">pod ${foreign(netns.slice('pod:'.length))}</span>
    <span class="visit-detail">on ${foreign(node)}</span>`
}

function missing(step: Step, unknowns: readonly Unknown[]): unknown {
  const evidence = JSON.stringify(step.evidence)
  const unknown = unknowns.find((other) => JSON.stringify(other.evidence) === evidence)
  return unknown === undefined ? nothing : html`<p class="missing">${icon('info')} <span>${foreign(unknown.missing)}</span></p>`
}

function wall(outcome: Outcome): TemplateResult {
  return html`<div class="wall">
    <strong class="bad">${icon('circle-slash')} ${outcome.verdict === 'rejected' ? 'Rejected here' : 'Dropped here'}</strong>
    ${outcome.remedy === undefined ? nothing : html`<p><span class="label">Would let it through:</span> ${foreign(outcome.remedy)}</p>`}
  </div>`
}

const ENDINGS: Readonly<Record<Outcome['verdict'], string>> = {
  delivered: 'Delivered',
  forwarded: 'Forwarded',
  accepted: 'Accepted',
  dropped: 'Dropped',
  rejected: 'Rejected',
  unknown: 'Can’t be told',
}

function ending(outcome: Outcome, lane: number): TemplateResult {
  const pod = endPod(outcome)
  const good = isGood(outcome.verdict)
  const shape: Glyph = good ? 'end' : isBad(outcome.verdict) ? 'wall' : 'unknown'
  return html`${glyph(shape, lane, good)}<span class="said"
      ><strong>${ENDINGS[outcome.verdict]}</strong>${pod === null ? nothing : html` to pod ${foreign(pod)}`}
      <span class="change">
        ${code(endpointText(outcome.source))} <span aria-hidden="true">→</span>${spoken(' to')} ${code(endpointText(outcome.destination))}
      </span>
      ${outcome.masquerade ? html`<span class="note">${icon('info')} the sender’s address is hidden behind the node’s</span>` : nothing}
      ${
        outcome.reply === undefined
          ? nothing
          : html`<span class="note">${outcome.replyLost ? icon('warning', { tone: 'warned' }) : nothing} ${foreign(outcome.reply)}</span>`
      }</span
    >`
}

customElements.define('trace-lanes', LanesTable)
