// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { FlowsState, NodeState } from '../../protocol/flowsPanel.ts'
import { type IconName, icon, type Tone } from '../components/icon.ts'
import { foreign } from '../components/text.ts'
import { brief, exact } from './figures.ts'

/** How much comes, is lost and is kept: three figures, and all the rest when they are pressed. */
export function stats(state: FlowsState, open: boolean, onToggle: () => void): TemplateResult {
  const { lost, nodes, following } = state
  const missing = following === null ? [] : nodes.filter(({ state: its }) => its !== 'connected')
  const bad = lost.now || missing.length > 0 || (following?.interrupted.length ?? 0) > 0
  return html`<button
    type="button"
    class="stats ${bad ? 'alarmed' : ''}"
    aria-expanded=${open}
    aria-controls="flows-details-of-stream"
    title="Rate, loss, and what is kept"
    @click=${onToggle}
  >
    ${bad ? icon('warning', { tone: 'warned' }) : nothing}
    <span class="figures">${exact(state.rate)}/s · <span class=${lost.total > 0 || lost.atLeast ? 'warned' : ''}>${lostText(lost)}</span> · ${brief(state.kept)} kept</span>
  </button>`
}

function lostText({ total, atLeast }: FlowsState['lost']): string {
  return total === 0 && atLeast ? 'some lost' : `${atLeast ? '≥ ' : ''}${exact(total)} lost`
}

/** The whole account: where flows come from, by node, what was lost where, and what the memory no longer holds. */
export function streamDetails(state: FlowsState): TemplateResult {
  const { lost, nodes, following } = state
  return html`<section class="stream" id="flows-details-of-stream" aria-label="The stream of flows">
    <dl>
      <dt>From</dt>
      <dd>${following === null ? (state.opened === null ? 'nowhere: not following' : html`recording ${foreign(state.opened)}`) : foreign(following.from)}</dd>
      <dt>Came</dt>
      <dd>${exact(state.came)} flows, ${exact(state.rate)} a second now</dd>
      <dt>Kept</dt>
      <dd>${exact(state.kept)} of at most ${exact(state.capacity)}; ${state.notKept === 0 ? 'all that came' : `${exact(state.notKept)} older ones are not kept any more`}</dd>
      <dt>Lost</dt>
      <dd>
        ${lost.by.length === 0 ? 'none' : html`<ul>${lost.by.map(({ node, source, count }) => html`<li>${count < 0 ? 'an unknown number' : exact(count)} at ${foreign(node === '' ? 'an unknown node' : node)}: ${lossWords(source)}</li>`)}</ul>`}
      </dd>
      ${nodes.length === 0 ? nothing : html`<dt>Nodes</dt><dd><ul>${nodes.map(nodeLine)}</ul></dd>`}
      ${
        following === null || following.interrupted.length === 0
          ? nothing
          : html`<dt>Interrupted</dt><dd><ul>${following.interrupted.map(({ server, reason }) => html`<li>${icon('warning', { tone: 'warned' })} ${foreign(server)}: ${foreign(reason)}; trying again</li>`)}</ul></dd>`
      }
    </dl>
  </section>`
}

const NODE_LOOKS: Readonly<Record<NodeState['state'], readonly [IconName, Tone, string]>> = {
  connected: ['check', 'good', 'connected'],
  unavailable: ['warning', 'warned', 'unavailable'],
  lost: ['warning', 'warned', 'was connected, is not any more'],
  failed: ['error', 'bad', 'failed'],
  absent: ['circle-slash', 'quiet', 'runs no Hubble'],
}

function nodeLine({ name, state, reason }: NodeState): TemplateResult {
  const [name_, tone, words] = NODE_LOOKS[state]
  return html`<li>${icon(name_, { tone })} ${foreign(name)}: ${words}${reason === '' ? nothing : html` (${foreign(reason)})`}</li>`
}

const LOSSES: Readonly<Record<string, string>> = {
  PERF_EVENT_RING_BUFFER: 'the kernel’s event buffer was full before Cilium read it',
  OBSERVER_EVENTS_QUEUE: 'Hubble’s queue was full',
  HUBBLE_RING_BUFFER: 'Hubble’s memory was overwritten before it was read',
  CONNECTION: 'while the connection was interrupted',
}

function lossWords(source: string): unknown {
  return LOSSES[source] ?? foreign(source)
}
