// SPDX-License-Identifier: Apache-2.0

/**
 * Runs one level of tests with Node's own runner: `node scripts/test.ts unit|kernel|cluster|cilium|ui [NAME…]`. A NAME keeps only the
 * files whose path contains it.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

interface Level {
  readonly files: readonly string[]
  /** Files at once. Levels that share the machine's network or the lab run one after the other. */
  readonly concurrency: number
  readonly timeoutSeconds: number
}

const LEVELS: Readonly<Record<string, Level>> = {
  unit: {
    files: [
      'protocol/**/*.test.ts',
      'core/**/*.test.ts',
      'cluster/**/*.test.ts',
      'cli/**/*.test.ts',
      'server/**/*.test.ts',
      'src/**/*.test.ts',
      'media/**/*.test.ts',
      'test/house/**/*.test.ts',
    ],
    concurrency: 2,
    timeoutSeconds: 300,
  },
  kernel: { files: ['test/kernel/**/*.test.ts'], concurrency: 1, timeoutSeconds: 900 },
  cluster: { files: ['test/cluster/**/*.test.ts'], concurrency: 1, timeoutSeconds: 1200 },
  cilium: { files: ['test/cilium/**/*.test.ts'], concurrency: 1, timeoutSeconds: 1800 },
  ui: { files: ['test/extension/*.test.ts', 'test/ui/*.test.ts'], concurrency: 1, timeoutSeconds: 1200 },
}

const [name = '', ...filters] = process.argv.slice(2)
const level = LEVELS[name]
if (level === undefined) throw new Error(`usage: node scripts/test.ts ${Object.keys(LEVELS).join('|')} [NAME…]`)

const files = level.files
  .flatMap((pattern) => globSync(pattern))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort()
if (files.length === 0) throw new Error(`no ${name} test matches ${filters.join(' ') || level.files.join(' ')}`)

const result = spawnSync(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${level.concurrency}`,
    `--test-timeout=${level.timeoutSeconds * 1000}`,
    '--test-reporter=spec',
    ...files,
  ],
  { stdio: 'inherit' },
)
process.exit(result.status ?? 1)
