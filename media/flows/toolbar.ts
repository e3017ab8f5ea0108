// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { FlowsCommand, FlowsState } from '../../protocol/flowsPanel.ts'
import { iconButton } from '../components/controls.ts'
import { type MenuItem, openMenu } from '../components/menu.ts'
import { foreign } from '../components/text.ts'
import { icon } from '../components/icon.ts'
import { TABS, type Tab } from './uiState.ts'

const TAB_TITLES: Readonly<Record<Tab, string>> = { flows: 'Flows', drops: 'Drops', map: 'Service Map' }

/** Flows, drops or map: arrow keys go from one to the next. */
export function tabs(current: Tab, onTab: (tab: Tab) => void): TemplateResult {
  const onKey = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    const next = TABS[(TABS.indexOf(current) + by + TABS.length) % TABS.length]
    if (by === 0 || next === undefined) return
    onTab(next)
    const list = event.currentTarget as HTMLElement
    list.querySelector<HTMLElement>(`#tab-${next}`)?.focus()
  }
  return html`<div class="tabs" role="tablist" aria-label="What of the flows to show" @keydown=${onKey}>
    ${TABS.map(
      (tab) =>
        html`<button
          type="button"
          id="tab-${tab}"
          role="tab"
          aria-selected=${tab === current}
          aria-controls="flows-content"
          tabindex=${tab === current ? 0 : -1}
          @click=${() => onTab(tab)}
        >${TAB_TITLES[tab]}</button>`,
    )}
  </div>`
}

export interface Actions {
  readonly run: (command: FlowsCommand) => void
  readonly chart: boolean
  readonly details: boolean
  readonly onChart: () => void
  readonly onDetails: () => void
}

export function actions(state: FlowsState, { run, ...looks }: Actions): TemplateResult {
  const following = state.following !== null
  return html`<div class="actions" role="toolbar" aria-label="Flows">
    ${following ? iconButton({ label: 'Stop Following', icon: 'debug-stop', onPress: () => run('stop') }) : iconButton({ label: 'Follow Flows…', icon: 'debug-start', onPress: () => run('start') })}
    ${
      state.paused
        ? iconButton({ label: 'Resume', icon: 'debug-continue', onPress: () => run('resume') })
        : iconButton({
            label: 'Pause',
            icon: 'debug-pause',
            disabled: following ? undefined : 'nothing is followed',
            onPress: () => run('pause'),
          })
    }
    ${iconButton({ label: 'Since…', icon: 'history', onPress: () => run('since') })}
    ${
      state.recording === null
        ? iconButton({
            label: 'Record to File…',
            icon: 'record',
            disabled: following ? undefined : 'nothing is followed',
            onPress: () => run('record'),
          })
        : iconButton({ label: 'Stop Recording', icon: 'stop-circle', onPress: () => run('stopRecording') })
    }
    ${iconButton({ label: 'More Actions', icon: 'ellipsis', onPress: (event) => showMore(event, moreItems(state, run, looks)) })}
  </div>`
}

function moreItems(state: FlowsState, run: Actions['run'], looks: Omit<Actions, 'run'>): readonly MenuItem[] {
  return [
    { label: 'Open Recording…', icon: 'folder-opened', onChoose: () => run('open') },
    { label: 'Export What Is Kept…', icon: 'export', disabled: state.kept === 0, onChoose: () => run('export') },
    { label: 'Clear', icon: 'clear-all', disabled: state.kept === 0, onChoose: () => run('clear') },
    { label: 'Rate Chart', checked: looks.chart, separated: true, onChoose: looks.onChart },
    { label: 'Details of the Selected Flow', checked: looks.details, onChoose: looks.onDetails },
  ]
}

function showMore({ currentTarget }: Event, items: readonly MenuItem[]): void {
  if (!(currentTarget instanceof HTMLElement)) return
  const { left, bottom } = currentTarget.getBoundingClientRect()
  openMenu('More actions', items, left, bottom)
}

/** Where the flows come from, in a line: what one follows, what one opened, what is being written. */
export function sourceLine({ following, opened, recording, paused, behind }: FlowsState): TemplateResult {
  return html`<p class="source">
    ${following === null ? nothing : html`<span>${icon('pulse', { tone: 'good' })} following ${foreign(following.from)}</span>`}
    ${opened === null ? nothing : html`<span>${icon('folder-opened')} ${foreign(opened)}</span>`}
    ${paused ? html`<span class="warned">${icon('debug-pause')} paused${behind === 0 ? '' : `, ${behind} new`}</span>` : nothing}
    ${recording === null ? nothing : html`<span class="bad">${icon('record')} recording to ${foreign(recording.name)}: ${recording.written}</span>`}
  </p>`
}
