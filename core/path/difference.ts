// SPDX-License-Identifier: Apache-2.0

import type { BypassedRule, Difference, DifferenceKind, Endpoint, Lane, Outcome, Step } from './answer.ts'
import type { LaneResult } from './netfilterLane.ts'
import type { Visited } from './traveller.ts'

/** How the two lanes' answers differ, where they part, and which rules of the hosts only one of them passes. */
export function differenceOf(netfilter: LaneResult, ebpf: LaneResult): Difference {
  const bypassedRules = bypassed(netfilter.visited, ebpf.visited)
  const kind = kindOf(netfilter.lane, ebpf.lane, bypassedRules.length > 0)
  return {
    kind,
    at: placeOf(kind, netfilter.lane, ebpf.lane),
    text: textOf(kind, netfilter.lane, ebpf.lane, bypassedRules),
    bypassedRules,
  }
}

function kindOf(netfilter: Lane, ebpf: Lane, bypassing: boolean): DifferenceKind {
  if ([...netfilter.outcomes, ...ebpf.outcomes].some((outcome) => outcome.verdict === 'unknown')) return 'undecided'
  const views: readonly (readonly [DifferenceKind, (outcome: Outcome) => string])[] = [
    ['verdict', (outcome) => outcome.verdict],
    ['destination', (outcome) => `${outcome.verdict} ${endText(outcome.destination)}`],
    ['source', (outcome) => `${outcome.verdict} ${endText(outcome.destination)} ${outcome.source.ip}`],
  ]
  for (const [kind, view] of views) {
    const comparison = compare(shares(netfilter, view), shares(ebpf, view))
    if (comparison !== 'same') return comparison === 'undecided' ? 'undecided' : kind
  }
  return bypassing || routeText(netfilter) !== routeText(ebpf) ? 'path' : 'same'
}

/** Probability by what an outcome looks like; NaN where one of them can't be told. */
function shares(lane: Lane, view: (outcome: Outcome) => string): ReadonlyMap<string, number> {
  const total = new Map<string, number>()
  for (const outcome of lane.outcomes) {
    const key = view(outcome)
    total.set(key, (total.get(key) ?? 0) + (outcome.probability ?? Number.NaN))
  }
  // When every way ends alike, nothing hangs on what could not be decided.
  const [only] = total.keys()
  return total.size === 1 && only !== undefined ? new Map([[only, 1]]) : total
}

function compare(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): 'same' | 'different' | 'undecided' {
  const keys = new Set([...a.keys(), ...b.keys()])
  const certain = (map: ReadonlyMap<string, number>) => [...map.values()].every((value) => !Number.isNaN(value))
  if (!certain(a) || !certain(b)) {
    const disjoint = [...a.keys()].every((key) => !b.has(key))
    return disjoint ? 'different' : 'undecided'
  }
  return [...keys].some((key) => Math.abs((a.get(key) ?? 0) - (b.get(key) ?? 0)) > 1e-6) ? 'different' : 'same'
}

