// SPDX-License-Identifier: Apache-2.0

/**
 * Runs the benches of bench/ one after the other: `node scripts/bench.ts [--smoke] [NAME…]`. Each prints ratios against a peer
 * or a floor from the same interleaved run. `--smoke` runs each on tiny inputs, to see that it still works; it measures nothing.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

const smoke = process.argv.includes('--smoke')
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const files = globSync('bench/*.bench.ts')
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort()
if (files.length === 0) throw new Error(`no bench matches ${filters.join(' ')}`)

let failed = 0
for (const file of files) {
  process.stdout.write(`\n── ${file}${smoke ? ' (smoke)' : ''}\n`)
  const { status } = spawnSync(process.execPath, [file, ...(smoke ? ['--smoke'] : [])], { stdio: 'inherit' })
  if (status !== 0) failed++
}
process.exit(failed === 0 ? 0 : 1)
