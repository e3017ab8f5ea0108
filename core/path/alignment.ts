// SPDX-License-Identifier: Apache-2.0

/**
 * Lays the ways of several lanes side by side, so that each row is one place and a missing cell means that the lane never
 * comes there. Rows are grouped by visit: one stay in one network namespace of one node.
 *
 * Visits, and then the places inside a visit, are matched by a longest common subsequence: what both lanes share keeps its
 * order in both, whatever lies between.
 */

import type { Outcome, Step } from './answer.ts'

export type Cell =
  /** What the lane does here, in order. `first` is the index of the first step in the outcome. */
  | { readonly kind: 'steps'; readonly steps: readonly Step[]; readonly first: number }
  /** The lane goes on later, past this place. */
  | { readonly kind: 'gap' }
  /** The lane has already ended, or has no way at all. */
  | { readonly kind: 'ended' }

export interface Row {
  readonly hook: string
  /** One per lane. */
  readonly cells: readonly Cell[]
}

export interface Visit {
  readonly node: string
  readonly netns: string
  readonly rows: readonly Row[]
}

/** Rows for the ways of one outcome per lane; null for a lane without one. Lanes in the order netfilter, eBPF. */
export function alignLanes(lanes: readonly (readonly Step[] | null)[]): readonly Visit[] {
  const ways = lanes.map((steps) => visitsOf(steps ?? []))
  const merged = ways.reduce<readonly Merged[]>(
    (visits, way, lane) => mergeSequences(visits, way, visitKey, visitKey).map((pair) => mergeVisit(pair, lane)),
    [],
  )
  const ends = lanes.map((steps) => steps?.length ?? 0)
  const done = lanes.map(() => 0)
  return merged.map(({ node, netns, rows }) => ({
    node,
    netns,
    rows: rows.map(({ hook, runs }) => ({ hook, cells: lanes.map((_, lane) => cellOf(runs[lane], lane, done, ends)) })),
  }))
}

/** `done` counts the steps each lane has shown so far: it is what tells a gap from an end. */
function cellOf(run: Run | undefined, lane: number, done: number[], ends: readonly number[]): Cell {
  if (run === undefined) return { kind: (done[lane] ?? 0) < (ends[lane] ?? 0) ? 'gap' : 'ended' }
  done[lane] = run.first + run.steps.length
  return { kind: 'steps', steps: run.steps, first: run.first }
}

/** Consecutive steps of one lane at one hook. */
interface Run {
  readonly hook: string
  readonly first: number
  readonly steps: Step[]
}

interface OwnVisit {
  readonly node: string
  readonly netns: string
  readonly runs: Run[]
}

interface MergedRow {
  readonly hook: string
  /** By lane; lanes that are not here are missing. */
  readonly runs: readonly (Run | undefined)[]
}

interface Merged {
  readonly node: string
  readonly netns: string
  readonly rows: readonly MergedRow[]
}

function visitsOf(steps: readonly Step[]): readonly OwnVisit[] {
  const visits: OwnVisit[] = []
  steps.forEach((step, index) => {
    let visit = visits.at(-1)
    if (visit === undefined || visit.node !== step.node || visit.netns !== step.netns) {
      visit = { node: step.node, netns: step.netns, runs: [] }
      visits.push(visit)
    }
    const run = visit.runs.at(-1)
    if (run?.hook === step.hook) run.steps.push(step)
    else visit.runs.push({ hook: step.hook, first: index, steps: [step] })
  })
  return visits
}

function visitKey(visit: { readonly node: string; readonly netns: string }): string {
  return `${visit.node}\0${visit.netns}`
}

function hookOf(item: { readonly hook: string }): string {
  return item.hook
}

function mergeVisit([known, own]: Pair<Merged, OwnVisit>, lane: number): Merged {
  const { node, netns } = known ?? own ?? { node: '', netns: '' }
  const pairs = inReadingOrder(mergeSequences(known?.rows ?? [], own?.runs ?? [], hookOf, hookOf))
  const rows = pairs.map(([row, run]) => {
    const runs = [...(row?.runs ?? [])]
    runs[lane] = run
    return { hook: row?.hook ?? run?.hook ?? '', runs }
  })
  return { node, netns, rows }
}

/**
 * Between two shared places the order is open. Programs at a device run once it has taken the packet, before netfilter's hooks
 * on the way in and after them on the way out. The routing decision tells which, and so does the policy of who receives it.
 */
function inReadingOrder(pairs: readonly Pair<MergedRow, Run>[]): readonly Pair<MergedRow, Run>[] {
  const ordered: Pair<MergedRow, Run>[] = []
  let between: Pair<MergedRow, Run>[] = []
  let routed = false
  const flush = () => {
    const netfilter = between.filter(([row]) => row !== undefined)
    const ebpf = between.filter(([row]) => row === undefined)
    const taken = routed || netfilter[0]?.[0]?.hook !== 'link' ? 0 : 1
    const leaving = ebpf.findIndex(([, run]) => run?.hook === 'policy-ingress')
    const early = routed ? 0 : leaving < 0 ? ebpf.length : leaving
    ordered.push(...netfilter.slice(0, taken), ...ebpf.slice(0, early), ...netfilter.slice(taken), ...ebpf.slice(early))
    between = []
  }
  for (const pair of pairs) {
    const [row, run] = pair
    if (row === undefined || run === undefined) {
      between.push(pair)
      continue
    }
    flush()
    ordered.push(pair)
    routed ||= row.hook === 'route'
  }
  flush()
  return ordered
}

