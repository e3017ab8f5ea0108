// SPDX-License-Identifier: Apache-2.0

import type { Netns } from '../facts/netns.ts'
import { Netfilter } from '../netfilter/evaluate.ts'
import { parseIpsets } from '../netfilter/ipset/save.ts'
import { parseIptablesSave } from '../netfilter/iptables/save.ts'
import { mergeRulesets } from '../netfilter/merge.ts'
import { parseNft } from '../netfilter/nft/nft.ts'
import type { Ruleset } from '../netfilter/ruleset.ts'
import { NetnsEnvironment } from '../routing/environment.ts'
import type { Hooks } from './world.ts'

/** All rules of a namespace as one rule set, and what could not be understood in its files. */
export function rulesetOf(netns: Netns): Ruleset {
  return mergeRulesets([nftRules(netns), ...savedRules(netns, 'iptables-nft'), ...savedRules(netns, 'legacy')])
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

function savedRules(netns: Netns, backend: 'legacy' | 'iptables-nft'): readonly Ruleset[] {
  return ([4, 6] as const).flatMap((family) => {
    const file = `iptables-${backend === 'legacy' ? 'legacy' : 'nft'}-save.${family}.txt`
    const text = netns.text(file)
    return text === undefined ? [] : [parseIptablesSave(text, `${netns.folder}/${file}`, { family, backend })]
  })
}

function nftRules(netns: Netns): Ruleset {
  for (const file of ['nft.txt', 'nft.json']) {
    const text = netns.text(file)
    if (text !== undefined) return parseNft(text, `${netns.folder}/${file}`)
  }
  return { tables: [], problems: [] }
}
