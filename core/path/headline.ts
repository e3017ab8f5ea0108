// SPDX-License-Identifier: Apache-2.0

/** The answer in one sentence, and the few facts that stand right below it. The same words in the panel and the terminal. */

import type { BypassedRule, Difference, Endpoint, Lane, LaneSource, Outcome, Step, TraceAnswer, Verdict } from './answer.ts'
import { share } from './fraction.ts'
import { isBad, isGood } from './weight.ts'

export interface Headline {
  /** good: it arrives, whichever way. bad: it never does. mixed: sometimes, or in one lane only. unknown: facts are missing. */
  readonly mood: 'good' | 'bad' | 'mixed' | 'unknown'
  readonly text: string
}

export function headline(answer: TraceAnswer): Headline {
  return { mood: moodOf(answer.lanes.flatMap((lane) => lane.outcomes)), text: sentence(answer.lanes) }
}

/** "Netfilter", "eBPF". */
export function laneTitle(lane: Lane): string {
  return lane.lane === 'netfilter' ? 'Netfilter' : 'eBPF'
}

const SOURCES: Readonly<Record<LaneSource, string>> = {
  rules: 'the node’s rules',
  cilium: 'Cilium’s maps',
  plumbline: 'Plumbline’s maps',
  planned: 'planned from the API',
}

/** Where a lane was read from: "the node's rules", "Cilium's maps"; by node, where the nodes on the way differ. */
export function laneSource({ source, nodes = [] }: Lane): string {
  const sources = [...new Set(nodes.map((each) => each.source))]
  if (sources.every((each) => each === source)) return SOURCES[source]
  const on = (wanted: LaneSource) => nodes.flatMap((each) => (each.source === wanted ? [each.node] : [])).join(', ')
  return sources
    .map((each) => (each === 'rules' ? `no eBPF datapath on ${on(each)}: its rules` : `${SOURCES[each]} on ${on(each)}`))
    .join('; ')
}

/** What one has to know about the datapaths of a lane, a sentence each. */
export function laneNotes({ nodes = [] }: Lane): readonly string[] {
  return nodes.flatMap(({ note }) => note ?? [])
}

