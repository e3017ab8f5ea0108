// SPDX-License-Identifier: Apache-2.0

/** Packages the extension as dist/plumbline.vsix and checks its size. */
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'

const SIZE_BUDGET_BYTES = 5_000_000
const output = 'dist/plumbline.vsix'

execFileSync(
  'node_modules/.bin/vsce',
  ['package', '--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links', '--out', output],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
  },
)
const { size } = statSync(output)
if (size > SIZE_BUDGET_BYTES) throw new Error(`${output} is ${size} bytes; the budget is ${SIZE_BUDGET_BYTES}`)
process.stderr.write(`${output}: ${size} of at most ${SIZE_BUDGET_BYTES} bytes\n`)
