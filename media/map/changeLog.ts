// SPDX-License-Identifier: Apache-2.0

import { html, type TemplateResult } from 'lit'
import type { MapChangeLine } from '../../protocol/mapPanel.ts'
import { iconButton } from '../components/controls.ts'
import { foreign, spoken } from '../components/text.ts'

export interface ChangeLogActions {
  readonly onClear: () => void
  readonly onShow: (key: string) => void
}

const SIGNS: Readonly<Record<MapChangeLine['kind'], readonly [sign: string, tone: string, word: string]>> = {
  added: ['+', 'good', 'added'],
  changed: ['~', 'warned', 'changed'],
  removed: ['−', 'bad', 'removed'],
  note: ['', 'quiet', ''],
}

/** What changed since the watch began, newest first. */
export function changeLog(lines: readonly MapChangeLine[], actions: ChangeLogActions): TemplateResult {
  return html`<section class="log" aria-label="Changes">
    <div class="log-head">
      <h2>Changes</h2>
      <span class="note">${lines.length === 0 ? 'none yet' : `${lines.filter(({ kind }) => kind !== 'note').length}, newest first`}</span>
      ${iconButton({ label: 'Clear changes', icon: 'clear-all', onPress: actions.onClear })}
    </div>
    <ol class="log-lines" tabindex="0" aria-label="List of changes">
      ${lines.toReversed().map((line) => logLine(line, actions))}
    </ol>
  </section>`
}

function logLine({ at, kind, text, key }: MapChangeLine, { onShow }: ChangeLogActions): TemplateResult {
  const [sign, tone, word] = SIGNS[kind]
  const time = html`<time datetime=${at}>${new Date(at).toLocaleTimeString(undefined, { hour12: false })}</time>`
  if (key === null) return html`<li class="quiet">${time} ${foreign(text)}</li>`
  return html`<li>
    ${time} <span class=${tone}><span aria-hidden="true">${sign}</span> ${spoken(word)}</span>
    <button type="button" class="log-entry" title="Show in the table" @click=${() => onShow(key)}>${foreign(text)}</button>
  </li>`
}
