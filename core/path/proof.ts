// SPDX-License-Identifier: Apache-2.0

import type { Effect, Endpoint, Lane, Outcome, Proof, ProofAttempt, TraceAnswer, TraceQuestion, Verdict } from './answer.ts'

/** What a real packet met. */
export type ObservedAttempt = Omit<ProofAttempt, 'outcome'>

/**
 * Compares real packets with the answer. `at` is when they were sent, RFC 3339. The lane they are held against is the one
 * that is really at work: Cilium's maps where they were read, else the node's rules.
 */
export function compareProof(answer: TraceAnswer, observed: readonly ObservedAttempt[], at: string): Proof {
  const lane = decisiveLane(answer)
  const told = observed.some(({ result }) => result === 'refused' || result === 'unreachable')
  const attempts = observed.map((attempt) => ({
    ...attempt,
    outcome: lane === undefined ? null : matchOf(answer, lane, attempt, told),
  }))
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

function matchOf({ question }: TraceAnswer, lane: Lane, attempt: ObservedAttempt, told: boolean): number | null {
  // Arrived, but its answer can't be recognised: the sender waits in vain.
  const unanswered = lane.outcomes.findIndex((outcome) => outcome.replyLost === true)
  if (unanswered >= 0 && (attempt.result === 'timeout' || attempt.result === 'refused')) return unanswered
  for (const verdict of EXPLAINED_BY[attempt.result]) {
    const index = lane.outcomes.findIndex((outcome) => outcome.verdict === verdict && agrees(question, outcome, attempt))
    if (index >= 0) return index
  }
  // Nodes limit how often they say that they refuse (net.ipv4.icmp_ratelimit): after the first times there is silence.
  const refusing = attempt.result === 'timeout' && told ? lane.outcomes.findIndex(({ verdict }) => verdict === 'rejected') : -1
  return refusing < 0 ? null : refusing
}

/**
 * Whether connection tracking where the packet started saw what was predicted there. What another node did to it afterwards
 * can't be seen from the start. A rejected packet has no receiver to compare.
 */
function agrees(question: TraceQuestion, outcome: Outcome, { destination, source }: ObservedAttempt): boolean {
  if (outcome.verdict === 'rejected' || outcome.verdict === 'dropped') return true
  const seen = seenAtStart(question, outcome)
  return sameEnd(seen.destination, destination) && (source === null || seen.source.ip === source.ip)
}

const TRANSLATIONS: ReadonlySet<Effect> = new Set(['dnat', 'snat', 'masquerade', 'redirect', 'netmap', 'select-backend'])

/** Both ends after everything the first node did to the packet itself, before it went on to another or into a tunnel. */
function seenAtStart(question: TraceQuestion, outcome: Outcome): Ends {
  const [first] = outcome.steps
  const leaves = outcome.steps.findIndex(({ node, effect }) => node !== first?.node || effect === 'encapsulate')
  if (leaves < 0) return outcome
  const [sent] = outcome.steps.flatMap(({ before }) => endsOf(before) ?? [])
  let ends: Ends = { source: sent?.source ?? outcome.source, destination: question.destination }
  for (const { effect, after } of outcome.steps.slice(0, leaves)) {
    if (!TRANSLATIONS.has(effect)) continue
    const chosen = effect === 'select-backend' && after !== null ? endpointOf(after) : undefined
    ends = endsOf(after) ?? (chosen === undefined ? ends : { ...ends, destination: chosen })
  }
  return ends
}

type Ends = Pick<Outcome, 'source' | 'destination'>

/** "10.0.0.1:4000 -> 10.96.0.1:80" */
function endsOf(flow: string | null): Ends | undefined {
  const [source, destination] = flow?.split(' -> ').map(endpointOf) ?? []
  return source === undefined || destination === undefined ? undefined : { source, destination }
}

/** "10.0.0.1:80", "[fd00::1]:80", or an address alone. */
function endpointOf(text: string): Endpoint | undefined {
  const [, ip, port] = /^\[?([0-9a-f:.]+?)\]?(?::(\d+))?$/.exec(text) ?? []
  if (ip === undefined) return undefined
  const isBareIpv6 = !text.startsWith('[') && text.split(':').length > 2
  return isBareIpv6 ? { ip: text, port: null } : { ip, port: port === undefined ? null : Number(port) }
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
