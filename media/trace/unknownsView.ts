// SPDX-License-Identifier: Apache-2.0

import { html, nothing } from 'lit'
import type { Evidence, TraceAnswer, Unknown } from '../../core/path/answer.ts'
import { linkButton } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { foreign } from '../components/text.ts'

/** What could not be decided, each once, with the fact that would decide it. */
export function missingFacts(answer: TraceAnswer, onOpen: (evidence: Evidence) => void): unknown {
  const unknowns = new Map<string, Unknown>()
  for (const unknown of answer.lanes.flatMap((lane) => lane.unknowns)) unknowns.set(JSON.stringify(unknown), unknown)
  if (unknowns.size === 0) return nothing
  return html`<section class="unknowns" aria-labelledby="unknowns-title">
    <h2 id="unknowns-title">Missing facts</h2>
    <ul>
      ${[...unknowns.values()].map(
        ({ what, missing, evidence }) => html`<li>
          ${icon('question', { tone: 'warned' })}
          <span>
            ${foreign(what)} <span class="note">${foreign(missing)}</span>
            ${evidence === null ? nothing : linkButton('Show', `Show the evidence for ${what}`, () => onOpen(evidence))}
          </span>
        </li>`,
      )}
    </ul>
  </section>`
}
