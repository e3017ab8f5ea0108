// SPDX-License-Identifier: Apache-2.0

import type { Ruleset, Table } from './ruleset.ts'

/**
 * Several outputs of one network namespace as one rule set: legacy and nft saves of both families, and the nft listing.
 *
 * iptables-nft keeps its tables in nftables, so `nft list ruleset` prints them too. Where both outputs have a table, the one of
 * iptables-nft-save is kept, since nft can't print every match of iptables, in the listing's place: order decides between
 * chains of the same priority.
 */
export function mergeRulesets(rulesets: readonly Ruleset[]): Ruleset {
  const tables: Table[] = []
  const saved = new Map<string, Table>()
  for (const { tables: each } of rulesets) {
    for (const table of each) {
      if (table.backend === 'iptables-nft') saved.set(keyOf(table), table)
      else if (table.backend === 'legacy') tables.push(table)
    }
  }
  for (const { tables: each } of rulesets) {
    for (const table of each) if (table.backend === 'nft') tables.push(take(saved, table) ?? table)
  }
  tables.push(...saved.values())
  return {
    tables,
    get problems() {
      return rulesets.flatMap((ruleset) => ruleset.problems)
    },
  }
}

function keyOf({ family, name }: Table): string {
  return `${family} ${name}`
}

function take(saved: Map<string, Table>, table: Table): Table | undefined {
  const key = keyOf(table)
  const found = saved.get(key)
  saved.delete(key)
  return found
}
