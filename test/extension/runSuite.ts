// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import * as esbuild from 'esbuild'
import { runExtensionTests } from '../ui/harness/extensionTests.ts'
import type { SuiteResult } from './suite/harness.ts'

const ROOT = join(import.meta.dirname, '../..')

export interface SuiteRun {
  /** Name of a module in suite/. */
  readonly suite: string
  /** Folder for the suite's files; also what VS Code opens. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly timeoutSeconds: number
}

/** Runs a suite in the extension host and reports each of its tests as one of the outer test's. */
export async function runSuite(context: TestContext, { suite, folder, env, timeoutSeconds }: SuiteRun): Promise<void> {
  const results = join(folder, 'results.json')
  const { code, log } = await runExtensionTests({
    extension: ROOT,
    tests: await bundled(suite),
    open: folder,
    env: { ...env, PLUMBLINE_TEST_RESULTS: results, PLUMBLINE_TEST_FOLDER: folder },
    timeoutSeconds,
  })
  // VS Code ignores the request to run tests when it was not started for it, and says nothing. Then nobody wrote this file.
  assert.ok(existsSync(results), `the tests did not run (exit code ${code}):\n${log}`)
  const reported = JSON.parse(readFileSync(results, 'utf8')) as SuiteResult[]
  assert.ok(reported.length > 1, 'the suite ran to its end')
  for (const { name, error, milliseconds } of reported) {
    await context.test(`${name} (${milliseconds} ms)`, () => {
      if (error !== null) assert.fail(error)
    })
  }
  assert.equal(code, 0, log)
}

async function bundled(suite: string): Promise<string> {
  const outfile = join(ROOT, 'out/extension-tests', `${suite}.cjs`)
  await esbuild.build({
    entryPoints: [join(import.meta.dirname, 'suite', `${suite}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    external: ['vscode'],
    logLevel: 'warning',
  })
  return outfile
}