/** "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1" without a port. */
export function endpointText({ ip, port }: Endpoint): string {
  if (port === null) return ip
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

/** The pod in whose namespace the way ends, as "shop/db-0"; null when it ends elsewhere. */
export function endPod(outcome: Outcome): string | null {
  const netns = outcome.steps.at(-1)?.netns ?? ''
  return isGood(outcome.verdict) && netns.startsWith('pod:') ? netns.slice('pod:'.length) : null
}

export interface Failure {
  readonly lane: Lane
  readonly outcome: Outcome
  /** Index of the step that ended the way; null when none is recorded. */
  readonly step: Step | null
  /** How often: the sum over outcomes that end at the same step. Null when nobody can tell. */
  readonly probability: number | null
}

/** Every distinct reason for which the packet does not arrive. */
export function failures(answer: TraceAnswer): readonly Failure[] {
  const found = new Map<string, Failure>()
  answer.lanes.forEach((lane, index) => {
    for (const outcome of lane.outcomes) {
      if (!isBad(outcome.verdict)) continue
      const step = outcome.steps.at(-1) ?? null
      const key = JSON.stringify([index, outcome.verdict, step?.node, step?.hook, step?.text, outcome.remedy])
      const known = found.get(key)
      found.set(key, {
        lane,
        outcome,
        step,
        probability: known ? add(known.probability, outcome.probability) : outcome.probability,
      })
    }
  })
  return [...found.values()]
}

export interface BypassedOwner {
  /** "kube-proxy", "unknown", … */
  readonly owner: string
  readonly rules: readonly BypassedRule[]
}

/** Bypassed rules by owner: unknown ones first, then by number. */
export function bypassedByOwner(difference: Difference): readonly BypassedOwner[] {
  const owners = new Map<string, BypassedRule[]>()
  for (const rule of difference.bypassedRules) owners.set(rule.owner, [...(owners.get(rule.owner) ?? []), rule])
  return [...owners]
    .map(([owner, rules]) => ({ owner, rules }))
    .sort((a, b) => Number(isUnknownOwner(b.owner)) - Number(isUnknownOwner(a.owner)) || b.rules.length - a.rules.length)
}

export function isUnknownOwner(owner: string): boolean {
  return owner === 'unknown' || owner === ''
}

export interface LostReply {
  readonly lane: Lane
  readonly text: string
}

/** Each distinct way in which answers fail to reach the sender. */
export function lostReplies(answer: TraceAnswer): readonly LostReply[] {
  return answer.lanes.flatMap((lane) => {
    const lost = lane.outcomes
      .filter(({ replyLost }) => replyLost)
      .map(({ reply }) => reply ?? 'the sender does not recognise the answer')
    return [...new Set(lost)].map((text) => ({ lane, text }))
  })
}

/** "14 netfilter rules are bypassed, 2 of unknown owner"; null when there are none. */
export function bypassedText(difference: Difference): string | null {
  const all = difference.bypassedRules.length
  if (all === 0) return null
  const unknown = difference.bypassedRules.filter((rule) => isUnknownOwner(rule.owner)).length
  const count = all === 1 ? '1 netfilter rule is bypassed' : `${all} netfilter rules are bypassed`
  if (unknown === 0) return count
  return `${count}, ${unknown === all ? (all === 1 ? 'its owner unknown' : 'all of unknown owner') : `${unknown} of unknown owner`}`
}

function moodOf(outcomes: readonly Outcome[]): Headline['mood'] {
  if (outcomes.length === 0) return 'unknown'
  if (outcomes.every((outcome) => isGood(outcome.verdict))) return outcomes.some(({ replyLost }) => replyLost) ? 'mixed' : 'good'
  if (outcomes.every((outcome) => isBad(outcome.verdict))) return 'bad'
  return outcomes.some((outcome) => outcome.verdict === 'unknown' || outcome.probability === null) ? 'unknown' : 'mixed'
}

function sentence(lanes: readonly Lane[]): string {
  const [first, second] = lanes
  if (first === undefined) return 'No lane could be traced.'
  if (second === undefined) return `${laneTitle(first)} ${predicate(first, SINGULAR)}.`
  const same = predicate(first, SINGULAR) === predicate(second, SINGULAR)
  if (!same) return `${laneTitle(first)} ${predicate(first, SINGULAR)}; ${laneTitle(second)} ${predicate(second, SINGULAR)}.`
  if (first.outcomes.length === 0) return 'Neither lane has an answer.'
  if (sameDestinations(first, second)) return `Both lanes ${predicate(first, PLURAL, 'the same ')}.`
  return `Both lanes ${predicate(first, PLURAL)}, but not to the same ones.`
}

type Verbs = Readonly<Record<Verdict, string>>
const SINGULAR: Verbs = {
  delivered: 'delivers',
  forwarded: 'forwards',
  accepted: 'accepts',
  dropped: 'drops',
  rejected: 'rejects',
  unknown: 'can’t be told',
}
const PLURAL: Verbs = {
  delivered: 'deliver',
  forwarded: 'forward',
  accepted: 'accept',
  dropped: 'drop',
  rejected: 'reject',
  unknown: 'can’t be told',
}

/** "delivers to 3 backends (⅓ each)", "delivers ⅔ of the time, drops ⅓ of the time". */
function predicate(lane: Lane, verbs: Verbs, same = ''): string {
  const parts = byVerdict(lane.outcomes)
  const [only] = parts
  if (only === undefined) return 'has no answer'
  if (parts.length === 1) return `${phrase(only, verbs, same, missingFacts(lane))}${lostAnswers(only.outcomes)}`
  // With a fact missing nobody can tell how often, only what is possible.
  if (parts.some((part) => probabilityOf(part) === null)) {
    return `${parts.map(({ verdict }) => verbs[verdict]).join(' or ')}${missingFacts(lane)}`
  }
  return parts.map((part) => `${verbs[part.verdict]} ${share(probabilityOf(part))} of the time`).join(', ')
}

interface Part {
  readonly verdict: Verdict
  readonly outcomes: readonly Outcome[]
}

function byVerdict(outcomes: readonly Outcome[]): readonly Part[] {
  const parts = new Map<Verdict, Outcome[]>()
  for (const outcome of outcomes) parts.set(outcome.verdict, [...(parts.get(outcome.verdict) ?? []), outcome])
  return [...parts].map(([verdict, group]) => ({ verdict, outcomes: group }))
}

function probabilityOf({ outcomes }: Part): number | null {
  return outcomes.map((outcome) => outcome.probability).reduce(add, 0)
}

/** A connection whose answers are lost never comes about, however well its packets arrive. */
function lostAnswers(outcomes: readonly Outcome[]): string {
  const lost = outcomes.filter(({ replyLost }) => replyLost).length
  return lost === 0 ? '' : lost === outcomes.length ? ', but the answers are lost' : ', but some answers are lost'
}

function missingFacts(lane: Lane): string {
  const count = lane.unknowns.length
  return count === 0 ? '' : `: ${count === 1 ? '1 fact is' : `${count} facts are`} missing`
}

function phrase({ verdict, outcomes }: Part, verbs: Verbs, same: string, missing: string): string {
  if (verdict === 'unknown') return `${verbs.unknown}${missing}`
  if (isBad(verdict)) return `${verbs[verdict]}${place(outcomes)}`
  const shares = destinationShares(outcomes)
  const [only] = shares.keys()
  if (shares.size <= 1) return `${verbs[verdict]} to ${only ?? 'nobody'}`
  const comma = same === '' ? '' : ','
  const noun = verdict === 'delivered' ? 'backends' : 'destinations'
  return `${verbs[verdict]}${comma} to ${same}${shares.size} ${noun}${evenly([...shares.values()])}`
}

/** " at node-a · filter/FORWARD", when all end there. */
function place(outcomes: readonly Outcome[]): string {
  const places = new Set(outcomes.map(({ steps }) => steps.at(-1)).map((step) => (step ? `${step.node} · ${step.hook}` : '')))
  const [only] = places
  return places.size === 1 && only ? ` at ${only}` : ''
}

function evenly(shares: readonly (number | null)[]): string {
  const texts = new Set(shares.map(share))
  const [only] = texts
  return texts.size === 1 && only !== undefined && only !== '?' ? ` (${only} each)` : ''
}

function destinationShares(outcomes: readonly Outcome[]): Map<string, number | null> {
  const shares = new Map<string, number | null>()
  for (const { destination, probability } of outcomes) {
    const key = endpointText(destination)
    shares.set(key, add(shares.get(key) ?? 0, probability))
  }
  return shares
}

/** Where what arrives arrives; what is dropped has no destination to compare. */
function sameDestinations(a: Lane, b: Lane): boolean {
  const key = ({ outcomes }: Lane) =>
    JSON.stringify([...destinationShares(outcomes.filter(({ verdict }) => isGood(verdict))).keys()].sort())
  return key(a) === key(b)
}

function add(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b
}
