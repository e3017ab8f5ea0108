// SPDX-License-Identifier: Apache-2.0

/**
 * The packaged extension in the real workbench, with the flows of real Cilium: follow them, make traffic that a policy drops, see
 * the drop with its policy, and ask where that packet goes. Leaves pictures in out/.
 */

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { Frame, Locator } from 'playwright-core'
import { holdLab, kubectl, type Lab, whyNoLab } from '../cluster/lab.ts'
import { axeViolations } from '../ui/harness/axe.ts'
import { THEME_NAMES, Workbench } from '../ui/harness/workbench.ts'

const reason = whyNoLab()
const options = { skip: reason ?? false }

let lab: Lab
let workbench: Workbench
let panel: Frame

before(async () => {
  if (reason !== undefined) return
  lab = await holdLab('cilium')
  workbench = await Workbench.start({ vsix: [resolve('dist/plumbline.vsix')], env: { KUBECONFIG: lab.kubeconfig } })
})
after(async () => {
  await workbench?.close()
  await lab?.release()
})

/** A test that keeps a picture of what one would have seen when it fails. */
function seen(name: string, act: () => Promise<void>): void {
  test(name, options, async () => {
    try {
      await act()
    } catch (error) {
      await workbench.screenshot(`failed-flows-${name.replace(/\W+/g, '-')}`)
      throw error
    }
  })
}

async function text(locator: Locator): Promise<string> {
  return ((await locator.textContent()) ?? '').replace(/\s+/g, ' ').trim()
}

const rows = () => panel.locator('.vt-row:not([hidden]):not(.waiting)')
const filter = () => panel.getByRole('combobox', { name: 'Filter flows' })

/** Connections that a policy drops, and some that arrive. */
function makeTraffic(): void {
  const address = kubectl('-n', 'shop', 'get', 'service', 'db', '-o', 'jsonpath={.spec.clusterIP}')
  for (const target of [`${address}:5432`, '10.96.0.20:80']) {
    try {
      kubectl('-n', 'shop', 'exec', 'client-n1', '--', '/app', 'dial', 'tcp', target, '--count', '3')
    } catch {
      // It says so when a connection fails, which is what is wanted here.
    }
  }
}

seen('follows the flows of a connected cluster', async () => {
  await workbench.showContainer('Plumbline')
  await workbench.runCommand('Plumbline: Connect…')
  await workbench.page.locator('.part.statusbar').getByText(/agent/).waitFor()
  await workbench.runCommand('Plumbline: Follow Flows…')
  await workbench.page.locator('.quick-input-title').getByText('Follow Flows: From Where?').waitFor()
  await workbench.screenshot('flows-live-source')
  await workbench.pick(': Hubble')
  panel = await workbench.webview('flows-panel .bar')
  await panel.locator('.source').getByText('following relay').waitFor({ timeout: 30_000 })
  await rows().first().waitFor()
})

seen('a drop shows with its policy, soon after it happened', async () => {
  await filter().fill('verdict:dropped pod:shop/client-n1 port:5432')
  await panel.evaluate(`document.querySelector('filter-box input').blur()`)
  makeTraffic()
  const drop = rows().filter({ hasText: 'POLICY_DEN' }).last()
  await drop.waitFor()
  assert.match(await text(drop), /dropped\s?shop\/client-n1\s?shop\/db-\S+?5432\/TCP/)
  await drop.click()
  const why = panel.locator('.details .why')
  await why.waitFor()
  assert.match(await text(why), /db/)
  await workbench.screenshot('flows-live-drop')
  await panel.getByRole('button', { name: 'Show Policy' }).click()
  await workbench.page
    .locator('.editor-group-container .monaco-editor .view-line')
    .filter({ hasText: 'NetworkPolicy' })
    .first()
    .waitFor()
  await workbench.screenshot('flows-live-policy')
  await workbench.runCommand('View: Close All Editors')
})

seen('what the panel shows reads well in every theme', async () => {
  for (const theme of THEME_NAMES) {
    await workbench.setTheme(theme)
    assert.deepEqual(await axeViolations(panel), [])
    await workbench.screenshot(`flows-live-${theme}`)
  }
  await workbench.setTheme('dark')
})

seen('the packet of a flow is traced, from and to the same ends', async () => {
  await rows().last().click({ button: 'right' })
  await panel.getByRole('menuitem', { name: 'Trace This Packet' }).click()
  const traced = await workbench.webview('trace-panel h1.headline', 60_000)
  assert.match(await text(traced.locator('.ends')), /pod:shop\/client-n1.*(?:svc:shop\/db|pod:shop\/db-\S+):5432\/TCP/)
  assert.match(await text(traced.locator('h1')), /drop/i)
  await workbench.screenshot('flows-live-traced')
  await workbench.runCommand('View: Close All Editors')
})

seen('a pod of the tree shows its flows', async () => {
  await workbench.unfold('Namespaces', 'shop', 'Pods')
  await workbench.treeItem('client-n2').click({ button: 'right' })
  // A menu takes no press right after it opened.
  const item = workbench.page.getByRole('menuitem', { name: 'Show Flows' })
  await item.hover()
  await workbench.page.waitForTimeout(500)
  await item.click({ delay: 100 })
  for (let tries = 0; tries < 50 && (await filter().inputValue()) !== 'pod:shop/client-n2'; tries++)
    await workbench.page.waitForTimeout(100)
  assert.equal(await filter().inputValue(), 'pod:shop/client-n2')
  await workbench.screenshot('flows-live-pod')
})

seen('drops and the service map, then stop', async () => {
  await filter().fill('')
  await panel.getByRole('tab', { name: 'Drops' }).click()
  await panel.locator('.drops h2').first().waitFor()
  await workbench.screenshot('flows-live-drops')
  await panel.getByRole('tab', { name: 'Service Map' }).click()
  await panel.locator('.map-node').first().waitFor()
  await workbench.screenshot('flows-live-map')
  await panel.getByRole('button', { name: 'Stop Following' }).click()
  await panel.getByRole('button', { name: 'Follow Flows…' }).waitFor()
  assert.ok((await panel.locator('.map-node').count()) > 0, 'what was kept stays')
})
