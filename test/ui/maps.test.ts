// SPDX-License-Identifier: Apache-2.0

/** Maps of a recorded cluster in the real workbench: the tree, the panel, and the way there from a step of a trace. */

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { axeViolations } from './harness/axe.ts'
import { Workbench } from './harness/workbench.ts'

let workbench: Workbench

before(async () => {
  workbench = await Workbench.start({
    extensionFolder: resolve('.'),
    env: { KUBECONFIG: '/nonexistent' },
    viewport: { width: 1600, height: 1000 },
  })
  await workbench.openBundle('test/fixtures/bundles/cilium.zip')
})
after(() => workbench.close())

test('maps of a bundle: policy maps carry their pods’ names, and the panel says that a bundle stays as it is', async () => {
  await workbench.page.locator('.pane-header', { hasText: 'Traces' }).click()
  await workbench.unfold('cilium.zip', 'Nodes', 'n1', 'Maps', 'Policy')
  const row = workbench.page.getByRole('treeitem', { name: /^cilium_policy_v2_\d+, pod shop\/client-n1/ })
  await row.waitFor()
  await workbench.screenshot('maps-bundle-tree')
  await row.click()
  const panel = await workbench.webview('map-panel .vt-view [role=row]')
  assert.match((await panel.locator('.head').textContent()) ?? '', /pod shop\/client-n1/)
  assert.match((await panel.locator('.why').textContent()) ?? '', /a bundle stays as it is/)
  assert.deepEqual(await axeViolations(panel), [])
  await workbench.screenshot('maps-bundle-policy')
})

test('a step that an entry decided opens the map, with that very entry selected', async () => {
  await workbench.runCommand('Plumbline: Trace Packet…')
  for (const label of ['shop/client-n1', 'shop/web', '80/TCP']) await workbench.choose(label)
  const trace = await workbench.webview('trace-panel h1.headline', 30_000)
  assert.match((await trace.locator('th.lane-1').first().textContent()) ?? '', /Cilium’s maps/)
  await trace.locator('.step', { hasText: 'allowed by an entry of cilium_policy_v2' }).first().dblclick()
  await workbench.page
    .locator('.tab', { hasText: /cilium_policy_v2_\d+ · n1/ })
    .nth(1)
    .waitFor()
  const map = await workbench.webview('map-panel .entry', 30_000)
  assert.match((await map.locator('.entry h2').textContent()) ?? '', /ingress from .*client.*: TCP 8080/)
  await map.locator('.vt-view [role=row][aria-selected=true]', { hasText: 'TCP 8080' }).waitFor()
  await workbench.screenshot('maps-evidence')
})
