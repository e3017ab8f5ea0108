// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { Completion } from '../../protocol/flowsPanel.ts'
import { icon } from './icon.ts'
import { LightElement } from './lightElement.ts'
import { foreign } from './text.ts'

export interface FilterProblem {
  /** Counts characters from 0. */
  readonly at: number
  readonly reason: string
}

const NONE: Completion = { from: 0, to: 0, choices: [] }

/**
 * Where one says what to see. What is typed applies at once; Up and Down go through the filters used before, or through the
 * completions when they are open (as one types, or on Ctrl+Space).
 */
export class FilterBox extends LightElement {
  static override properties = {
    label: { attribute: false },
    placeholder: { attribute: false },
    value: { attribute: false },
    problem: { attribute: false },
    history: { attribute: false },
    completion: { state: true },
    chosen: { state: true },
  }

  /** What is filtered, for assistive technology. */
  declare label: string
  declare placeholder: string
  declare value: string
  declare problem: FilterProblem | null
  declare history: readonly string[]
  declare private completion: Completion
  /** Index of the choice the keyboard is at; −1 for none. */
  declare private chosen: number

  complete: (text: string, at: number) => Promise<Completion> = () => Promise.resolve(NONE)
  onInput: (text: string) => void = () => {}
  /** It is what one wanted: worth remembering. */
  onDone: (text: string) => void = () => {}

  #asked = 0
  /** Place in the history; −1 is what was typed. */
  #past = -1
  #typed = ''

  constructor() {
    super()
    this.label = 'Filter'
    this.placeholder = ''
    this.value = ''
    this.problem = null
    this.history = []
    this.completion = NONE
    this.chosen = -1
  }

  override focus(): void {
    this.#input?.focus()
    this.#input?.select()
  }

  protected override render(): TemplateResult {
    const { choices } = this.completion
    const open = choices.length > 0
    return html`<div class="filter ${this.problem === null ? '' : 'invalid'}">
      ${icon('filter', { tone: 'quiet' })}
      <input
        type="text"
        role="combobox"
        spellcheck="false"
        autocomplete="off"
        aria-label=${this.label}
        aria-autocomplete="list"
        aria-expanded=${open}
        aria-controls="filter-choices"
        aria-activedescendant=${open && this.chosen >= 0 ? `filter-choice-${this.chosen}` : nothing}
        aria-invalid=${this.problem !== null}
        aria-errormessage=${this.problem === null ? nothing : 'filter-problem'}
        placeholder=${this.placeholder}
        .value=${this.value}
        @input=${this.#onInput}
        @keydown=${this.#onKey}
        @blur=${this.#onBlur}
      />
      ${
        this.value === ''
          ? nothing
          : html`<button type="button" class="filter-clear" title="Clear filter" aria-label="Clear filter" @click=${this.#clear}>${icon('close')}</button>`
      }
      <ul id="filter-choices" class="filter-choices" role="listbox" aria-label="Completions" ?hidden=${!open}>
        ${choices.map(
          ({ text, note }, index) =>
            html`<li id="filter-choice-${index}" role="option" aria-selected=${index === this.chosen} @mousedown=${(event: Event) => this.#pick(event, index)}>
              <span>${foreign(text)}</span><span class="note">${foreign(note)}</span>
            </li>`,
        )}
      </ul>
      ${open ? nothing : this.#problemView()}
    </div>`
  }

  /** What is wrong, and where in the text. */
  #problemView(): unknown {
    if (this.problem === null) return nothing
    const { at, reason } = this.problem
    const rest = this.value.slice(at)
    const word = rest.match(/^\s*\S+/)?.[0] ?? ''
    return html`<div id="filter-problem" class="filter-problem" role="alert">
      <p>${icon('error', { tone: 'bad' })} ${foreign(reason)}</p>
      <p class="filter-place"><code>${foreign(this.value.slice(0, at))}<mark>${word === '' ? '␣' : foreign(word)}</mark>${foreign(rest.slice(word.length))}</code></p>
    </div>`
  }

  get #input(): HTMLInputElement | null {
    return this.querySelector('input')
  }

  #set(text: string, caret = text.length): void {
    this.value = text
    const input = this.#input
    if (input !== null) {
      input.value = text
      input.setSelectionRange(caret, caret)
    }
    this.onInput(text)
  }

  readonly #onInput = (): void => {
    const input = this.#input
    if (input === null) return
    this.#past = -1
    this.value = input.value
    // The choices in sight are of a moment ago: what was typed since is part of the word they would replace.
    const { from, choices } = this.completion
    this.completion = { from, to: Math.max(from, input.selectionStart ?? input.value.length), choices }
    this.onInput(input.value)
    void this.#offer()
  }

  /** Asks for completions at the caret; only the last question's answer counts. */
  async #offer(): Promise<void> {
    const input = this.#input
    if (input === null) return
    const asked = ++this.#asked
    const completion = await this.complete(input.value, input.selectionStart ?? input.value.length).catch(() => NONE)
    if (asked !== this.#asked || document.activeElement !== input) return
    // The keyboard stays at its choice, if that is still one.
    const chosen = this.completion.choices[this.chosen]?.text
    this.completion = completion
    this.chosen = completion.choices.findIndex(({ text }) => text === chosen)
  }

  #close(): void {
    this.#asked++
    this.completion = NONE
    this.chosen = -1
  }

  readonly #onBlur = (): void => {
    this.#close()
    this.onDone(this.value)
  }

  readonly #clear = (): void => {
    this.#set('')
    this.focus()
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    if (this.#handle(event)) {
      event.preventDefault()
      event.stopPropagation()
    }
  }

  #handle({ key, ctrlKey }: KeyboardEvent): boolean {
    const open = this.completion.choices.length > 0
    switch (key) {
      case 'ArrowDown':
      case 'ArrowUp': {
        const by = key === 'ArrowDown' ? 1 : -1
        if (open) this.#step(by)
        else this.#recall(-by)
        return true
      }
      case 'Enter':
      case 'Tab':
        if (open && this.chosen >= 0) {
          this.#accept(this.chosen)
          return true
        }
        if (key === 'Tab') return false
        this.#close()
        this.onDone(this.value)
        return true
      case 'Escape':
        // Also of completions that are still to come.
        this.#close()
        return open
      case ' ':
        if (!ctrlKey) return false
        void this.#offer()
        return true
      default:
        return false
    }
  }

  #step(by: number): void {
    const { length } = this.completion.choices
    this.chosen = this.chosen < 0 && by < 0 ? length - 1 : (this.chosen + by + length) % length
    this.querySelector(`#filter-choice-${this.chosen}`)?.scrollIntoView({ block: 'nearest' })
  }

  #recall(by: number): void {
    const to = this.#past + by
    if (to < -1 || to >= this.history.length) return
    this.#close()
    if (this.#past === -1) this.#typed = this.value
    this.#set(to === -1 ? this.#typed : (this.history[to] ?? ''))
    this.#past = to
  }

  #pick(event: Event, index: number): void {
    event.preventDefault()
    this.#accept(index)
  }

  #accept(index: number): void {
    const { from, to, choices } = this.completion
    const choice = choices[index]
    if (choice === undefined) return
    this.#close()
    this.#set(this.value.slice(0, from) + choice.text + this.value.slice(to), from + choice.text.length)
    // A key wants a value next.
    if (choice.text.endsWith(':')) void this.#offer()
  }
}

customElements.define('filter-box', FilterBox)
