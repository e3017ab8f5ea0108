// SPDX-License-Identifier: Apache-2.0

/**
 * The kernel is the judge: rule sets of every kind on a real node between a client and a server, hundreds of packets through
 * each, and for every packet: which rules counted it, how it was translated, and where it arrived. Predictions made from the
 * saved rules must agree. Where a prediction has several ends, what happened must be one of them.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { withoutNetns } from '../support/netns.ts'
import { type Backend, Judge } from './netfilter/judge.ts'
import { IPTABLES_CASES, type RuleCase } from './netfilter/rulesets.ts'
import { NFT_CASES } from './netfilter/rulesets-nft.ts'
import { Topology } from './netfilter/topology.ts'

const SEED = Number(process.env['PLUMBLINE_SEED'] ?? 20261122)
const PACKETS = Number(process.env['PLUMBLINE_PACKETS'] ?? 300)
const ONLY = process.env['PLUMBLINE_CASE']

function missingTool(): string | false {
  for (const tool of ['iptables-legacy-save', 'iptables-nft-save', 'nft', 'ipset', 'python3']) {
    if (spawnSync(tool, ['--version']).error !== undefined) return `skipped: needs ${tool}`
  }
  return false
}

const skip = withoutNetns() || missingTool()
const rounds: [RuleCase, Backend][] = [
  ...IPTABLES_CASES.flatMap((each): [RuleCase, Backend][] => [
    [each, 'legacy'],
    [each, 'iptables-nft'],
  ]),
  ...NFT_CASES.map((each): [RuleCase, Backend] => [each, 'nft']),
]

for (const [rules, backend] of rounds) {
  const name = `${rules.name} (${backend})`
  if (ONLY !== undefined && !name.includes(ONLY)) continue
  test(name, { skip, timeout: 300_000 }, async (context) => {
    using topology = await Topology.build(rules.family)
    const judge = new Judge(topology, rules, backend, SEED)
    await judge.run(PACKETS)
    context.diagnostic(judge.summary())
    assert.equal(
      judge.disagreements.length,
      0,
      `${judge.disagreements.length} disagreements:\n${judge.disagreements.slice(0, 6).join('\n\n')}`,
    )
    assert.ok(judge.asked >= PACKETS)
  })
}
