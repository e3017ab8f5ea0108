// SPDX-License-Identifier: Apache-2.0

/** Rules recorded on the nodes of real clusters must be read without a single problem. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseIpsets } from './ipset/save.ts'
import { parseIptablesSave } from './iptables/save.ts'
import { parseNft } from './nft/nft.ts'

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/raw', import.meta.url))
const FILES = globSync('*/*/*{-save.txt,nft-ruleset.*}', { cwd: FIXTURES }).sort()

describe('recorded rules', () => {
  it('are there', () => assert.ok(FILES.length >= 16, `${FILES.length}`))

  for (const file of FILES) {
    it(file, () => {
      const text = readFileSync(`${FIXTURES}/${file}`, 'utf8')
      const read = file.includes('ipset') ? parseIpsets : file.includes('nft-ruleset') ? parseNft : parseIptablesSave
      assert.deepEqual(read(text, file).problems, [])
    })
  }
})
