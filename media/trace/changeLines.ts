// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { Step } from '../../core/path/answer.ts'
import { changesOf } from '../../core/path/change.ts'
import { code, spoken } from '../components/text.ts'

/** One line per thing a step changed, unless its own words say it already. */
export function changeLines(step: Step): readonly TemplateResult[] {
  const said = (text: string | null) => text !== null && step.text.includes(text)
  const untold = changesOf(step).filter(({ before, after }) => !(said(before) && said(after)))
  return untold.map(
    ({ part, before, after }) =>
      html`<span class="change"
        >${part === null ? nothing : html`<span class="part">${part}</span> `}${before === null ? nothing : html`${code(before)} `}<span
          aria-hidden="true"
          >→</span
        >${spoken(' becomes')} ${code(after)}</span
      >`,
  )
}
