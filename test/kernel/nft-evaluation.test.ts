// SPDX-License-Identifier: Apache-2.0

/** The kernel is the judge of nft evaluation: packets through rule sets in which every rule counts what it matched. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { withoutNetns } from '../support/netns.ts'
import { Judge } from './netfilter/judge.ts'
import { CATCH_TABLE, Topology } from './netfilter/topology.ts'
import { NFT_CASES } from './nft-cases.ts'

const SEED = Number(process.env['PLUMBLINE_SEED'] ?? 20261122)
const PACKETS = Number(process.env['PLUMBLINE_PACKETS'] ?? 80)
const ONLY = process.env['PLUMBLINE_CASE']

const missing = ['nft', 'ipset', 'python3'].find((tool) => spawnSync(tool, ['--version']).error !== undefined)
const skip = withoutNetns() || (missing === undefined ? false : `skipped: needs ${missing}`)

/** Neighbour discovery and multicast reports pass inet chains as well, and would be counted. */
function quiet({ client, node, server }: Topology): void {
  const drop =
    'icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } drop'
  for (const netns of [client, node, server]) {
    const table = netns === node ? CATCH_TABLE : 'quiet'
    const rules = `table inet ${table} { chain silent { type filter hook output priority -1000; ${drop}; }; }`
    assert.equal(netns.exec('nft', ['-f', '-'], rules).status, 0)
  }
}

for (const { name, families, nft } of NFT_CASES) {
  for (const family of families) {
    if (ONLY !== undefined && !name.includes(ONLY)) continue
    test(`${name} (IPv${family})`, { skip, timeout: 300_000 }, async (context) => {
      using topology = await Topology.build(family)
      if (family === 6) quiet(topology)
      const judge = new Judge(topology, { name, family, nft }, 'nft', SEED)
      await judge.run(PACKETS)
      context.diagnostic(judge.summary())
      const { disagreements } = judge
      assert.equal(disagreements.length, 0, `${disagreements.length} disagreements:\n${disagreements.slice(0, 4).join('\n\n')}`)
    })
  }
}
