// SPDX-License-Identifier: Apache-2.0

/** What stands above the lanes: the answer, why it fails, how the lanes differ. */

import { html, nothing, type TemplateResult } from 'lit'
import type { Proof, Step, TraceAnswer } from '../../core/path/answer.ts'
import { share } from '../../core/path/fraction.ts'
import {
  type Failure,
  failures,
  type Headline,
  headline,
  laneTitle,
  type LostReply,
  lostReplies,
} from '../../core/path/headline.ts'
import { linkButton } from '../components/controls.ts'
import { type IconName, icon, type Tone } from '../components/icon.ts'
import { foreign } from '../components/text.ts'
import { PROOF_ICONS } from './proofView.ts'

const MOODS: Readonly<Record<Headline['mood'], { readonly icon: IconName; readonly tone: Tone; readonly word: string }>> = {
  good: { icon: 'pass-filled', tone: 'good', word: 'Arrives.' },
  bad: { icon: 'error', tone: 'bad', word: 'Does not arrive.' },
  mixed: { icon: 'warning', tone: 'warned', word: 'Arrives only in part.' },
  unknown: { icon: 'question', tone: 'warned', word: 'Open.' },
}

export interface SummaryActions {
  readonly onShowFailure: (failure: Failure) => void
  readonly onShowDifference: () => void
  readonly onShowBypassed: () => void
}

export function summary(answer: TraceAnswer, actions: SummaryActions): TemplateResult {
  const { mood, text } = headline(answer)
  // What a real packet contradicts is no answer to rely on, however sure it was.
  const shown = answer.proof?.result === 'contradicted' ? 'unknown' : mood
  return html`<header class="summary">
    <h1 class="headline">
      ${icon(MOODS[shown].icon, { tone: MOODS[shown].tone })}<span><span class="spoken">${MOODS[shown].word} </span>${foreign(text)}</span>${proofBadge(answer.proof)}
    </h1>
    ${failures(answer).map((failure) => failureView(failure, answer.lanes.length > 1, actions))}
    ${lostReplies(answer).map(lostReplyView)} ${differenceView(answer, actions)}
  </header>`
}

function proofBadge(proof: Proof | null): unknown {
  if (proof === null) return nothing
  const { icon: name, tone } = PROOF_ICONS[proof.result]
  const words = { confirmed: 'proven', contradicted: 'contradicted by proof', inconclusive: 'proof inconclusive' }[proof.result]
  return html`<span class="proof-badge ${proof.result === 'contradicted' ? 'bad' : ''}">${icon(name, { tone })} ${words}</span>`
}

function failureView({ lane, outcome, step, probability }: Failure, several: boolean, actions: SummaryActions): TemplateResult {
  const often = probability !== null && probability < 1 - 1e-6 ? ` ${share(probability)} of the time` : ''
  const verdict = probability === null ? `perhaps ${outcome.verdict}` : outcome.verdict
  return html`<div class="failure">
    <p>
      ${icon('circle-slash', { tone: 'bad' })}
      <span>
        <strong>${several ? `${laneTitle(lane)} ${verdict}` : capital(verdict)}${often}:</strong>
        ${step === null ? 'no step is recorded.' : html`${foreign(step.text)} <span class="at">${place(step)}</span>`}
        ${step === null ? nothing : linkButton('Show', 'Show where it ends', () => actions.onShowFailure({ lane, outcome, step, probability }))}
      </span>
    </p>
    ${
      outcome.remedy === undefined
        ? nothing
        : html`<p class="remedy">${icon('arrow-right', { tone: 'good' })}<span><span class="label">Would let it through:</span> ${foreign(outcome.remedy)}</span></p>`
    }
  </div>`
}

function lostReplyView({ lane, text }: LostReply): TemplateResult {
  return html`<div class="failure">
    <p>${icon('warning', { tone: 'warned' })}<span><strong>${laneTitle(lane)}, answers lost:</strong> ${foreign(text)}</span></p>
  </div>`
}

function place(step: Step): TemplateResult {
  return html`${foreign(step.node)} · ${foreign(step.hook)}`
}

function differenceView({ difference, lanes }: TraceAnswer, actions: SummaryActions): unknown {
  if (difference === null || lanes.length < 2) return nothing
  const same = difference.kind === 'same'
  // The sentence tells what differs and how many rules are bypassed.
  const bypassed = difference.bypassedRules.length > 0
  return html`<ul class="differences">
    <li>
      <span class="sign ${same ? 'good' : 'warned'}" aria-hidden="true">${same ? '=' : '≠'}</span>
      <span>
        ${foreign(difference.text)}
        ${difference.at === null ? nothing : linkButton('Show where', 'Show where the lanes part', actions.onShowDifference)}
        ${bypassed ? linkButton('Show rules', 'Show rules that are bypassed', actions.onShowBypassed) : nothing}
      </span>
    </li>
  </ul>`
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
