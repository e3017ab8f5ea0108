// SPDX-License-Identifier: Apache-2.0

/** The packaged extension as a person meets it: in the real workbench, with a recorded cluster. Leaves pictures in out/. */

import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { Frame, Locator } from 'playwright-core'
import { openBundle } from '../../core/facts/bundle.ts'
import { loadCluster } from '../../core/facts/cluster.ts'
import { unpackZip } from '../../core/facts/zip.ts'
import { parsePlace } from '../../core/path/place.ts'
import { trace } from '../../core/path/trace.ts'
import { axeViolations } from './harness/axe.ts'
import { THEME_NAMES, Workbench } from './harness/workbench.ts'

const BUNDLE = 'test/fixtures/bundles/iptables.zip'
const SIZE = { width: 1440, height: 900 }

let workbench: Workbench
let panel: Frame

before(async () => {
  workbench = await Workbench.start({
    vsix: [resolve('dist/plumbline.vsix')],
    env: { KUBECONFIG: '/nonexistent' },
    viewport: SIZE,
  })
  const { folder } = workbench.server
  await cp(BUNDLE, join(folder, 'incident.zip'))
  const { files } = openBundle(unpackZip(await readFile(BUNDLE), BUNDLE))
  const answer = trace(loadCluster(files), { from: parsePlace('pod:shop/client-n1'), to: parsePlace('svc:shop/web:80/TCP') })
  await writeFile(join(folder, 'saved.plumbline-trace.json'), JSON.stringify(answer))
  await writeFile(join(folder, 'newer.plumbline-trace.json'), JSON.stringify({ ...answer, schema: 'plumbline.trace/v2' }))
})
after(() => workbench.close())

/** A test that keeps a picture of what one would have seen when it fails. */
function seen(name: string, act: () => Promise<void>): void {
  test(name, async () => {
    try {
      await act()
    } catch (error) {
      await workbench.screenshot(`failed-${name.replace(/\W+/g, '-')}`)
      throw error
    }
  })
}

async function text(locator: Locator): Promise<string> {
  return ((await locator.textContent()) ?? '').replace(/\s+/g, ' ').trim()
}

function openFile(name: string): Promise<void> {
  return workbench.treeItem(name).dblclick()
}

seen('without a cluster, the side bar says what to do', async () => {
  await workbench.showContainer('Plumbline')
  await workbench.page.getByRole('button', { name: 'Select Kubeconfig…' }).waitFor()
  await workbench.screenshot('welcome')
  await workbench.runCommand('Plumbline: Trace Packet…')
  const notification = await workbench.notification('Connect to a cluster or open a bundle first')
  await notification.getByText('Open Bundle…').waitFor()
  await workbench.screenshot('nothing-to-ask')
  await workbench.runCommand('Notifications: Clear All Notifications')
})

seen('a saved trace whose facts are not open says so, and offers to open them', async () => {
  await workbench.showContainer('Explorer')
  await openFile('saved.plumbline-trace.json')
  panel = await workbench.webview('trace-panel h1.headline')
  assert.match(
    await text(panel.locator('.facts')),
    /saved trace · its facts are not open · can’t be proven or asked again here: saved trace/,
  )
  for (const name of ['Prove It', 'Reverse', 'Refresh']) {
    assert.ok(await panel.getByRole('button', { name }).isDisabled(), name)
  }
  await panel.getByRole('button', { name: 'Open Evidence' }).click()
  await panel.locator('.notice.error').getByRole('button', { name: 'Open Bundle…' }).waitFor()
  assert.deepEqual(await axeViolations(panel), [])
  await workbench.screenshot('saved-trace-without-facts')
  await panel.locator('.notice.error').getByRole('button', { name: 'Open Bundle…' }).click()
  await workbench.pick('Archive…')
  await workbench.choosePath('Open Bundle', join(workbench.server.folder, 'incident.zip'))
  await panel.locator('.facts').getByText('from incident.zip').waitFor()
})

