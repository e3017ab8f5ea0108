// SPDX-License-Identifier: Apache-2.0

/**
 * Form controls in VS Code's style. The only module that knows @vscode/webview-ui-toolkit: it is no longer maintained, and may
 * have to be replaced here.
 */

import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeProgressRing,
  vsCodeRadio,
  vsCodeRadioGroup,
} from '@vscode/webview-ui-toolkit'
import { html, nothing, type TemplateResult } from 'lit'
import { type IconName, icon } from './icon.ts'

provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodeProgressRing(),
  vsCodeRadio(),
  vsCodeRadioGroup(),
)

export interface Button {
  readonly label: string
  readonly icon?: IconName
  /** One primary button a panel at most. */
  readonly primary?: boolean
  /** Why it can't be pressed; say so beside it as well. */
  readonly disabled?: string | undefined
  readonly busy?: boolean
  readonly onPress: () => void
}

export function button({ label, icon: name, primary = false, disabled, busy = false, onPress }: Button): TemplateResult {
  return html`<vscode-button appearance=${primary ? 'primary' : 'secondary'} ?disabled=${disabled !== undefined || busy} title=${disabled ?? nothing} @click=${onPress}
    >${name === undefined ? nothing : html`<span slot="start">${icon(busy ? 'loading' : name, { spin: busy })}</span>`}${label}</vscode-button
  >`
}

export interface IconButton {
  readonly label: string
  readonly icon: IconName
  /** It is a switch, and whether it is on. */
  readonly pressed?: boolean
  readonly disabled?: string | undefined
  readonly onPress: (event: Event) => void
}

/** A button of a toolbar: its words are read aloud, and shown when the pointer rests on it. */
export function iconButton({ label, icon: name, pressed, disabled, onPress }: IconButton): TemplateResult {
  return html`<button
    type="button"
    class="icon-button"
    aria-label=${label}
    title=${disabled === undefined ? label : `${label}: ${disabled}`}
    aria-pressed=${pressed === undefined ? nothing : String(pressed)}
    ?disabled=${disabled !== undefined}
    @click=${onPress}
  >${icon(name)}</button>`
}

/** A button that reads as part of a sentence. */
export function linkButton(label: string, description: string, onPress: () => void): TemplateResult {
  return html`<button type="button" class="link" aria-label=${description} @click=${onPress}>${label}</button>`
}

export function progressRing(label: string): TemplateResult {
  return html`<vscode-progress-ring aria-label=${label}></vscode-progress-ring>`
}

export interface Choices {
  readonly label: string
  readonly options: readonly { readonly name: string; readonly content: TemplateResult }[]
  readonly selected: number
  readonly onSelect: (index: number) => void
}

/** One of a few: all in sight. */
export function radioGroup({ label, options, selected, onSelect }: Choices): TemplateResult {
  const onChange = (event: Event) => {
    // The group tells of it, also when it is the page that chose.
    const { value } = event.currentTarget as HTMLInputElement
    if (Number(value) !== selected) onSelect(Number(value))
  }
  return html`<vscode-radio-group aria-label=${label} .value=${String(selected)} @change=${onChange}>
    ${options.map(
      ({ name, content }, index) =>
        html`<vscode-radio value=${index} aria-label=${name} ?checked=${index === selected}>${content}</vscode-radio>`,
    )}
  </vscode-radio-group>`
}

/** One of many. */
export function dropdown({ label, options, selected, onSelect }: Choices): TemplateResult {
  const onChange = (event: Event) => {
    const { value } = event.target as HTMLSelectElement
    if (Number(value) !== selected) onSelect(Number(value))
  }
  return html`<vscode-dropdown aria-label=${label} .value=${String(selected)} @change=${onChange}>
    ${options.map(({ name }, index) => html`<vscode-option value=${index} ?selected=${index === selected}>${name}</vscode-option>`)}
  </vscode-dropdown>`
}
