// SPDX-License-Identifier: Apache-2.0

import type { Chain } from '../ruleset.ts'
import { type Branch, mergeBranches, withUnknown } from './branch.ts'
import type { ChainIndex } from './chain-index.ts'
import type { TableContext } from './context.ts'
import { type Control, type RuleResult, runRule } from './rule-walk.ts'
import { ruleEvidence, ruleName, type RulePlace, ruleStep } from './text.ts'

/** How branches leave a chain: to the caller's next rule, or for good. */
export interface ChainResult {
  readonly returned: readonly Branch[]
  readonly ended: readonly RuleResult[]
}

/** A branch inside a chain, and the rules it still has to look at. */
interface Walker {
  readonly branch: Branch
  readonly candidates: readonly number[] | undefined
  /** Position in `candidates`, or rule index where there are none. */
  readonly at: number
}

/** nft refuses deeper nesting when rules are loaded (NFT_JUMP_STACK_SIZE); iptables allows as many levels as chains. */
const MAX_DEPTH = { nft: 16, 'iptables-nft': 16, legacy: 512 } as const

/** Walks one chain with all branches that enter it. `active` are the chains being walked already. */
export function runChain(
  chain: Chain,
  branches: readonly Branch[],
  context: TableContext,
  active: readonly string[] = [],
): ChainResult {
  return new ChainWalk(chain, context, active).run(branches)
}

class ChainWalk {
  readonly #chain: Chain
  readonly #context: TableContext
  readonly #active: readonly string[]
  readonly #index: ChainIndex
  readonly #returned: Branch[] = []
  readonly #ended: RuleResult[] = []

  constructor(chain: Chain, context: TableContext, active: readonly string[]) {
    this.#chain = chain
    this.#context = context
    this.#active = [...active, chain.name]
    this.#index = context.caches.chain(chain)
  }

  run(branches: readonly Branch[]): ChainResult {
    let walkers = this.#merge(branches).map((branch) => this.#enter(branch))
    for (;;) {
      const next = this.#nextRule(walkers)
      if (next === undefined) break
      walkers = this.#step(walkers, next)
    }
    for (const walker of walkers) this.#returned.push(walker.branch)
    return { returned: this.#merge(this.#returned), ended: this.#ended }
  }

  #merge(branches: readonly Branch[]): readonly Branch[] {
    return this.#context.merging ? mergeBranches(branches) : branches
  }

  #enter(branch: Branch): Walker {
    return { branch, candidates: this.#index.candidates(branch.flight), at: 0 }
  }

  /** The lowest rule any branch still has to look at. */
  #nextRule(walkers: readonly Walker[]): number | undefined {
    let lowest: number | undefined
    for (const walker of walkers) {
      const rule = ruleOf(walker)
      if (rule !== undefined && rule < this.#index.rules.length && (lowest === undefined || rule < lowest)) lowest = rule
    }
    return lowest
  }

  #step(walkers: readonly Walker[], index: number): Walker[] {
    const rule = this.#index.rules[index]
    const place: RulePlace | undefined = rule && { chain: this.#chain, rule, number: index + 1 }
    if (!place) return []
    const next: Walker[] = []
    const jumping = new Map<string, Branch[]>()
    for (const walker of walkers) {
      if (ruleOf(walker) !== index) next.push(walker)
      else {
        for (const { branch, control } of runRule(walker.branch, place, this.#context)) {
          if (control.kind === 'next') next.push(this.#advance(walker, branch, index))
          else if (control.kind === 'jump') group(jumping, control.chain, branch)
          else this.#leave(branch, control, place)
        }
      }
    }
    for (const [target, branches] of jumping) {
      for (const branch of this.#call(target, branches, place)) next.push(this.#after(branch, index))
    }
    return mergeWalkers(next, this.#context)
  }

  #advance(walker: Walker, branch: Branch, index: number): Walker {
    if (branch.flight.packet !== walker.branch.flight.packet) return this.#after(branch, index)
    return { branch, candidates: walker.candidates, at: walker.at + 1 }
  }

  /** A walker just behind a rule, with the candidates its flight has now. */
  #after(branch: Branch, index: number): Walker {
    const candidates = this.#index.candidates(branch.flight)
    if (!candidates) return { branch, candidates, at: index + 1 }
    let at = 0
    while (at < candidates.length && (candidates[at] ?? 0) <= index) at++
    return { branch, candidates, at }
  }

  /** Return, goto, and everything that ends the base chain. */
  #leave(branch: Branch, control: Control, place: RulePlace): void {
    if (control.kind === 'return') this.#returned.push(branch)
    else if (control.kind === 'goto') for (const back of this.#call(control.chain, [branch], place)) this.#returned.push(back)
    else this.#ended.push({ branch, control })
  }

  /** Walks another chain; what comes back goes on here. */
  #call(name: string, branches: readonly Branch[], place: RulePlace): readonly Branch[] {
    const { table } = this.#context
    const chain = table.chains.get(name)
    if (!chain) return branches.map((branch) => this.#broken(branch, place, `chain ${name}, which is not in table ${table.name}`))
    if (this.#active.includes(name)) {
      return branches.map((branch) =>
        this.#broken(branch, place, `an end to the loop through chain ${name}: the kernel refuses such rules`),
      )
    }
    if (this.#active.length >= MAX_DEPTH[table.backend]) {
      return branches.map((branch) => this.#broken(branch, place, `chain ${name}, nested too deep for the kernel`))
    }
    const result = runChain(chain, branches, this.#context, this.#active)
    this.#ended.push(...result.ended)
    return result.returned
  }

  /** What the chain would have done is lost: nothing that follows is certain any more. */
  #broken(branch: Branch, place: RulePlace, missing: string): Branch {
    const unknown = { what: `${ruleName(place)} in ${this.#context.place}`, missing, evidence: ruleEvidence(place.rule) }
    const settled = ruleStep(place, this.#context, 'unknown', `can't be followed: ${missing}`)
    const lost = { id: this.#context.budget.nextFork(), held: true, unknown, settled }
    return withUnknown({ ...branch, forks: [...branch.forks, lost] }, unknown)
  }
}

function ruleOf({ candidates, at }: Walker): number | undefined {
  return candidates ? candidates[at] : at
}

function group(groups: Map<string, Branch[]>, key: string, branch: Branch): void {
  const list = groups.get(key)
  if (list) list.push(branch)
  else groups.set(key, [branch])
}

/** Branches with the same flight have the same rules before them. */
function mergeWalkers(walkers: Walker[], context: TableContext): Walker[] {
  if (walkers.length < 2 || !context.merging) return walkers
  const byBranch = new Map(walkers.map((walker) => [walker.branch, walker]))
  const merged = mergeBranches(walkers.map((walker) => walker.branch))
  if (merged.length === walkers.length) return walkers
  context.budget.shrink(walkers.length - merged.length)
  return merged.map((branch) => {
    const own = byBranch.get(branch)
    if (own) return own
    const twin = walkers.find((walker) => walker.branch.flight === branch.flight) ?? walkers[0]
    return { branch, candidates: twin?.candidates, at: twin?.at ?? 0 }
  })
}
