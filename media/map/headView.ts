// SPDX-License-Identifier: Apache-2.0

/** What one sees first: which map, how full, as of when, and what is wrong with it. */

import { html, nothing, type TemplateResult } from 'lit'
import type { MapNote, MapView } from '../../protocol/mapPanel.ts'
import { linkButton } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { foreign } from '../components/text.ts'

/** From here on new entries may fail, or push out old ones. */
const HIGH = 0.8

export const exact = (value: number) => value.toLocaleString('en-US').replaceAll(',', '\u202f')

export function mapHead(view: MapView): TemplateResult {
  const { name, title, node, facts, type, readAt, decodedBy, state } = view
  const what = [title, type, DECODED[decodedBy], facts].filter((part) => part !== null)
  return html`<div class="head">
    <h1>${foreign(name)} <span class="note">on</span> ${foreign(node)}</h1>
    <p class="facts">
      ${what.map((part, index) => html`${index === 0 ? '' : ' · '}${foreign(part)}`)}${
        readAt === null
          ? nothing
          : html` · ${state === 'ready' ? 'read' : 'last read'} <time datetime=${readAt} title=${readAt}>${momentText(readAt)}</time>`
      }
    </p>
  </div>`
}

/** The time alone for what is of today. */
function momentText(at: string): string {
  const moment = new Date(at)
  const isToday = moment.toDateString() === new Date().toDateString()
  return moment.toLocaleString(undefined, { hour12: false, timeStyle: 'medium', ...(!isToday && { dateStyle: 'short' }) })
}

const DECODED: Readonly<Record<MapView['decodedBy'], string | null>> = {
  layout: null,
  btf: "decoded by the map's own types",
  raw: 'unknown layout: raw bytes',
}

/** How full, in numbers, as a bar, and in a word where one should worry. */
export function fillView({ entries, capacity }: MapView): TemplateResult {
  if (capacity === 0) return html`<div class="fill"><span class="figure">${exact(entries)} entries</span></div>`
  const share = Math.min(1, entries / capacity)
  const percent = 100 * share
  const text = `${exact(entries)} of ${exact(capacity)}`
  const isHigh = share >= HIGH
  return html`<div class="fill ${isHigh ? 'high' : ''}">
    <span class="figure">${text}</span>
    <svg
      class="meter"
      role="meter"
      aria-label="How full the map is"
      aria-valuemin="0"
      aria-valuemax=${capacity}
      aria-valuenow=${entries}
      aria-valuetext=${text}
      viewBox="0 0 100 8"
      preserveAspectRatio="none"
    ><rect class="meter-room" x="0" y="0" width="100" height="8"></rect><rect class="meter-full" x="0" y="0" width=${entries === 0 ? 0 : Math.max(1, percent)} height="8"></rect></svg>
    <span class="figure">${percent > 0 && percent < 1 ? percent.toFixed(1) : percent.toFixed(0)} %</span>
    ${isHigh ? html`<strong class="warned">${icon('warning')} nearly full</strong>` : nothing}
  </div>`
}

export interface StateActions {
  readonly onCancel: () => void
  readonly onRefresh: () => void
  readonly onRemedy: (title: string) => void
}

/** Reading, gone or failed: said above the contents, which stay. */
export function stateView(view: MapView, actions: StateActions): TemplateResult {
  const { state, progress, reason, notes, entries, readAt } = view
  const remedies = (reason?.actions ?? []).map((title) => linkButton(title, title, () => actions.onRemedy(title)))
  return html`${progress === null ? nothing : progressView(progress, entries, actions)}
    <div role="alert">
      ${
        state === 'gone'
          ? banner(
              'circle-slash',
              html`<strong>This map is gone.</strong> ${foreign(reason?.message ?? '')} ${
                entries > 0
                  ? html`Shown: its last contents${readAt === null ? '' : `, as of ${new Date(readAt).toLocaleTimeString(undefined, { hour12: false })}`}.`
                  : ''
              } ${linkButton('Look again', 'Look for the map again', actions.onRefresh)}`,
            )
          : nothing
      }
      ${
        state === 'failed'
          ? banner(
              'error',
              html`<strong>${entries > 0 ? 'These are not all entries, or not the newest.' : 'This map can’t be read.'}</strong> ${foreign(reason?.message ?? '')}
            ${remedies} ${linkButton('Try again', 'Read the map again', actions.onRefresh)}`,
            )
          : nothing
      }
    </div>
    ${notes.map((note) => banner('warning', noteText(note)))}`
}

function noteText({ kind, detail }: MapNote): unknown {
  switch (kind) {
    case 'stopped':
      return 'Reading was stopped: these are not all entries.'
    case 'cut':
      return 'The map has more entries than are kept here. Filter by a field (for example `port=80`), and the node looks through the rest.'
    case 'cut-snapshot':
      return 'The map had more entries than a snapshot takes: these are not all.'
    case 'incomplete':
      return html`Entries may be missing or outdated: ${foreign(detail)}.`
    case 'unknown-version':
      return 'One of Cilium’s maps, but with sizes of no version known here: its bytes are shown as they are.'
  }
}

function banner(name: 'error' | 'warning' | 'circle-slash', text: unknown): TemplateResult {
  return html`<p class="banner ${name}">${icon(name, { tone: name === 'error' ? 'bad' : 'warned' })} <span>${text}</span></p>`
}

function progressView({ scanned, of }: NonNullable<MapView['progress']>, entries: number, actions: StateActions): TemplateResult {
  const share = of === 0 ? 0 : Math.min(100, (100 * scanned) / of)
  return html`<div class="progress" role="status">
    <svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="meter-room" x="0" y="0" width="100" height="8"></rect><rect class="meter-full" x="0" y="0" width=${share} height="8"></rect>
    </svg>
    <span class="figure">Reading: ${exact(scanned)} of at most ${exact(of)}${entries < scanned ? `, ${exact(entries)} shown so far` : ''}</span>
    ${linkButton('Stop', 'Stop reading', actions.onCancel)}
  </div>`
}
