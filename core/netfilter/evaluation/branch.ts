// SPDX-License-Identifier: Apache-2.0

import type { Flight } from '../../net/packet.ts'
import type { Unknown } from '../../path/answer.ts'
import type { HookBranch, HookStep, VisitedRule } from '../traversal.ts'
import { append, type Trail, union } from './trail.ts'

/** One way through a hook so far. */
export interface Branch {
  readonly flight: Flight
  /** Of the decided choices on the way. Counts only while `forks` is empty. */
  readonly probability: number
  /** Undecided matches that were crossed and have not come together again. */
  readonly forks: readonly Fork[]
  readonly steps: Trail<HookStep>
  readonly visited: Trail<VisitedRule>
  readonly unknowns: Trail<Unknown>
  readonly tproxy: HookBranch['tproxy']
  /** A CT template or `ct zone set` has spoken for the connection about to be tracked: the first one counts. */
  readonly template: boolean
  readonly zone: number
  readonly helper: string | undefined
  /** What was assumed for undecided conditions and hashes, so that asking twice gives the same answer. */
  readonly assumptions: Assumptions
}

export type Assumptions = ReadonlyMap<string, readonly number[]>

/** One side of an undecided match. */
export interface Fork {
  readonly id: number
  readonly held: boolean
  readonly unknown: Unknown
  /** Tells, when both sides meet again, that it did not matter. */
  readonly settled: HookStep
}

export function startBranch(flight: Flight): Branch {
  return {
    flight,
    probability: 1,
    forks: [],
    steps: undefined,
    visited: undefined,
    unknowns: undefined,
    tproxy: undefined,
    template: false,
    zone: 0,
    helper: undefined,
    assumptions: new Map(),
  }
}

export function withStep(branch: Branch, step: HookStep): Branch {
  return { ...branch, steps: append(branch.steps, step) }
}

export function withUnknown(branch: Branch, unknown: Unknown): Branch {
  return { ...branch, unknowns: append(branch.unknowns, unknown) }
}

export function assume(branch: Branch, key: string | undefined, values: readonly number[]): Branch {
  if (key === undefined) return branch
  return { ...branch, assumptions: new Map(branch.assumptions).set(key, values) }
}

/** Branches that are alike from here on become one. Order is kept. */
export function mergeBranches(branches: readonly Branch[]): readonly Branch[] {
  return mergeAlike(branches, (branch) => branch, canMerge, merge)
}

/** Items that are alike become one. Only those with the same short key are compared: there can be thousands. */
export function mergeAlike<T>(
  items: readonly T[],
  branchOf: (item: T) => Branch,
  alike: (a: T, b: T) => boolean,
  join: (a: T, b: T) => T,
): readonly T[] {
  if (items.length < 2) return items
  const merged: T[] = []
  const places = new Map<string, number[]>()
  for (const item of items) {
    const key = shortKey(branchOf(item).flight)
    const known = places.get(key)
    const at = known?.find((place) => alike(merged[place] as T, item))
    if (at !== undefined) merged[at] = join(merged[at] as T, item)
    else {
      if (known) known.push(merged.length)
      else places.set(key, [merged.length])
      merged.push(item)
    }
  }
  return merged
}

/** Differs for flights that differ in what rules most often change. */
function shortKey({ mark, packet, connection }: Flight): string {
  return `${mark} ${connection?.mark} ${packet.dst.value} ${packet.dport} ${packet.src.value} ${packet.sport}`
}

function canMerge(a: Branch, b: Branch): boolean {
  return (
    a.template === b.template &&
    a.zone === b.zone &&
    a.helper === b.helper &&
    same(a.tproxy, b.tproxy) &&
    same(a.flight, b.flight)
  )
}

/** Structural equality of plain data. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) if (!same(Reflect.get(a, key), Reflect.get(b, key))) return false
  return true
}

export function merge(a: Branch, b: Branch): Branch {
  const visited = union(a.visited, b.visited)
  const assumptions = agreed(a.assumptions, b.assumptions)
  const settled = settledFork(a, b)
  if (settled) {
    // The side where the undecided match did not hold tells only what surely happened.
    const plain = settled.held ? b : a
    return {
      ...plain,
      forks: plain.forks.filter((fork) => fork.id !== settled.id),
      steps: append(plain.steps, settled.settled),
      visited,
      unknowns: without(union(a.unknowns, b.unknowns), settled.unknown),
      assumptions,
    }
  }
  const unknowns = union(a.unknowns, b.unknowns)
  if (sameForks(a.forks, b.forks)) return { ...a, probability: a.probability + b.probability, visited, unknowns, assumptions }
  const forks = [...a.forks, ...b.forks.filter((fork) => !a.forks.some((other) => other.id === fork.id))]
  return { ...a, forks, visited, unknowns, assumptions }
}

/** The fork of `a` whose other side is `b`, when that is all that keeps them apart. */
function settledFork(a: Branch, b: Branch): Fork | undefined {
  if (a.forks.length !== b.forks.length || Math.abs(a.probability - b.probability) > 1e-12) return undefined
  const differing = a.forks.filter((fork) => !b.forks.some((other) => other.id === fork.id && other.held === fork.held))
  const [fork] = differing
  if (differing.length !== 1 || !fork) return undefined
  return b.forks.some((other) => other.id === fork.id) ? fork : undefined
}

function sameForks(a: readonly Fork[], b: readonly Fork[]): boolean {
  return a.length === b.length && a.every((fork) => b.some((other) => other.id === fork.id && other.held === fork.held))
}

function without(unknowns: Trail<Unknown>, unknown: Unknown): Trail<Unknown> {
  if (unknowns === undefined) return undefined
  const before = without(unknowns.before, unknown)
  return unknowns.last === unknown ? before : append(before, unknowns.last)
}

function agreed(a: Assumptions, b: Assumptions): Assumptions {
  if (a === b || (a.size === 0 && b.size === 0)) return a
  return new Map([...a].filter(([key, values]) => same(values, b.get(key))))
}
