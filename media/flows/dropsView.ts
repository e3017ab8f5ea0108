// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { DropGroup, DropRule, FlowAction } from '../../protocol/flowsPanel.ts'
import { linkButton } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { foreign } from '../components/text.ts'
import { exact } from './figures.ts'

export interface DropActions {
  readonly onFilter: (text: string) => void
  readonly act: (action: FlowAction, seq: number) => void
}

/** Dropped flows by reason, then by what decided; the most frequent first. */
export function dropsView(groups: readonly DropGroup[] | null, actions: DropActions): TemplateResult {
  if (groups === null) return html`<p class="note waiting-note" role="status">Counting drops…</p>`
  return html`<div class="drops">
    ${groups.map(
      ({ reason, count, rules }) => html`<section>
        <h2>${icon('circle-slash', { tone: 'bad' })} ${foreign(reason)} <span class="count">${exact(count)}</span></h2>
        <table>
          <thead><tr><th scope="col">Decided by</th><th scope="col">For example</th><th scope="col" class="end">Flows</th><th scope="col"><span class="spoken">What to do</span></th></tr></thead>
          <tbody>${rules.map((rule) => ruleRow(rule, actions))}</tbody>
        </table>
      </section>`,
    )}
  </div>`
}

function ruleRow(
  { title, detail, count, seq, from, to, filter, hasPolicy }: DropRule,
  { onFilter, act }: DropActions,
): TemplateResult {
  return html`<tr>
    <td><strong>${foreign(title)}</strong>${detail === '' ? nothing : html`<p class="note">${foreign(detail)}</p>`}</td>
    <td>${foreign(from)} ${icon('arrow-right', { tone: 'quiet' })}<span class="spoken"> to </span> ${foreign(to)}</td>
    <td class="end">${exact(count)}</td>
    <td class="row-actions">
      ${linkButton('Show Flows', `Show Flows: dropped by ${title}`, () => onFilter(filter))}
      ${linkButton('Trace', `Trace: a packet dropped by ${title}`, () => act('trace', seq))}
      ${hasPolicy ? linkButton('Show Policy', `Show Policy: ${title}`, () => act('policy', seq)) : nothing}
    </td>
  </tr>`
}
