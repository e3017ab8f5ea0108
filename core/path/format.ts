// SPDX-License-Identifier: Apache-2.0

import { printable } from '../text/printable.ts'
import { alignLanes, type Cell, type Visit } from './alignment.ts'
import type { Evidence, Lane, Outcome, Proof, Step, TraceAnswer } from './answer.ts'
import { changesOf } from './change.ts'
import { share } from './fraction.ts'
import { bypassedByOwner, bypassedText, endpointText, headline, isUnknownOwner, laneSource, laneTitle } from './headline.ts'
import { isIdle, weightOf } from './weight.ts'

export interface FormatOptions {
  /** Every step with its evidence, and every bypassed rule. */
  readonly verbose?: boolean
}

/**
 * A trace as text for a terminal: the answer first, then how the lanes differ, then their steps by place. Names come from a
 * cluster and may hold anything, so they are made printable.
 */
export function formatTrace(answer: TraceAnswer, options: FormatOptions = {}): string {
  const verbose = options.verbose ?? false
  const blocks = [
    questionText(answer),
    headlineText(answer),
    ...answer.lanes.map(outcomesText),
    differenceText(answer, verbose),
    waysText(answer, verbose),
    unknownsText(answer),
    answer.proof === null ? '' : proofText(answer.proof),
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

function questionText({ question }: TraceAnswer): string {
  const { from, to, source, destination, protocol, ctState, mark } = question
  const extra = [ctState === 'new' ? '' : ctState, mark === 0 ? '' : `mark 0x${mark.toString(16)}`].filter((word) => word !== '')
  const resolved = `${endpointText(source)} -> ${endpointText(destination)} ${protocol}`
  return printable(`${from} -> ${to}  (${[resolved, ...extra].join(', ')})`)
}

const MOODS = { good: '✔', bad: '✘', mixed: '◐', unknown: '?' } as const

function headlineText(answer: TraceAnswer): string {
  const { mood, text } = headline(answer)
  return printable(`${MOODS[mood]} ${text}`)
}

/** Outcomes that end alike are one line here. */
function outcomesText(lane: Lane): string {
  const groups = new Map<string, { readonly outcome: Outcome; probability: number | null }>()
  for (const outcome of lane.outcomes) {
    const key = JSON.stringify([outcome.verdict, outcome.source, outcome.destination, outcome.remedy, lastStep(outcome)?.text])
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { outcome, probability: outcome.probability })
    else
      known.probability =
        known.probability === null || outcome.probability === null ? null : known.probability + outcome.probability
  }
  const lines = [...groups.values()].flatMap(({ outcome, probability }) => outcomeLines(outcome, probability))
  return [`${laneTitle(lane)} (${laneSource(lane)})`, ...lines].map(printable).join('\n')
}

function lastStep(outcome: Outcome): Step | undefined {
  return outcome.steps.at(-1)
}

function outcomeLines(outcome: Outcome, probability: number | null): readonly string[] {
  const ends = `${endpointText(outcome.source)} -> ${endpointText(outcome.destination)}`
  const last = lastStep(outcome)
  const stopped = ['dropped', 'rejected', 'unknown'].includes(outcome.verdict) && last !== undefined
  return [
    `  ${share(probability).padEnd(4)} ${outcome.verdict.padEnd(9)} ${ends}${outcome.masquerade ? '  (source replaced)' : ''}`,
    ...(stopped
      ? [`       at ${last.node} · ${last.netns} · ${last.hook}: ${last.text}`, ...evidenceLines(last.evidence, '       ')]
      : []),
    ...(outcome.replyLost === true ? [`       ! ${outcome.reply ?? ''}`] : []),
    ...(outcome.remedy === undefined ? [] : [`       what would let it through: ${outcome.remedy}`]),
  ]
}

const SHOWN_RULES = 8

function differenceText({ difference }: TraceAnswer, verbose: boolean): string {
  if (difference === null) return ''
  const { kind, at, text } = difference
  const where = at === null ? '' : `  [first at ${at.node} · ${at.hook}]`
  const lines = [`${kind === 'same' ? '=' : '≠'} ${text}${where}`]
  if (bypassedText(difference) !== null) {
    for (const { owner, rules } of bypassedByOwner(difference)) {
      lines.push(`  ${owner === '' ? 'unknown' : owner}${isUnknownOwner(owner) ? ' !' : ''}: ${rules.length}`)
      if (!verbose && !isUnknownOwner(owner)) continue
      const shown = verbose ? rules : rules.slice(0, SHOWN_RULES)
      lines.push(...shown.map((rule) => `    ${rule.node} ${rule.text}`))
      if (shown.length < rules.length) lines.push(`    and ${rules.length - shown.length} more (--verbose)`)
    }
  }
  return lines.map(printable).join('\n')
}

/** The way of the first outcome of each lane; the others differ in what the outcomes above say. */
function waysText(answer: TraceAnswer, verbose: boolean): string {
  const ways = answer.lanes.map((lane) => lane.outcomes[0]?.steps ?? null)
  if (ways.every((way) => way === null)) return ''
  const more = answer.lanes.some((lane) => lane.outcomes.length > 1) ? ' (of the first outcome)' : ''
  const visits = alignLanes(ways).flatMap((visit) => visitLines(visit, answer.lanes, verbose))
  return [`The way${more}`, ...visits].join('\n')
}

function visitLines({ node, netns, rows }: Visit, lanes: readonly Lane[], verbose: boolean): readonly string[] {
  const shown = verbose ? rows : rows.filter((row) => !isIdle(row))
  const folded = rows.length - shown.length
  const note = folded === 0 ? [] : [`      ${folded} ${folded === 1 ? 'place' : 'places'} where nothing was decided (--verbose)`]
  const lines = shown.flatMap((row) => [
    printable(`    ${row.hook}`),
    ...row.cells.flatMap((cell, index) => cellLines(cell, lanes[index], lanes.length, verbose)),
  ])
  return [printable(`  ${node} · ${netns}`), ...lines, ...note]
}

function cellLines(cell: Cell, lane: Lane | undefined, lanes: number, verbose: boolean): readonly string[] {
  if (lane === undefined || (cell.kind === 'ended' && lanes === 1)) return []
  const name = lanes > 1 ? `${(lane.lane === 'netfilter' ? 'rules' : 'eBPF').padEnd(5)} ` : ''
  if (cell.kind !== 'steps') return [`      ${name}─`]
  const steps = verbose ? cell.steps : cell.steps.filter((step) => weightOf(step) !== 'idle')
  if (steps.length === 0) return [`      ${name}◇ ${cell.steps.length} passed`]
  return steps.flatMap((step) => stepLines(step, name, verbose))
}

const MARKS = { decisive: '◆', passing: '◇', idle: '·', wall: '✘', unknown: '?', bypass: '─' } as const

function stepLines(step: Step, name: string, verbose: boolean): readonly string[] {
  const changed = changesOf(step).map(({ part, before, after }) => `${part === null ? '' : `${part} `}${before ?? ''} → ${after}`)
  const change = changed.length === 0 ? '' : `  [${changed.join(', ')}]`
  const line = printable(`      ${name}${MARKS[weightOf(step)]} ${step.text}${change}`)
  return verbose ? [line, ...evidenceLines(step.evidence, `      ${' '.repeat(name.length)}  `).map(printable)] : [line]
}

/** Where to look, a line each. */
export function evidenceLines(evidence: Evidence | null, indent: string): readonly string[] {
  switch (evidence?.kind) {
    case 'file':
      return [`${indent}${evidence.file}:${evidence.line}  ${evidence.text}`]
    case 'fact':
      return [`${indent}${evidence.file}#${evidence.pointer}  ${evidence.text}`]
    case 'object':
      return [
        `${indent}${evidence.object} ${evidence.namespace === '' ? '' : `${evidence.namespace}/`}${evidence.name} ${evidence.field}`,
      ]
    case 'map':
      return [`${indent}${evidence.map} ${evidence.key} = ${evidence.value}`]
    default:
      return []
  }
}

function unknownsText({ lanes }: TraceAnswer): string {
  const all = lanes.flatMap((lane) => lane.unknowns.map((entry) => ({ lane, ...entry })))
  if (all.length === 0) return ''
  const seen = new Map<string, string>()
  for (const { lane, what, missing } of all) {
    const text = `  ? ${what}: missing is ${missing}`
    seen.set(text, seen.has(text) ? '' : lanes.length > 1 ? ` (${laneTitle(lane)})` : '')
  }
  return ['Not known', ...[...seen].map(([text, lane]) => printable(text + lane))].join('\n')
}

const RESULTS = { confirmed: '✔', contradicted: '✘', inconclusive: '?' } as const

function proofText(proof: Proof): string {
  const lines = proof.attempts.map(({ result, detail, destination, milliseconds, outcome }) => {
    const end = destination === null ? '' : ` ${endpointText(destination)}`
    const told = outcome === null ? 'not predicted' : 'as predicted'
    return `  ${result}${end} in ${milliseconds.toFixed(1)} ms, ${told}${detail === '' ? '' : `: ${detail}`}`
  })
  return [`Proof  ${RESULTS[proof.result]} ${proof.text}`, ...lines].map(printable).join('\n')
}
