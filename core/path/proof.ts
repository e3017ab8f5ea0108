// SPDX-License-Identifier: Apache-2.0

import type { Endpoint, Lane, Outcome, Proof, ProofAttempt, TraceAnswer, Verdict } from './answer.ts'

/** What a real packet met. */
export type ObservedAttempt = Omit<ProofAttempt, 'outcome'>

/**
 * Compares real packets with the answer. `at` is when they were sent, RFC 3339. The lane they are held against is the one
 * that is really at work: Cilium's maps where they were read, else the node's rules.
 */
export function compareProof(answer: TraceAnswer, observed: readonly ObservedAttempt[], at: string): Proof {
  const lane = decisiveLane(answer)
  const attempts = observed.map((attempt) => ({ ...attempt, outcome: lane === undefined ? null : matchOf(lane, attempt) }))
  return { at, attempts, ...judge(lane, attempts) }
}

function decisiveLane(answer: TraceAnswer): Lane | undefined {
  const real = answer.lanes.find((lane) => lane.lane === 'ebpf' && lane.source === 'cilium')
  return real ?? answer.lanes.find((lane) => lane.lane === 'netfilter') ?? answer.lanes[0]
}

/** Verdicts that would look like this from the sender, the likeliest first. */
const EXPLAINED_BY: Readonly<Record<ProofAttempt['result'], readonly Verdict[]>> = {
  connected: ['delivered', 'forwarded', 'accepted'],
  // A reset comes from a rule as well as from a receiver that listens to nothing there.
  refused: ['rejected', 'delivered', 'forwarded', 'accepted'],
  unreachable: ['rejected', 'dropped'],
  timeout: ['dropped'],
  error: [],
}

function matchOf(lane: Lane, attempt: ObservedAttempt): number | null {
  // Arrived, but its answer can't be recognised: the sender waits in vain.
  const unanswered = lane.outcomes.findIndex((outcome) => outcome.replyLost === true)
  if (unanswered >= 0 && (attempt.result === 'timeout' || attempt.result === 'refused')) return unanswered
  for (const verdict of EXPLAINED_BY[attempt.result]) {
    const index = lane.outcomes.findIndex((outcome) => outcome.verdict === verdict && agrees(outcome, attempt))
    if (index >= 0) return index
  }
  return null
}

/** Where the packet arrived, as far as connection tracking told. A rejected packet has no receiver to compare. */
function agrees(outcome: Outcome, { destination, source }: ObservedAttempt): boolean {
  if (outcome.verdict === 'rejected' || outcome.verdict === 'dropped') return true
  return sameEnd(outcome.destination, destination) && (source === null || outcome.source.ip === source.ip)
}

function sameEnd(predicted: Endpoint, seen: Endpoint | null): boolean {
  return (
    seen === null || (predicted.ip === seen.ip && (predicted.port === null || seen.port === null || predicted.port === seen.port))
  )
}

function judge(lane: Lane | undefined, attempts: readonly ProofAttempt[]): Pick<Proof, 'result' | 'text'> {
  const told = attempts.filter((attempt) => attempt.result !== 'error')
  const [failed] = attempts.filter((attempt) => attempt.result === 'error')
  if (lane === undefined || told.length === 0) {
    return {
      result: 'inconclusive',
      text: failed === undefined ? 'No packet was sent.' : `No packet could be sent: ${failed.detail}`,
    }
  }
  const odd = told.find((attempt) => attempt.outcome === null)
  if (odd === undefined) return { result: 'confirmed', text: `${told.length} of ${told.length} packets did what was predicted.` }
  const open = lane.outcomes.some(
    (outcome) => outcome.verdict === 'unknown' || (outcome.verdict === 'forwarded' && odd.result === 'timeout'),
  )
  if (open)
    return { result: 'inconclusive', text: `A packet ended otherwise (${describe(odd)}), and part of its way is unknown.` }
  const matching = told.filter((attempt) => attempt.outcome !== null).length
  return {
    result: 'contradicted',
    text: `${matching} of ${told.length} packets did what was predicted; one did not: ${describe(odd)}.`,
  }
}

function describe({ result, detail, destination }: ObservedAttempt): string {
  const end = destination === null ? '' : ` at ${destination.ip}${destination.port === null ? '' : `, port ${destination.port}`}`
  return `${result}${end}${detail === '' ? '' : `, ${detail}`}`
}
