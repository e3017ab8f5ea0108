// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { Difference, Evidence } from '../../core/path/answer.ts'
import { type BypassedOwner, bypassedByOwner, bypassedText, isUnknownOwner } from '../../core/path/headline.ts'
import { icon } from '../components/icon.ts'
import { code, foreign } from '../components/text.ts'
import { evidenceText } from './evidenceText.ts'

/** Rules shown per owner; the saved answer has all of them. */
const MOST = 200

export interface BypassedActions {
  readonly open: boolean
  readonly onToggle: (open: boolean) => void
  readonly onOpen: (evidence: Evidence) => void
}

/** Netfilter rules the eBPF lane never meets, by owner. Those nobody owns come first: nobody will miss them but the person. */
export function bypassedSection(difference: Difference, { open, onToggle, onOpen }: BypassedActions): unknown {
  const title = bypassedText(difference)
  if (title === null) return nothing
  return html`<details
    class="bypassed"
    .open=${open}
    @toggle=${({ currentTarget }: Event) => onToggle(currentTarget instanceof HTMLDetailsElement && currentTarget.open)}
    @keydown=${closeOnEscape}
  >
    <summary>${title}</summary>
    ${bypassedByOwner(difference).map((owner) => ownerView(owner, onOpen))}
  </details>`
}

function ownerView({ owner, rules }: BypassedOwner, onOpen: (evidence: Evidence) => void): TemplateResult {
  const unknown = isUnknownOwner(owner)
  const count = rules.length === 1 ? '1 rule' : `${rules.length} rules`
  return html`<section class="owner">
    <h3>
      ${unknown ? html`${icon('warning', { tone: 'warned' })} Unknown owner` : foreign(owner)} <span class="count">${count}</span>
      ${unknown ? html`<span class="note">nothing in Kubernetes puts them back when this node moves to eBPF</span>` : nothing}
    </h3>
    <ul>
      ${rules.slice(0, MOST).map(
        (rule) => html`<li>
          <button type="button" class="rule" title=${evidenceText(rule.evidence).fullWhere} @click=${() => onOpen(rule.evidence)}>
            <span class="at">${foreign(rule.node)} · ${foreign(rule.hook)}</span> ${code(rule.text)}
          </button>
        </li>`,
      )}
    </ul>
    ${rules.length > MOST ? html`<p class="note">${rules.length - MOST} more are in the saved answer.</p>` : nothing}
  </section>`
}

function closeOnEscape(event: KeyboardEvent): void {
  if (event.key !== 'Escape' || !(event.currentTarget instanceof HTMLDetailsElement)) return
  event.currentTarget.open = false
  event.currentTarget.querySelector('summary')?.focus()
}
