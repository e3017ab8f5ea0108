// SPDX-License-Identifier: Apache-2.0

/** The packaged extension as a person meets it: in the real workbench, with a recorded cluster. Leaves pictures in out/. */

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { Frame } from 'playwright-core'
import { axeViolations } from './harness/axe.ts'
import { THEME_NAMES, Workbench } from './harness/workbench.ts'

const BUNDLE = resolve('test/fixtures/bundles/iptables.zip')

let workbench: Workbench
let panel: Frame

before(async () => {
  workbench = await Workbench.start({ vsix: [resolve('dist/plumbline.vsix')] })
})
after(() => workbench.close())

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
    await workbench.enter(BUNDLE)
    await workbench.runCommand('Plumbline: Trace Packet…')
    await workbench.pick('shop/client-n1')
    await workbench.pick('shop/web')
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
    await workbench.runCommand('Plumbline: Focus on Clusters View')
    await workbench.treeItem('iptables.zip').waitFor()
    await workbench.treeItem('shop/client-n1').waitFor()
    await workbench.screenshot('side-bar')
  }))
