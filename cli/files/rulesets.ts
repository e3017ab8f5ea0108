// SPDX-License-Identifier: Apache-2.0

import { FactsError } from '../../core/facts/error.ts'
import { parseIpsets } from '../../core/netfilter/ipset/save.ts'
import type { IpSet } from '../../core/netfilter/ipset/set.ts'
import { parseIptablesSave } from '../../core/netfilter/iptables/save.ts'
import { mergeRulesets } from '../../core/netfilter/merge.ts'
import { parseNft } from '../../core/netfilter/nft/nft.ts'
import type { ParseProblem, Ruleset } from '../../core/netfilter/ruleset.ts'
import type { RuleFiles } from '../sources.ts'
import { readRules } from './rules.ts'

export interface LooseRules {
  readonly ruleset: Ruleset
  readonly ipsets: ReadonlyMap<string, IpSet>
  /** Rules that were read in part: where they decide, the answer says unknown. */
  readonly problems: readonly ParseProblem[]
}

/**
 * Reads the rules of one machine. A file of which something was lost (it is cut off, or a line is no rule at all) is refused,
 * because no answer could tell what is missing. Throws FactsError.
 */
export function openRules(files: RuleFiles): LooseRules {
  const saves = files.iptablesSave
    .map((file) => readRules(file, 'iptables-save'))
    .map(({ text, file }) => parseIptablesSave(text, file))
  const listings = files.nft.map((file) => readRules(file, 'nft')).map(({ text, file }) => parseNft(text, file))
  const ruleset = mergeRulesets([...saves, ...listings])
  const problems = ruleset.problems.filter((problem) => listings.length === 0 || !isIncompatibleTable(problem))
  const rules = rulePlaces([...saves, ...listings])
  refuse(problems.find((problem) => problem.cutOff === true || !rules.has(placeOf(problem.position))))
  if (ruleset.tables.length === 0)
    throw new FactsError('no table is in it: there are no rules to follow', {
      file: [...files.iptablesSave, ...files.nft].join(', '),
    })
  return { ruleset, ipsets: openSets(files.ipset), problems }
}

function openSets(files: readonly string[]): ReadonlyMap<string, IpSet> {
  const sets = new Map<string, IpSet>()
  for (const { text, file } of files.map((path) => readRules(path, 'ipset'))) {
    const read = parseIpsets(text, file)
    refuse(read.problems[0])
    for (const [name, set] of read.sets) sets.set(name, set)
  }
  return sets
}

function refuse(problem: ParseProblem | undefined): void {
  if (problem === undefined) return
  const { reason, text, position } = problem
  const hint = isIncompatibleTable(problem) ? '; give the output of `nft list ruleset` with `--nft`, too' : ''
  throw new FactsError(`${reason}${text === '' ? '' : `: ${excerpt(text)}`}${hint}`, position)
}

/** iptables-nft-save names the tables it can't print; `nft list ruleset` has them. */
function isIncompatibleTable({ text }: ParseProblem): boolean {
  return /^# Table `.*' is incompatible/.test(text)
}

/** Problems at the place of a rule are kept in the rule itself, as a match or statement that can't be decided. */
function rulePlaces(rulesets: readonly Ruleset[]): ReadonlySet<string> {
  const places = new Set<string>()
  for (const { tables } of rulesets) {
    for (const table of tables) {
      for (const chain of table.chains.values()) for (const rule of chain.rules) places.add(placeOf(rule.position))
    }
  }
  return places
}

function placeOf({ file, line }: ParseProblem['position']): string {
  return `${line} ${file}`
}

function excerpt(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
