// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { type Choice, pairOutcomes } from '../../core/path/alignment.ts'
import type { Evidence, Step, TraceAnswer } from '../../core/path/answer.ts'
import { endpointText, type Failure } from '../../core/path/headline.ts'
import { isBad, weightOf } from '../../core/path/weight.ts'
import type { PanelError } from '../../protocol/panel.ts'
import type { Ability, TracePanelContract, TraceView } from '../../protocol/tracePanel.ts'
import { type Bridge, HostError } from '../bridge.ts'
import { button, linkButton, progressRing } from '../components/controls.ts'
import { type IconName, icon } from '../components/icon.ts'
import { LightElement } from '../components/lightElement.ts'
import { foreign } from '../components/text.ts'
import type { Host } from '../vscode.ts'
import { bypassedSection } from './bypassedView.ts'
import { stepDetails } from './detailsView.ts'
import type { Chosen, LanesTable } from './lanesTable.ts'
import './lanesTable.ts'
import { outcomeChooser } from './outcomesView.ts'
import { type Proving, proofSection, provingSection, time } from './proofView.ts'
import { summary } from './summaryView.ts'
import { initialState, restoreState, toggleOpen, type UiState } from './uiState.ts'
import { missingFacts } from './unknownsView.ts'

type TraceBridge = Bridge<TracePanelContract>
type Action = 'reverse' | 'copyAsCli' | 'save' | 'refresh'

interface Notice {
  readonly kind: 'error' | 'done'
  readonly text: string
  /** Titles of what the host offers to do about it. */
  readonly actions?: readonly string[]
}

const PROOF_TIMEOUT = 300_000
const REFRESH_TIMEOUT = 120_000

/** The whole panel: holds the host's last answer and what the person has chosen in it. */
export class TracePanel extends LightElement {
  static override properties = {
    view: { state: true },
    broken: { state: true },
    ui: { state: true },
    step: { state: true },
    busy: { state: true },
    proving: { state: true },
    notice: { state: true },
  }

  declare private view: TraceView | null
  /** Why there is no answer. */
  declare private broken: PanelError | null
  declare private ui: UiState | null
  /** The step whose evidence is shown. */
  declare private step: Chosen | null
  declare private busy: Action | null
  declare private proving: Proving | null
  declare private notice: Notice | null

  readonly #bridge: TraceBridge
  readonly #host: Pick<Host, 'recall' | 'remember'>
  #proof: AbortController | null = null

