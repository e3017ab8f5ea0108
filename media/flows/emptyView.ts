// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { FlowsCommand, FlowsState } from '../../protocol/flowsPanel.ts'
import { button, progressRing } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { foreign } from '../components/text.ts'

export interface EmptyActions {
  readonly run: (command: FlowsCommand) => void
  readonly remedy: (title: string) => void
  readonly onClearFilter: () => void
}

/** Why there is nothing to see, and the one thing to do about it; nothing when there are rows. */
export function emptyView(state: FlowsState, actions: EmptyActions): TemplateResult | null {
  if (state.count > 0) return null
  if (state.problem !== null) {
    const { message, actions: titles = [] } = state.problem
    return empty(
      icon('warning', { tone: 'warned' }),
      html`${foreign(message)}`,
      titles.slice(0, 1).map((title) => button({ label: title, primary: true, onPress: () => actions.remedy(title) })),
    )
  }
  if (state.kept > 0 && state.scanning) return empty(progressRing('Filtering'), html`Filtering ${state.kept} flows…`)
  if (state.kept > 0) {
    return empty(
      icon('filter'),
      html`None of the flows that are kept match <code>${foreign(state.filter)}</code>.`,
      button({ label: 'Clear Filter', primary: true, onPress: actions.onClearFilter }),
    )
  }
  if (state.following !== null)
    return empty(icon('pulse'), html`Following ${foreign(state.following.from)}. No flow has come yet.`)
  if (state.cluster !== null) {
    return empty(
      icon('pulse'),
      html`Hubble sees every packet that Cilium forwards or drops. Follow the flows of ${foreign(state.cluster)}, with the policy that decided on each.`,
      button({ label: 'Follow Flows…', icon: 'debug-start', primary: true, onPress: () => actions.run('start') }),
    )
  }
  return empty(
    icon('pulse'),
    html`Flows come from the Hubble of a connected cluster, from an address, or from a recording (Hubble’s JSON lines, also in a Cilium sysdump).`,
    button({ label: 'Choose a Source…', primary: true, onPress: () => actions.run('start') }),
  )
}

function empty(picture: unknown, words: unknown, action: unknown = nothing): TemplateResult {
  return html`<div class="empty-view" role="status"><p>${picture} <span>${words}</span></p><p>${action}</p></div>`
}
