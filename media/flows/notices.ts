// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { FlowsState } from '../../protocol/flowsPanel.ts'
import { linkButton } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { foreign } from '../components/text.ts'

/** What was done, or why it was not. */
export interface Notice {
  readonly kind: 'error' | 'done'
  readonly text: string
  /** Titles of what the host offers to do about it. */
  readonly actions: readonly string[]
}

/** Loss and missing nodes are told at once, by name, in words. */
export function alarms({ following, nodes, lost }: FlowsState): TemplateResult {
  const missing = nodes.filter(({ state }) => state !== 'connected' && state !== 'absent').map(({ name }) => name)
  const broken = following?.interrupted ?? []
  const texts = [
    ...(following !== null && lost.now ? ['Events are being lost: what you see has gaps.'] : []),
    ...(following !== null && missing.length > 0 ? [`No flows come from ${missing.join(', ')}.`] : []),
    ...broken.map(({ server, reason }) => `The stream of ${server} is interrupted: ${reason} It is tried again.`),
  ]
  return html`<div role="alert" class="alarm">${texts.map((text) => html`<p>${icon('warning', { tone: 'warned' })} ${foreign(text)}</p>`)}</div>`
}

/** Errors speak up at once; what was done is said when there is time. */
export function noticeBar(notice: Notice | null, onRemedy: (title: string) => void, onDismiss: () => void): TemplateResult {
  const bar = (shown: Notice) => html`<div class="notice ${shown.kind}">
    ${icon(shown.kind === 'error' ? 'error' : 'check')} <span>${foreign(shown.text)}</span>
    ${shown.actions.map((title) => linkButton(title, title, () => onRemedy(title)))} ${linkButton('Dismiss', 'Dismiss message', onDismiss)}
  </div>`
  return html`<div role="alert">${notice?.kind === 'error' ? bar(notice) : nothing}</div>
    <div role="status">${notice?.kind === 'done' ? bar(notice) : nothing}</div>`
}

export function noDrops(filtered: boolean): TemplateResult {
  return html`<div class="empty-view" role="status">
    <p>${icon('pass-filled', { tone: 'good' })} <span>No flow ${filtered ? 'that matches the filter ' : ''}was dropped.</span></p>
  </div>`
}
