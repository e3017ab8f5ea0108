// SPDX-License-Identifier: Apache-2.0

import type { IpSet } from '../ipset/set.ts'
import type { Chain, Table } from '../ruleset.ts'
import type { Element, SetElement } from '../statement.ts'
import type { HookEnvironment, HookLayer, HookName } from '../traversal.ts'
import { ChainIndex } from './chain-index.ts'
import { ElementIndex } from './lookup.ts'

/** What stays the same during one traversal of one hook. */
export interface HookContext {
  readonly layer: HookLayer
  readonly hook: HookName
  readonly environment: HookEnvironment
  readonly ipsets: ReadonlyMap<string, IpSet>
  readonly caches: Caches
  /** Whether ways that go on alike become one. */
  readonly merging: boolean
  /** Counts forks and branches, to keep the traversal bounded. */
  readonly budget: Budget
}

/** The table at hand. */
export interface TableContext extends HookContext {
  readonly table: Table
  /** "nat/PREROUTING", "nft inet corp/forward": of the base chain, for every step below it. */
  readonly place: string
}

export class Budget {
  #forks = 0
  #open = 0
  readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  nextFork(): number {
    return ++this.#forks
  }

  /** More branches come into being; false when there would be too many. */
  grow(count: number): boolean {
    if (this.#open + count > this.limit) return false
    this.#open += count
    return true
  }

  shrink(count: number): void {
    this.#open -= count
  }
}

/** Indexes over sets, maps and chains, made when first needed and kept as long as the rules. */
export class Caches {
  readonly #indexed: boolean
  readonly #elements = new WeakMap<object, ElementIndex<SetElement>>()
  readonly #literals = new WeakMap<object, ElementIndex<Element>>()
  readonly #chains = new WeakMap<Chain, ChainIndex>()

  chain(chain: Chain): ChainIndex {
    let index = this.#chains.get(chain)
    if (!index) {
      index = new ChainIndex(chain, this.#indexed)
      this.#chains.set(chain, index)
    }
    return index
  }

  /** @param indexed Without indexes every rule is looked at: the same answers, slowly. */
  constructor(indexed: boolean) {
    this.#indexed = indexed
  }

  /** Of the values in a rule; short lists are not worth it. */
  literals(elements: readonly Element[]): ElementIndex<Element> | undefined {
    if (elements.length < 16) return undefined
    let index = this.#literals.get(elements)
    if (!index) {
      index = new ElementIndex(elements.map((key) => ({ key, item: key })))
      this.#literals.set(elements, index)
    }
    return index
  }

  elements(elements: readonly SetElement[]): ElementIndex<SetElement> {
    let index = this.#elements.get(elements)
    if (!index) {
      index = new ElementIndex(elements.map((item) => ({ key: item.key, item })))
      this.#elements.set(elements, index)
    }
    return index
  }
}