  constructor(bridge: TraceBridge, host: Pick<Host, 'recall' | 'remember'>) {
    super()
    this.#bridge = bridge
    this.#host = host
    this.view = this.broken = this.ui = this.step = this.busy = this.proving = this.notice = null
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#bridge.on('answer', (view) => this.#show(view))
    this.#bridge.on('broken', (error) => {
      this.broken = error
      this.view = null
    })
    this.#bridge.on('proving', (proving) => {
      if (this.#proof !== null) this.proving = proving
    })
    this.#bridge.ready()
  }

  #show(view: TraceView): void {
    const { question } = view.answer
    const choices = pairOutcomes(view.answer.lanes.map(({ outcomes }) => outcomes))
    this.ui = restoreState(this.ui ?? this.#host.recall(), question, choices.length)
    this.view = view
    this.broken = null
    this.step = firstOfInterest(view.answer, choices[this.ui.choice] ?? [])
  }

  #remember(ui: UiState): void {
    this.ui = ui
    this.#host.remember(ui)
  }

  get #lanes(): LanesTable | null {
    return this.querySelector<LanesTable>('trace-lanes')
  }

  protected override render(): TemplateResult {
    if (this.broken !== null) return this.#brokenView(this.broken)
    if (this.view === null) {
      return html`<main class="waiting">${progressRing('Waiting for the answer')}<div role="status"><h1>Tracing the packet…</h1></div></main>`
    }
    const { view } = this
    const { answer } = view
    const proof = this.#proofView(answer)
    const proofFirst = this.proving !== null || answer.proof?.result === 'contradicted'
    return html`<main>
      ${this.#toolbar(view)} ${this.#noticeView()} ${partialBanner(view.partial)} ${proofFirst ? proof : nothing}
      ${summary(answer, {
        onShowFailure: (failure) => this.#showFailure(failure),
        onShowDifference: () => this.#showDifference(),
        onShowBypassed: () => this.#showBypassed(),
      })}
      ${this.#picture(answer)}
      ${answer.difference === null ? nothing : this.#bypassed(answer.difference)} ${missingFacts(answer, this.#open)}
      ${proofFirst ? nothing : proof} ${this.#details(answer)}
    </main>`
  }

  #brokenView({ message, actions = [] }: PanelError): TemplateResult {
    return html`<main class="broken"><div role="alert">
      <h1 class="headline">${icon('error', { tone: 'bad' })}<span>This trace can’t be shown.</span></h1>
      <p>${foreign(message)}</p>
      <p>${actions.map((title) => button({ label: title, onPress: () => this.#remedy(title) }))}</p>
    </div></main>`
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has('view') && this.view !== null)
      document.title = `${this.view.answer.question.from} to ${this.view.answer.question.to}`
  }

  #toolbar({ answer: { question }, facts, capturedAt, canProve, canAsk }: TraceView): TemplateResult {
    const source = endpointText(question.source)
    const destination = endpointText(question.destination)
    return html`<div class="top">
      <div class="question">
        <p class="ends">
          <strong title=${source}>${foreign(question.from)}</strong> ${icon('arrow-right', { tone: 'quiet' })}<span class="spoken"> to </span>
          <strong title=${destination}>${foreign(question.to)}</strong>
          ${question.ctState === 'new' ? nothing : html`<span class="note">${foreign(question.ctState)} connection</span>`}
        </p>
        <p class="facts">
          ${foreign(facts)}${capturedAt === null ? nothing : html` · facts of <time datetime=${capturedAt}>${time(capturedAt)}</time>`}${inability(canProve, canAsk)}
        </p>
      </div>
      <div class="toolbar" role="toolbar" aria-label="Trace">
        ${button({
          label: 'Prove It',
          icon: 'pulse',
          primary: true,
          disabled: whyNot(canProve),
          busy: this.#proof !== null,
          onPress: () => this.#prove(),
        })}
        ${this.#actionButton('reverse', 'Reverse', 'arrow-swap', canAsk)} ${this.#actionButton('copyAsCli', 'Copy as CLI', 'copy')}
        ${this.#actionButton('save', 'Save', 'save')} ${this.#actionButton('refresh', 'Refresh', 'refresh', canAsk)}
      </div>
    </div>`
  }

  #actionButton(action: Action, label: string, name: IconName, can: Ability = { possible: true }): TemplateResult {
    return button({ label, icon: name, disabled: whyNot(can), busy: this.busy === action, onPress: () => this.#run(action) })
  }

  /** Errors speak up at once; what was done is said when there is time. */
  #noticeView(): TemplateResult {
    const { notice } = this
    const close = () => {
      this.notice = null
    }
    const bar = (shown: Notice) => html`<div class="notice ${shown.kind}">
      ${icon(shown.kind === 'error' ? 'error' : 'check')} <span>${foreign(shown.text)}</span>
      ${shown.actions?.map((title) => linkButton(title, title, () => this.#remedy(title)))}
      ${linkButton('Dismiss', 'Dismiss message', close)}
    </div>`
    return html`<div role="alert">${notice?.kind === 'error' ? bar(notice) : nothing}</div>
      <div role="status">${notice?.kind === 'done' ? bar(notice) : nothing}</div>`
  }

  #picture(answer: TraceAnswer): TemplateResult {
    const choices = pairOutcomes(answer.lanes.map(({ outcomes }) => outcomes))
    const choice = choices[this.ui?.choice ?? 0]
    if (choice === undefined) {
      return html`<p class="empty">${icon('info')} No way could be followed: the facts have no node this packet passes.</p>`
    }
    return html`${outcomeChooser(answer, choices, this.ui?.choice ?? 0, (index) => this.#choose(answer, choices, index))}
      <trace-lanes
        class=${answer.lanes.length > 1 ? 'several' : 'single'}
        .lanes=${answer.lanes}
        .choice=${choice}
        .difference=${answer.difference}
        .open=${this.ui?.open ?? []}
        .onToggle=${this.#toggle}
        .onFocusStep=${this.#focusStep}
        .onOpenStep=${this.#openStep}
      ></trace-lanes>`
  }

  #choose(answer: TraceAnswer, choices: readonly Choice[], index: number): void {
    this.#remember({ ...(this.ui ?? initialState(answer.question)), choice: index })
    this.step = firstOfInterest(answer, choices[index] ?? [])
  }

  #bypassed(difference: NonNullable<TraceAnswer['difference']>): unknown {
    return bypassedSection(difference, {
      open: this.ui?.open.includes('bypassed') ?? false,
      onToggle: (open) => {
        if (this.ui !== null && open !== this.ui.open.includes('bypassed')) this.#toggle('bypassed')
      },
      onOpen: this.#open,
    })
  }

  #proofView(answer: TraceAnswer): unknown {
    if (this.proving !== null) return provingSection(this.proving, () => this.#proof?.abort())
    return answer.proof === null
      ? nothing
      : proofSection(answer, answer.proof, () => this.#attempt(this.#bridge.request('report', {})))
  }

  #details(answer: TraceAnswer): unknown {
    const step = this.step === null ? undefined : this.#stepAt(answer, this.step)
    return step === undefined ? nothing : stepDetails(step, this.#open)
  }

  #stepAt(answer: TraceAnswer, { lane, index }: Chosen): Step | undefined {
    const choice = pairOutcomes(answer.lanes.map(({ outcomes }) => outcomes))[this.ui?.choice ?? 0]
    return answer.lanes[lane]?.outcomes[choice?.[lane] ?? -1]?.steps[index]
  }

  readonly #toggle = (id: string): void => {
    if (this.ui !== null) this.#remember(toggleOpen(this.ui, id))
  }

  readonly #focusStep = (step: Chosen): void => {
    this.step = step
  }

  readonly #openStep = (chosen: Chosen): void => {
    this.step = chosen
    const evidence = this.view === null ? null : this.#stepAt(this.view.answer, chosen)?.evidence
    if (evidence) this.#open(evidence)
  }

  readonly #open = (evidence: Evidence): void => {
    void this.#attempt(this.#bridge.request('openEvidence', { evidence }))
  }

  async #showFailure({ lane, outcome }: Failure): Promise<void> {
    if (this.view === null) return
    const { answer } = this.view
    const own = answer.lanes.indexOf(lane)
    const choices = pairOutcomes(answer.lanes.map(({ outcomes }) => outcomes))
    const index = choices.findIndex((choice) => choice[own] === lane.outcomes.indexOf(outcome))
    if (index >= 0 && index !== this.ui?.choice) this.#choose(answer, choices, index)
    await this.updateComplete
    await this.#lanes?.updateComplete
    this.#lanes?.reveal(own, outcome.steps.length - 1)
  }

  #showDifference(): void {
    const at = this.view?.answer.difference?.at
    if (at) this.#lanes?.revealPlace(at.node, at.hook)
  }

  async #showBypassed(): Promise<void> {
    if (!this.ui?.open.includes('bypassed')) this.#toggle('bypassed')
    await this.updateComplete
    const list = this.querySelector<HTMLElement>('details.bypassed > summary')
    list?.scrollIntoView({ block: 'start' })
    list?.focus()
  }

  async #prove(): Promise<void> {
    this.#proof = new AbortController()
    this.proving = { text: 'Preparing…', done: 0, of: 0 }
    const asked = this.#bridge.request('prove', {}, { signal: this.#proof.signal, timeout: PROOF_TIMEOUT })
    const proof = await this.#attempt(asked)
    this.#proof = this.proving = null
    if (proof !== undefined && this.view !== null) this.view = { ...this.view, answer: { ...this.view.answer, proof } }
  }

  /** A remedy may wait for a person, so nobody waits for it here. */
  #remedy(title: string): void {
    void this.#attempt(this.#bridge.request('remedy', { title }, { timeout: null }))
  }

  async #run(action: Action): Promise<void> {
    this.busy = action
    switch (action) {
      case 'reverse':
        await this.#attempt(this.#bridge.request('reverse', {}))
        break
      case 'copyAsCli': {
        const copied = await this.#attempt(this.#bridge.request('copyAsCli', {}))
        if (copied !== undefined) this.notice = { kind: 'done', text: `Copied: ${copied.command}` }
        break
      }
      case 'save': {
        const saved = await this.#attempt(this.#bridge.request('save', {}, { timeout: null }))
        if (saved) this.notice = { kind: 'done', text: `Saved to ${saved.path}` }
        break
      }
      case 'refresh': {
        const answer = await this.#attempt(this.#bridge.request('refresh', {}, { timeout: REFRESH_TIMEOUT }))
        // The host also tells the new view, with the time of its facts; whichever comes last holds the same answer.
        if (answer !== undefined && this.view !== null) this.#show({ ...this.view, answer })
        break
      }
    }
    this.busy = null
  }

  /** Waits for the host; a failure becomes the message one sees. */
  async #attempt<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      this.notice = null
      return await asked
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (error.code !== 'cancelled') this.notice = { kind: 'error', text: error.message, actions: error.actions }
      return undefined
    }
  }
}

