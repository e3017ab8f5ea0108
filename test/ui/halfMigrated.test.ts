// SPDX-License-Identifier: Apache-2.0

/**
 * The walk-through of docs/half-migrated.md in the real workbench, with the recorded half-migrated cluster. Its pictures are the
 * page's: `out/screenshots/half-*.png`.
 */

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { Frame } from 'playwright-core'
import { axeViolations } from './harness/axe.ts'
import { Workbench } from './harness/workbench.ts'

let workbench: Workbench
let panel: Frame

before(async () => {
  workbench = await Workbench.start({
    vsix: [resolve('dist/plumbline.vsix')],
    env: { KUBECONFIG: '/nonexistent' },
    viewport: { width: 1440, height: 900 },
  })
  await workbench.openBundle('test/fixtures/bundles/half.zip')
  await workbench.unfold('half.zip', 'Nodes')
  await workbench.setTheme('light')
})
after(() => workbench.close())

async function ask(from: string, to: string, port: string): Promise<void> {
  await workbench.runCommand('Plumbline: Trace Packet…')
  for (const label of [from, to, port]) await workbench.choose(label)
  panel = await workbench.webview(`trace-panel:has-text("pod:${from}"):has-text("svc:${to}:${port}")`)
}

test('the nodes say which of them has Cilium', async () => {
  await workbench.treeItem('n1').getByText('Cilium').waitFor()
  await workbench
    .treeItem('n2')
    .getByText(/kube-proxy nftables · \d/)
    .waitFor()
})

test('a client on the node that was left behind: one backend of three answers, and why', async () => {
  await ask('shop/client-n2', 'shop/web', '80/TCP')
  await panel.locator('.wall, .step.drop').first().waitFor()
  assert.deepEqual(await axeViolations(panel), [])
  await workbench.screenshot('half-client-left-behind')
})

test('the evidence of that drop is the entry that the pod’s policy map lacks', async () => {
  await panel.locator('.wall').last().scrollIntoViewIfNeeded()
  await workbench.screenshot('half-wall')
  await panel.getByRole('button', { name: 'Open Evidence' }).click()
  const lines = workbench.page.locator('.editor-group-container .monaco-editor .view-line')
  await lines.filter({ hasText: /no.entry,.nor.one.for.every.identity/ }).waitFor()
  await workbench.runCommand('View: Close All Editors')
})

test('a client that was migrated: dropped on its own node, for the pod that has no identity yet', async () => {
  await ask('shop/locked', 'shop/web', '80/TCP')
  await panel
    .getByText(/isolated by CiliumNetworkPolicy shop\/locked-egress/)
    .first()
    .waitFor()
  await workbench.screenshot('half-client-migrated')
})
