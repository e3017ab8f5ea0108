// SPDX-License-Identifier: Apache-2.0

/** The packaged extension as a person meets it: in the real workbench, with a recorded cluster. Leaves pictures in out/. */

import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { Frame } from 'playwright-core'
import { BUNDLE_SCHEMA } from '../../core/facts/bundle.ts'
import { rawFiles } from '../support/rawFixtures.ts'
import { axeViolations } from './harness/axe.ts'
import { THEME_NAMES, Workbench } from './harness/workbench.ts'

let workbench: Workbench
let panel: Frame

before(async () => {
  workbench = await Workbench.start({ vsix: [resolve('dist/plumbline.vsix')] })
  await writeBundle(join(workbench.server.folder, 'incident'))
})
after(() => workbench.close())

/** The recorded cluster as a folder one can open. */
async function writeBundle(folder: string): Promise<void> {
  const header = { schema: BUNDLE_SCHEMA, source: 'lab', createdAt: '2026-04-12T03:12:05Z', problems: [] }
  await put(folder, 'bundle.json', JSON.stringify(header))
  for (const [path, content] of rawFiles('iptables')) await put(folder, path, content)
}

async function put(folder: string, path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), content)
}

/** Keeps a picture of what one would have seen when a test fails. */
async function pictured(name: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    await workbench.screenshot(`failed-${name}`)
    throw error
  }
}

test('open a bundle, ask where a packet goes, and see it in under two seconds', () =>
  pictured('trace', async () => {
    await workbench.runCommand('Plumbline: Open Bundle…')
    await workbench.choosePath('Open Bundle', join(workbench.server.folder, 'incident', 'bundle.json'))
    await workbench.page
      .locator('.part.statusbar')
      .getByText(/incident|bundle\.json/)
      .waitFor()
    await workbench.runCommand('Plumbline: Trace Packet…')
    await workbench.pick('shop/client-n1')
    await workbench.pick('shop/web')
    await workbench.pick('80/TCP')
    const asked = performance.now()
    panel = await workbench.webview('trace-panel h1.headline')
    const took = performance.now() - asked
    assert.match((await panel.locator('h1').textContent()) ?? '', /deliver/)
    assert.ok(took < 2000, `the answer took ${took.toFixed(0)} ms`)
  }))

for (const theme of THEME_NAMES) {
  test(`looks right and reads well: ${theme}`, () =>
    pictured(theme, async () => {
      await workbench.setTheme(theme)
      assert.deepEqual(await axeViolations(panel), [])
      await workbench.screenshot(`trace-${theme}`)
    }))
}

test('the evidence of a step opens beside it', () =>
  pictured('evidence', async () => {
    await workbench.setTheme('dark')
    await panel.locator('.step.decisive').first().click()
    await workbench.page.locator('.editor-group-container .monaco-editor .view-line').first().waitFor()
    assert.equal(await workbench.page.locator('.editor-group-container').count(), 2)
    await workbench.screenshot('trace-evidence')
  }))

test('the side bar shows the bundle and remembers the question', () =>
  pictured('sidebar', async () => {
    await workbench.page
      .locator('.activitybar')
      .getByRole('tab', { name: /^Plumbline/ })
      .click()
    await workbench.treeItem('bundle.json').waitFor()
    await workbench.treeItem('shop/client-n1').waitFor()
    await workbench.screenshot('side-bar')
  }))
