// SPDX-License-Identifier: Apache-2.0

import type { Netns, Route } from '../facts/netns.ts'
import type { Family } from '../net/address.ts'
import { PrefixMap } from '../net/lpm.ts'

export const RT_TABLE = { default: 253, main: 254, local: 255 } as const

/** Routes of one prefix, in the order the kernel tries them. */
export type RouteTable = PrefixMap<Route[]>

/** Routing tables of a namespace, indexed on first use. */
export class RouteTables {
  readonly #netns: Netns
  readonly #tables = new Map<string, RouteTable>()

  constructor(netns: Netns) {
    this.#netns = netns
  }

  table(family: Family, id: number): RouteTable {
    return this.#build(`${family}/${id}`, (route) => route.family === family && route.table === id)
  }

  /**
   * IPv4's local and main tables as one: until the first rule is configured the kernel keeps them in one trie
   * (fib_trie.c fib_trie_unmerge), and the longest prefix of both wins.
   */
  get merged(): RouteTable {
    return this.#build(
      'merged',
      (route) => route.family === 4 && (route.table === RT_TABLE.local || route.table === RT_TABLE.main),
    )
  }

  #build(key: string, belongs: (route: Route) => boolean): RouteTable {
    const existing = this.#tables.get(key)
    if (existing) return existing
    const table: RouteTable = new PrefixMap()
    for (const route of this.#netns.routes.filter(belongs)) {
      const same = table.get(route.dst)
      if (same === undefined) table.set(route.dst, [route])
      else same.push(route)
    }
    for (const route of this.#netns.routes.filter(belongs)) table.get(route.dst)?.sort(tryOrder)
    this.#tables.set(key, table)
    return table
  }
}

/** fib_trie.c fib_find_alias and ip6_fib.c fib6_add_rt2node: local before main, specific TOS first, then by metric. */
function tryOrder(a: Route, b: Route): number {
  return b.table - a.table || b.tos - a.tos || a.metric - b.metric
}

const cache = new WeakMap<Netns, RouteTables>()

export function tablesOf(netns: Netns): RouteTables {
  const existing = cache.get(netns)
  if (existing) return existing
  const tables = new RouteTables(netns)
  cache.set(netns, tables)
  return tables
}
