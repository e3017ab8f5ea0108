// SPDX-License-Identifier: Apache-2.0

import type { BaseChain } from '../ruleset.ts'
import type { ChainDraft, TableBuilder } from './builder.ts'

/** Base chains of iptables' tables, with their priorities (iptables/nft.c, xtables_ipv4). */
const STANDARD: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  filter: { INPUT: 0, FORWARD: 0, OUTPUT: 0 },
  nat: { PREROUTING: -100, INPUT: 100, OUTPUT: -100, POSTROUTING: 100 },
  mangle: { PREROUTING: -150, INPUT: -150, FORWARD: -150, OUTPUT: -150, POSTROUTING: -150 },
  raw: { PREROUTING: -300, OUTPUT: -300 },
  security: { INPUT: 50, FORWARD: 50, OUTPUT: 50 },
}

/**
 * Whether iptables-nft made the table: by its name and by base chains that are exactly iptables' own, or by statements only
 * iptables writes. `iptables-nft-save` shows such a table too, and better: xt matches have no nft form.
 */
export function isIptablesNft(table: TableBuilder): boolean {
  const chains = [...table.chains.values()]
  if (chains.some((chain) => chain.rules.some((rule) => rule.statements.some((statement) => statement.kind === 'xt'))))
    return true
  const standard = table.family === 'ip' || table.family === 'ip6' ? STANDARD[table.name] : undefined
  const bases = chains.filter((chain) => chain.base !== undefined)
  return standard !== undefined && chains.length > 0 && bases.every((chain) => isStandard(chain, standard, table.name))
}

function isStandard(chain: ChainDraft, standard: Readonly<Record<string, number>>, table: string): boolean {
  const base = chain.base as BaseChain
  const type = table === 'nat' ? 'nat' : table === 'mangle' && chain.name === 'OUTPUT' ? 'route' : 'filter'
  return base.type === type && chain.name === base.hook.toUpperCase() && standard[chain.name] === base.priority
}