function endText({ ip, port }: Endpoint): string {
  return port === null ? ip : ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

/** Nodes in the order they are crossed. */
function routeText(lane: Lane): string {
  const ways = lane.outcomes.map((outcome) =>
    outcome.steps
      .map((step) => step.node)
      .filter((node, i, all) => node !== all[i - 1])
      .join('>'),
  )
  return [...new Set(ways)].sort().join('|')
}

const DECIDING: Partial<Readonly<Record<DifferenceKind, readonly Step['effect'][]>>> = {
  verdict: ['drop', 'reject', 'deny', 'unknown', 'queue'],
  destination: ['dnat', 'redirect', 'select-backend', 'netmap', 'tproxy'],
  source: ['snat', 'masquerade'],
}

/** The first step of a kind that would explain it, else the first of the rules' lane that the other lane has no counterpart for. */
function placeOf(kind: DifferenceKind, netfilter: Lane, ebpf: Lane): Difference['at'] {
  if (kind === 'same') return null
  const effects = DECIDING[kind]
  const steps = [netfilter, ebpf].flatMap((lane) => lane.outcomes.flatMap((outcome) => outcome.steps))
  const deciding = effects && steps.find((step) => effects.includes(step.effect))
  if (deciding) return { node: deciding.node, hook: deciding.hook }
  const there = new Set(
    ebpf.outcomes.flatMap((outcome) => outcome.steps.map((step) => `${step.node} ${step.netns} ${step.hook}`)),
  )
  const first = netfilter.outcomes
    .flatMap((outcome) => outcome.steps)
    .find((step) => !there.has(`${step.node} ${step.netns} ${step.hook}`))
  return first === undefined ? null : { node: first.node, hook: first.hook }
}

function textOf(kind: DifferenceKind, netfilter: Lane, ebpf: Lane, rules: readonly BypassedRule[]): string {
  return [SENTENCES[kind](netfilter, ebpf), bypassText(rules)].filter((part) => part !== '').join(' ')
}

const SENTENCES: Readonly<Record<DifferenceKind, (netfilter: Lane, ebpf: Lane) => string>> = {
  same: () => 'Both lanes take the packet the same way to the same end.',
  path: () => 'Both lanes have the same end; the ways there differ.',
  verdict: (netfilter, ebpf) =>
    `The verdicts differ: ${summary(netfilter, (outcome) => outcome.verdict)} by the rules, ${summary(ebpf, (outcome) => outcome.verdict)} by eBPF.`,
  destination: (netfilter, ebpf) =>
    `The destinations differ: ${summary(netfilter, (outcome) => endText(outcome.destination))} by the rules, ${summary(ebpf, (outcome) => endText(outcome.destination))} by eBPF.`,
  source: (netfilter, ebpf) =>
    `The receiver sees another source: ${summary(netfilter, (outcome) => outcome.source.ip)} by the rules, ${summary(ebpf, (outcome) => outcome.source.ip)} by eBPF.`,
  undecided: () => 'Facts are missing to say whether the lanes differ.',
}

const SHOWN = 4

function summary(lane: Lane, view: (outcome: Outcome) => string): string {
  const values = [...new Set(lane.outcomes.map(view))]
  const more = values.length > SHOWN ? ` and ${values.length - SHOWN} more` : ''
  return values.slice(0, SHOWN).join(', ') + more
}

function bypassText(rules: readonly BypassedRule[]): string {
  if (rules.length === 0) return ''
  const unowned = rules.filter((rule) => rule.owner === UNKNOWN_OWNER).length
  const plural = rules.length === 1 ? '1 rule the packet meets' : `${rules.length} rules the packet meets`
  const note = unowned === 0 ? '' : `, ${unowned} of them of unknown owner`
  return `eBPF would bypass ${plural}${note}.`
}

const UNKNOWN_OWNER = 'unknown'

/** Rules of host namespaces only: what a pod has in its own is met in both lanes. */
function bypassed(netfilter: readonly Visited[], ebpf: readonly Visited[]): readonly BypassedRule[] {
  const met = new Set(ebpf.map(keyOf))
  const rules = new Map<string, BypassedRule>()
  for (const visited of netfilter) {
    const key = keyOf(visited)
    if (visited.netns.label !== 'host' || met.has(key) || rules.has(key)) continue
    const { hook, text, owner, evidence } = visited.rule
    rules.set(key, { node: visited.netns.node, hook, text, owner, evidence })
  }
  return [...rules.values()].sort((a, b) => Number(b.owner === UNKNOWN_OWNER) - Number(a.owner === UNKNOWN_OWNER))
}

/** The same rule at another hook is another meeting: it is bypassed at one and met at the other. */
function keyOf({ netns, rule }: Visited): string {
  return JSON.stringify([netns.node, netns.label, rule.hook, rule.evidence])
}