function whyNot(ability: Ability): string | undefined {
  return ability.possible ? undefined : ability.reason
}

function inability(canProve: Ability, canAsk: Ability): unknown {
  if (!canAsk.possible) return html` · can’t be proven or asked again here: ${foreign(canAsk.reason)}`
  return canProve.possible ? nothing : html` · can’t be proven: ${foreign(canProve.reason)}`
}

/** Where it ends badly, else where something is first decided: the step whose evidence is shown before one has chosen. */
function firstOfInterest(answer: TraceAnswer, choice: Choice): Chosen | null {
  const ways = answer.lanes.flatMap((lane, index) => {
    const outcome = lane.outcomes[choice[index] ?? -1]
    return outcome === undefined || outcome.steps.length === 0 ? [] : [{ lane: index, outcome }]
  })
  const bad = ways.find(({ outcome }) => isBad(outcome.verdict))
  if (bad !== undefined) return { lane: bad.lane, index: bad.outcome.steps.length - 1 }
  for (const { lane, outcome } of ways) {
    const index = outcome.steps.findIndex(
      (step) => weightOf(step) === 'unknown' || (weightOf(step) === 'decisive' && step.evidence !== null),
    )
    if (index >= 0) return { lane, index }
  }
  return null
}

function partialBanner(partial: readonly string[]): unknown {
  if (partial.length === 0) return nothing
  return html`<div class="banner" role="note">
    ${icon('warning')}
    <div><strong>Some facts are missing.</strong> ${
      partial.length === 1 ? foreign(partial[0] ?? '') : html`<ul>${partial.map((text) => html`<li>${foreign(text)}</li>`)}</ul>`
    }</div>
  </div>`
}

customElements.define('trace-panel', TracePanel)
