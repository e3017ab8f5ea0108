// SPDX-License-Identifier: Apache-2.0

import type { Netns } from '../facts/netns.ts'
import { Netfilter } from '../netfilter/evaluate.ts'
import { parseIpsets } from '../netfilter/ipset/save.ts'
import { parseIptablesSave } from '../netfilter/iptables/save.ts'
import { parseNft } from '../netfilter/nft/nft.ts'
import type { ParseProblem, Ruleset, Table } from '../netfilter/ruleset.ts'
import { NetnsEnvironment } from '../routing/environment.ts'
import type { Hooks } from './world.ts'

/** All rules of a namespace as one rule set, and what could not be understood in its files. */
export function rulesetOf(netns: Netns): Ruleset {
  const legacy = savedRules(netns, 'legacy')
  const saved = savedRules(netns, 'iptables-nft')
  const listed = nftRules(netns)
  return {
    tables: [...merge(listed.tables, saved.tables), ...legacy.tables],
    problems: [...legacy.problems, ...saved.problems, ...listed.problems],
  }
}

const cache = new WeakMap<Netns, Hooks>()

/** The rules of a namespace, ready to be asked; parsed once. */
export function realHooks(netns: Netns): Hooks {
  const existing = cache.get(netns)
  if (existing) return existing
  const sets = netns.text('ipset.txt')
  const ipsets = parseIpsets(sets ?? '', `${netns.folder}/ipset.txt`).sets
  const hooks = new Netfilter(rulesetOf(netns), ipsets, new NetnsEnvironment(netns))
  cache.set(netns, hooks)
  return hooks
}

function savedRules(netns: Netns, backend: 'legacy' | 'iptables-nft'): Ruleset {
  const tables: Table[] = []
  const problems: ParseProblem[] = []
  for (const family of [4, 6] as const) {
    const file = `iptables-${backend === 'legacy' ? 'legacy' : 'nft'}-save.${family}.txt`
    const text = netns.text(file)
    if (text === undefined) continue
    const ruleset = parseIptablesSave(text, `${netns.folder}/${file}`, { family, backend })
    tables.push(...ruleset.tables)
    problems.push(...ruleset.problems)
  }
  return { tables, problems }
}

function nftRules(netns: Netns): Ruleset {
  for (const file of ['nft.txt', 'nft.json']) {
    const text = netns.text(file)
    if (text !== undefined) return parseNft(text, `${netns.folder}/${file}`)
  }
  return { tables: [], problems: [] }
}

/** `nft list ruleset` shows iptables-nft's tables too, in the order of their making; iptables-nft-save shows them better. */
function merge(listed: readonly Table[], saved: readonly Table[]): readonly Table[] {
  const better = (table: Table) =>
    table.backend === 'iptables-nft'
      ? saved.find((other) => other.name === table.name && other.family === table.family)
      : undefined
  const inOrder = listed.map((table) => better(table) ?? table)
  return [...inOrder, ...saved.filter((table) => !inOrder.includes(table))]
}
