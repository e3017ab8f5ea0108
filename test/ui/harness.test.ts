// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runExtensionTests } from './harness/extensionTests.ts'
import { startServer } from './harness/server.ts'

let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plumbline-canary-'))
  await mkdir(join(folder, 'tests'))
  const manifest = {
    name: 'canary',
    publisher: 'plumbline',
    version: '0.0.0',
    engines: { vscode: '^1.101.0' },
    main: './main.cjs',
  }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'main.cjs'), 'exports.activate = () => {}')
  await writeFile(
    join(folder, 'tests', 'bad.cjs'),
    `exports.run = async () => { throw new Error('vscode ' + require('vscode').version + ' says no') }`,
  )
  await writeFile(join(folder, 'tests', 'endless.cjs'), 'exports.run = () => new Promise(() => {})')
})
after(() => rm(folder, { recursive: true, force: true }))

test('tests that fail inside VS Code fail outside', async () => {
  const { code, log } = await runExtensionTests({ extension: folder, tests: join(folder, 'tests', 'bad.cjs') })
  assert.notEqual(code, 0)
  assert.match(log, /vscode 1\.\d+\.\d+ says no/)
})

test('tests that never end, or never start, are an error', async () => {
  const run = runExtensionTests({ extension: folder, tests: join(folder, 'tests', 'endless.cjs'), timeoutSeconds: 15 })
  await assert.rejects(run, /did not end within 15 s/)
})

test('a stopped server leaves no process and no folder', async () => {
  const server = await startServer()
  const home = `http://${server.authority}/`
  assert.equal((await fetch(home)).status, 200)
  assert.ok(existsSync(server.folder))
  await server.stop()
  await assert.rejects(fetch(home))
  assert.equal(existsSync(server.folder), false)
})