type Pair<A, B> = readonly [A | undefined, B | undefined]

/** Matches equal keys by a longest common subsequence; what stands alone keeps its place, the first sequence's first. */
function mergeSequences<A, B>(
  a: readonly A[],
  b: readonly B[],
  keyOfA: (item: A) => string,
  keyOfB: (item: B) => string,
): readonly Pair<A, B>[] {
  const keysA = a.map(keyOfA)
  const keysB = b.map(keyOfB)
  // common[i][j]: length of the longest common subsequence of a[i…] and b[j…].
  const common = keysA.map(() => new Array<number>(b.length + 1).fill(0))
  common.push(new Array<number>(b.length + 1).fill(0))
  const at = (i: number, j: number): number => common[i]?.[j] ?? 0
  for (let i = a.length - 1; i >= 0; i--) {
    const line = common[i] ?? []
    for (let j = b.length - 1; j >= 0; j--) {
      line[j] = keysA[i] === keysB[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const pairs: Pair<A, B>[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && keysA[i] === keysB[j]) pairs.push([a[i++], b[j++]])
    else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) pairs.push([a[i++], undefined])
    else pairs.push([undefined, b[j++]])
  }
  return pairs
}

/** Outcomes that are looked at together: for each lane an index into its outcomes, or null when it never ends like this. */
export type Choice = readonly (number | null)[]

/**
 * Which outcome of one lane belongs to which of the other: equal ends first, then equal destinations, then what is left over in
 * order. A lane with fewer leftovers shows its last one again, so that "dropped" stands beside each backend of the other lane.
 */
export function pairOutcomes(lanes: readonly (readonly Outcome[])[]): readonly Choice[] {
  const exact = (outcome: Outcome) => `${outcome.verdict} ${destinationKey(outcome)}`
  let choices = groupBy(lanes, exact)
  choices = joinPartial(choices, lanes, (choice) => representative(choice, lanes, destinationKey))
  choices = joinPartial(choices, lanes, () => '')
  const leftovers = lanes.map((outcomes, lane) => leftover(outcomes, lane, lanes, exact))
  return choices.map((choice) => choice.map((index, lane) => index ?? leftovers[lane]?.at(-1) ?? null))
}

function destinationKey(outcome: Outcome): string {
  return `${outcome.destination.ip} ${outcome.destination.port}`
}

/** Outcomes of a lane whose end no other lane has. */
function leftover(
  own: readonly Outcome[],
  lane: number,
  lanes: readonly (readonly Outcome[])[],
  key: (o: Outcome) => string,
): number[] {
  const others = new Set(lanes.flatMap((outcomes, other) => (other === lane ? [] : outcomes.map(key))))
  return own.flatMap((outcome, index) => (others.has(key(outcome)) ? [] : [index]))
}

/** One choice per distinct key, and further ones where a lane reaches the same end by several ways. */
function groupBy(lanes: readonly (readonly Outcome[])[], key: (outcome: Outcome) => string): Choice[] {
  const groups = new Map<string, number[][]>()
  lanes.forEach((outcomes, lane) => {
    outcomes.forEach((outcome, index) => {
      const group = groups.get(key(outcome)) ?? lanes.map(() => [])
      group[lane]?.push(index)
      groups.set(key(outcome), group)
    })
  })
  return [...groups.values()].flatMap((group) => {
    const ways = Math.max(...group.map((indices) => indices.length))
    return Array.from({ length: ways }, (_, way) => group.map((indices) => indices[way] ?? indices.at(-1) ?? null))
  })
}

/** Joins choices that complete each other (no lane in both) and have the same key. */
function joinPartial(choices: readonly Choice[], lanes: readonly unknown[], key: (choice: Choice) => string): Choice[] {
  const joined: Choice[] = []
  for (const choice of choices) {
    const partner = joined.findIndex(
      (other) => key(other) === key(choice) && lanes.every((_, lane) => other[lane] === null || choice[lane] === null),
    )
    const other = joined[partner]
    if (other === undefined) joined.push(choice)
    else joined[partner] = other.map((index, lane) => index ?? choice[lane] ?? null)
  }
  return joined
}

function representative(choice: Choice, lanes: readonly (readonly Outcome[])[], key: (outcome: Outcome) => string): string {
  for (const [lane, index] of choice.entries()) {
    const outcome = index === null ? undefined : lanes[lane]?.[index]
    if (outcome !== undefined) return key(outcome)
  }
  return ''
}