seen('a saved trace opens its evidence in the bundle it was made from', async () => {
  await panel.getByRole('button', { name: 'Open Evidence' }).click()
  const lines = workbench.page.locator('.editor-group-container .monaco-editor .view-line')
  await lines.filter({ hasText: 'KUBE-SEP-' }).first().waitFor()
  await workbench.runCommand('View: Close All Editors')
})

seen('a trace saved by a newer version says so', async () => {
  await openFile('newer.plumbline-trace.json')
  const broken = await workbench.webview('main.broken')
  assert.match(
    await text(broken.locator('main')),
    /newer\.plumbline-trace\.json: was written by a newer Plumbline \(plumbline\.trace\/v2\)/,
  )
  assert.deepEqual(await axeViolations(broken), [])
  await workbench.screenshot('saved-trace-newer')
  await broken.getByRole('button', { name: 'Open as Text' }).click()
  await workbench.page.locator('.monaco-editor .view-line').filter({ hasText: 'plumbline.trace/v2' }).waitFor()
  await workbench.runCommand('View: Close All Editors')
})

seen('asked in three steps, a packet’s way shows in under two seconds', async () => {
  await workbench.runCommand('Plumbline: Trace Packet…')
  const title = workbench.page.locator('.quick-input-title')
  await title.getByText('Trace Packet: From (1/3)').waitFor()
  await workbench.screenshot('quick-pick-from')
  await workbench.choose('shop/client-n1')
  await title.getByText('Trace Packet: To (2/3)').waitFor()
  await workbench.page.getByRole('button', { name: 'Back' }).click()
  await title.getByText('Trace Packet: From (1/3)').waitFor()
  await workbench.choose('shop/client-n1')
  await title.getByText('Trace Packet: To (2/3)').waitFor()
  await workbench.screenshot('quick-pick-to')
  await workbench.choose('shop/web')
  await title.getByText('Trace Packet: Port and Protocol (3/3)').waitFor()
  const asked = performance.now()
  await workbench.pick('80/TCP')
  panel = await workbench.webview('trace-panel h1.headline')
  const took = performance.now() - asked
  assert.match(await text(panel.locator('h1')), /deliver/)
  assert.ok(took < 2000, `the answer took ${took.toFixed(0)} ms`)
})

for (const theme of THEME_NAMES) {
  seen(`the panel looks right and reads well: ${theme}`, async () => {
    await workbench.setTheme(theme)
    assert.deepEqual(await axeViolations(panel), [])
    await workbench.screenshot(`trace-${theme}`)
  })
}

seen('a narrow panel stacks its lanes', async () => {
  await workbench.setTheme('dark')
  await workbench.page.setViewportSize({ width: 800, height: 900 })
  await workbench.page.waitForTimeout(500)
  assert.deepEqual(await axeViolations(panel), [])
  await workbench.screenshot('trace-narrow')
  await workbench.page.setViewportSize(SIZE)
})

seen('the evidence of a step opens beside it', async () => {
  await panel.locator('.step.decisive').first().click()
  await workbench.page.locator('.editor-group-container .monaco-editor .view-line').first().waitFor()
  assert.equal(await workbench.page.locator('.editor-group-container').count(), 2)
  await workbench.screenshot('trace-evidence')
})

seen('the side bar shows what the bundle holds', async () => {
  await workbench.showContainer('Plumbline')
  await workbench.treeItem('shop/client-n1 →').waitFor()
  await workbench.unfold('incident.zip', 'Namespaces', 'shop', 'Services')
  await workbench.treeItem('10.96.0.21').click({ button: 'right' })
  await workbench.page.waitForTimeout(500)
  await workbench.screenshot('side-bar-menu')
  await workbench.page.keyboard.press('Escape')
  await workbench.treeItem('Namespaces').click()
  await workbench.unfold('Nodes', 'n1', 'Rules')
  await workbench.treeItem('kube-proxy').waitFor()
  await workbench.screenshot('side-bar')
})

seen('a reload of the window brings the panel back', async () => {
  const before = await text(panel.locator('h1'))
  await workbench.page.reload()
  panel = await workbench.webview('trace-panel h1.headline', 40_000)
  assert.equal(await text(panel.locator('h1')), before)
})
