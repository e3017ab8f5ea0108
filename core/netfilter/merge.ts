// SPDX-License-Identifier: Apache-2.0

import { isSavedTable } from './iptables/save.ts'
import type { Ruleset, Table } from './ruleset.ts'

/**
 * Several outputs of one network namespace as one rule set: legacy and nft saves of both families, and the nft listing.
 *
 * iptables-nft keeps its tables in nftables, so `nft list ruleset` prints them too. Where both outputs have a table, the one of
 * iptables-nft-save is kept, since nft can't print every match of iptables, in the listing's place: order decides between
 * chains of the same priority.
 */
export function mergeRulesets(rulesets: readonly Ruleset[]): Ruleset {
  const all = rulesets.flatMap((ruleset) => ruleset.tables)
  const saved = new Map<string, Table>()
  for (const table of all) if (table.backend === 'iptables-nft' && isSavedTable(table)) saved.set(keyOf(table), table)
  const tables: Table[] = []
  for (const table of all) {
    if (table.backend === 'legacy') tables.push(table)
    else if (!isSavedTable(table)) tables.push(take(saved, table) ?? table)
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
