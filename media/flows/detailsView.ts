// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { FlowAction, FlowDetails, FlowEnd } from '../../protocol/flowsPanel.ts'
import { button, iconButton } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { code, foreign } from '../components/text.ts'
import { verdictLook } from './flowColumns.ts'

export interface DetailActions {
  readonly act: (action: FlowAction) => void
  readonly onFilter: (text: string) => void
  readonly onClose: () => void
}

/** All there is to know about one flow; why it was dropped comes first. */
export function flowDetails(details: FlowDetails | null, actions: DetailActions): TemplateResult {
  return html`<aside class="details" aria-label="Selected flow">
    <div class="details-top">
      <h2>${details === null ? 'No flow is selected' : foreign(details.title)}</h2>
      ${iconButton({ label: 'Close Details', icon: 'close', onPress: actions.onClose })}
    </div>
    ${details === null ? html`<p class="note">Select a row to see all of its fields.</p>` : content(details, actions)}
  </aside>`
}

function content(details: FlowDetails, { act, onFilter }: DetailActions): TemplateResult {
  const { icon: name, tone } = verdictLook(details.verdict)
  return html`<p class="verdict ${tone}">${icon(name)} ${foreign(details.verdict.toLowerCase())}</p>
    ${
      details.attribution === null
        ? nothing
        : html`<p class="why">${foreign(details.attribution.text)}</p>${details.attribution.remedy === null ? nothing : html`<p class="remedy">${icon('info')} Would let it through: ${foreign(details.attribution.remedy)}</p>`}`
    }
    ${details.policies.length === 0 ? nothing : html`<ul class="policies">${details.policies.map(({ title, effect, direction }) => html`<li>${icon(effect === 'denied' ? 'circle-slash' : 'check', { tone: effect === 'denied' ? 'bad' : 'good' })} ${direction} ${effect} by ${code(title)}</li>`)}</ul>`}
    <div class="details-actions">
      ${button({ label: 'Trace This Packet', icon: 'git-compare', disabled: details.canTrace ? undefined : 'the flow has no two ends with addresses', onPress: () => act('trace') })}
      ${details.hasPolicy ? button({ label: 'Show Policy', icon: 'shield', onPress: () => act('policy') }) : nothing}
      ${button({ label: 'Copy JSON', icon: 'copy', onPress: () => act('copyJson') })}
    </div>
    ${details.ends.map((end) => endView(end))}
    <h3>Fields</h3>
    ${facts(details.fields)}
    ${
      details.filters.length === 0
        ? nothing
        : html`<h3>Filter by</h3>
            <ul class="chips">
              ${details.filters.map(({ about, text }) => html`<li><button type="button" class="chip" title="Show flows of this ${about} alone" @click=${() => onFilter(text)}>${foreign(text)}</button></li>`)}
            </ul>`
    }`
}

function endView({ role, name, address, facts: known, labels }: FlowEnd): TemplateResult {
  return html`<h3>${role === 'from' ? 'From' : 'To'} ${foreign(name)}</h3>
    ${facts([['address', address], ...known])}
    ${labels.length === 0 ? nothing : html`<ul class="labels" aria-label="Labels">${labels.map((label) => html`<li>${code(label)}</li>`)}</ul>`}`
}

function facts(pairs: readonly (readonly [string, string])[]): TemplateResult {
  return html`<dl>${pairs.filter(([, value]) => value !== '').map(([name, value]) => html`<dt>${foreign(name)}</dt><dd>${code(value)}</dd>`)}</dl>`
}
