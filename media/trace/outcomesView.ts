// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { Choice } from '../../core/path/alignment.ts'
import type { Lane, Outcome, TraceAnswer } from '../../core/path/answer.ts'
import { percent, share } from '../../core/path/fraction.ts'
import { endPod, endpointText, laneTitle } from '../../core/path/headline.ts'
import { isGood } from '../../core/path/weight.ts'
import { printable } from '../../core/text/printable.ts'
import { dropdown, radioGroup } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { foreign } from '../components/text.ts'
import { decisiveLane, timesSeen } from './proofView.ts'

/** More than these no longer fit in sight. */
const FEW = 6

/** Which of several ends is looked at; nothing when there is but one. */
export function outcomeChooser(
  answer: TraceAnswer,
  choices: readonly Choice[],
  selected: number,
  onSelect: (index: number) => void,
): unknown {
  if (choices.length < 2) return nothing
  const options = choices.map((choice) => {
    const phrases = describe(answer.lanes, choice)
    const spoken = phrases.map(({ lane, end, chance }) => `${lane === null ? '' : `${lane} `}${end}, ${chance}`).join('; ')
    const seen = seenTimes(answer, choice)
    return {
      name: printable(`${spoken}${seen > 0 ? `, seen ${seen} times` : ''}`),
      content: html`${phrases.map(phraseView)}${
        seen > 0 ? html` <span class="seen">${icon('check', { tone: 'good' })} seen ${seen}×</span>` : nothing
      }`,
    }
  })
  const controls = { label: 'Outcome', options, selected, onSelect }
  return html`<div class="outcomes">
    <span class="label" aria-hidden="true">Outcome</span>
    ${choices.length <= FEW ? radioGroup(controls) : dropdown(controls)}
  </div>`
}

function phraseView({ lane, end, chance }: Phrase): TemplateResult {
  return html`<span class="phrase"
    >${lane === null ? nothing : html`<span class="label">${lane}</span> `}${foreign(end)} <span class="chance">${chance}</span></span
  >`
}

/** One phrase for all lanes when they agree, else one for each. */
function describe(lanes: readonly Lane[], choice: Choice): readonly Phrase[] {
  const own = lanes.flatMap((lane, index) => {
    const outcome = lane.outcomes[choice[index] ?? -1]
    return outcome === undefined ? [] : [{ lane: laneTitle(lane), end: endText(outcome), chance: chanceText(outcome), outcome }]
  })
  const [first] = own
  const agree =
    own.length === lanes.length &&
    own.every(({ chance, outcome }) => first !== undefined && sameEnd(outcome, first.outcome) && chance === first.chance)
  if (!agree || first === undefined) return own
  // Only one of the lanes may know whose address it is.
  const named = own.find(({ outcome }) => endPod(outcome) !== null) ?? first
  return [{ ...named, lane: null }]
}

function sameEnd(a: Outcome, b: Outcome): boolean {
  return a.verdict === b.verdict && endpointText(a.destination) === endpointText(b.destination)
}

interface Phrase {
  readonly lane: string | null
  readonly end: string
  readonly chance: string
}

function endText(outcome: Outcome): string {
  if (!isGood(outcome.verdict)) return outcome.verdict
  const end = endpointText(outcome.destination)
  const pod = endPod(outcome)
  return pod === null ? end : `${pod} ${end}`
}

/** "⅓ (33.3 %)". */
function chanceText({ probability }: Outcome): string {
  if (probability === null) return 'possible'
  const exact = share(probability)
  if (exact === '1') return 'always'
  return exact.startsWith('≈') ? exact : `${exact} (${percent(probability)})`
}

function seenTimes(answer: TraceAnswer, choice: Choice): number {
  const lane = decisiveLane(answer)
  const decisive = lane === undefined ? -1 : answer.lanes.indexOf(lane)
  const outcome = choice[decisive]
  return outcome === null || outcome === undefined ? 0 : timesSeen(answer.proof, outcome)
}
