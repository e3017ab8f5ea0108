// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import type { Lane, Proof, ProofAttempt, TraceAnswer } from '../../core/path/answer.ts'
import { endPod, endpointText } from '../../core/path/headline.ts'
import { button, progressRing } from '../components/controls.ts'
import { type IconName, icon, type Tone } from '../components/icon.ts'
import { code, foreign } from '../components/text.ts'

export interface Proving {
  readonly text: string
  readonly done: number
  readonly of: number
}

/** The lane that real packets are compared with. */
export function decisiveLane(answer: TraceAnswer): Lane | undefined {
  return answer.lanes.find(({ lane }) => lane === 'netfilter') ?? answer.lanes[0]
}

/** Times each outcome of the decisive lane was seen. */
export function timesSeen(proof: Proof | null, outcome: number): number {
  return proof?.attempts.filter((attempt) => attempt.outcome === outcome).length ?? 0
}

interface ToneIcon {
  readonly icon: IconName
  readonly tone: Tone
}

export const PROOF_ICONS: Readonly<Record<Proof['result'], ToneIcon>> = {
  confirmed: { icon: 'verified-filled', tone: 'good' },
  contradicted: { icon: 'error', tone: 'bad' },
  inconclusive: { icon: 'question', tone: 'warned' },
}

export function proofSection(answer: TraceAnswer, proof: Proof, onReport: () => void): TemplateResult {
  const { icon: name, tone } = PROOF_ICONS[proof.result]
  return html`<section class="proof ${proof.result}" aria-labelledby="proof-title">
    <h2 id="proof-title" class=${tone === 'bad' ? 'bad' : ''}>${icon(name, { tone })} Proof: ${proof.result}</h2>
    <p>${foreign(proof.text)} <time datetime=${proof.at}>${time(proof.at)}</time></p>
    <table>
      <thead>
        <tr><th scope="col">Against the prediction</th><th scope="col">What happened</th><th scope="col">Answered by</th><th scope="col">Source seen</th></tr>
      </thead>
      <tbody>${groups(proof).map((group) => attemptRow(group, decisiveLane(answer)))}</tbody>
    </table>
    ${
      proof.result === 'contradicted'
        ? html`<p>
            Plumbline predicted this wrongly. A report holds the prediction and the proof, with names and addresses replaced.
            ${button({ label: 'Report', icon: 'report', onPress: onReport })}
          </p>`
        : nothing
    }
  </section>`
}

export function provingSection(proving: Proving, onCancel: () => void): TemplateResult {
  return html`<section class="proof proving" aria-label="Proof">
    ${progressRing('Proving')}
    <p role="status">${foreign(proving.text)}${proving.of > 0 ? html` <span class="count">${proving.done} of ${proving.of}</span>` : nothing}</p>
    ${button({ label: 'Cancel', icon: 'close', onPress: onCancel })}
  </section>`
}

type Standing = 'contradicted' | 'undecided' | 'predicted'

interface Group {
  readonly standing: Standing
  readonly attempts: readonly ProofAttempt[]
}

const STANDINGS: readonly Standing[] = ['contradicted', 'undecided', 'predicted']

/** Attempts that went the same way together; contradictions first. */
function groups(proof: Proof): readonly Group[] {
  const found = new Map<string, { standing: Standing; attempts: ProofAttempt[] }>()
  for (const attempt of proof.attempts) {
    const standing = standingOf(proof, attempt)
    const key = JSON.stringify([standing, attempt.result, attempt.outcome, attempt.destination, attempt.source?.ip])
    const group = found.get(key) ?? { standing, attempts: [] }
    group.attempts.push(attempt)
    found.set(key, group)
  }
  return [...found.values()].sort((a, b) => STANDINGS.indexOf(a.standing) - STANDINGS.indexOf(b.standing))
}

function standingOf(proof: Proof, attempt: ProofAttempt): Standing {
  if (attempt.outcome !== null) return 'predicted'
  // An attempt that failed in the probe itself says nothing about the packet.
  return proof.result === 'contradicted' && attempt.result !== 'error' ? 'contradicted' : 'undecided'
}

const STANDING_ICONS: Readonly<Record<Standing, ToneIcon>> = {
  contradicted: { icon: 'error', tone: 'bad' },
  undecided: { icon: 'question', tone: 'warned' },
  predicted: { icon: 'check', tone: 'good' },
}
const MANY = 12

function attemptRow({ standing, attempts }: Group, lane: Lane | undefined): TemplateResult {
  const [first] = attempts
  if (first === undefined) return html``
  const { icon: name, tone } = STANDING_ICONS[standing]
  const ticks = attempts.slice(0, MANY).map(() => icon(name, { tone }))
  return html`<tr>
    <td>${ticks} ${standingText(standing, first, lane)}${attempts.length > 1 ? html` <span class="count">${attempts.length} times</span>` : nothing}</td>
    <td>${first.result} ${duration(attempts)}${first.detail === '' ? nothing : html` <span class="note">· ${foreign(first.detail)}</span>`}</td>
    <td>${first.destination === null ? 'not told' : code(endpointText(first.destination))}</td>
    <td>${first.source === null ? 'not told' : code(first.source.ip)}</td>
  </tr>`
}

function standingText(standing: Standing, attempt: ProofAttempt, lane: Lane | undefined): TemplateResult {
  if (standing === 'contradicted') return html`<strong class="bad">not predicted</strong>`
  if (standing === 'undecided') return html`can’t be compared`
  const outcome = attempt.outcome === null ? undefined : lane?.outcomes[attempt.outcome]
  if (outcome === undefined) return html`as predicted`
  return html`as predicted: ${outcome.verdict} ${foreign(endPod(outcome) ?? endpointText(outcome.destination))}`
}

function duration(attempts: readonly ProofAttempt[]): string {
  const times = attempts.map(({ milliseconds }) => milliseconds)
  const [low, high] = [Math.min(...times), Math.max(...times)].map((value) => (value < 10 ? value.toFixed(1) : value.toFixed(0)))
  return low === high ? `in ${low} ms` : `in ${low}–${high} ms`
}

/** The person's own clock, to the second; an unreadable time is shown as it came. */
export function time(rfc3339: string): TemplateResult {
  const date = new Date(rfc3339)
  if (Number.isNaN(date.getTime())) return foreign(rfc3339)
  return html`${new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' }).format(date)}`
}
