// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { Evidence, Step } from '../../core/path/answer.ts'
import { button } from '../components/controls.ts'
import { code, foreign } from '../components/text.ts'
import { changeLines } from './changeLines.ts'
import { evidenceText } from './evidenceText.ts'

/** The step one is at, in full, with the line that proves it: without leaving the picture. */
export function stepDetails(step: Step, onOpen: (evidence: Evidence) => void): TemplateResult {
  const { evidence } = step
  return html`<aside class="details" aria-label="Step and evidence">
    <div class="details-text">
      <p>
        <span class="at">${foreign(step.node)} · ${foreign(step.netns)} · ${foreign(step.hook)}</span>
        <span class="actor">${step.actor.kind} ${foreign(step.actor.ref)}</span>
      </p>
      <p class="details-said">${foreign(step.text)} ${changeLines(step)}</p>
      ${evidence === null ? html`<p class="note">No line or entry stands behind this step: it is how the kernel works.</p>` : evidenceView(evidence)}
    </div>
    ${evidence === null ? nothing : button({ label: 'Open Evidence', icon: 'go-to-file', onPress: () => onOpen(evidence) })}
  </aside>`
}

function evidenceView(evidence: Evidence): TemplateResult {
  const { fullWhere, quote } = evidenceText(evidence)
  return html`<p class="evidence"><span class="where">${foreign(fullWhere)}</span>${quote === '' ? nothing : html` ${code(quote)}`}</p>`
}
