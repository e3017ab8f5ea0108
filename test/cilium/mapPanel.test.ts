// SPDX-License-Identifier: Apache-2.0

/**
 * The extension in VS Code on a live cluster with Cilium: a node's hooks and maps in the tree, the map of services filtered, watched while
 * a Service comes and goes, exported; everything about an address. Leaves pictures in out/.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Frame } from 'playwright-core'
import { kubectl, ROOT, whyNoLab } from '../cluster/lab.ts'
import { openLiveCluster } from '../cluster/liveCluster.ts'
import { axeViolations } from '../ui/harness/axe.ts'
import { THEME_NAMES, Workbench } from '../ui/harness/workbench.ts'

const SERVICE = 'map-panel-test'

test('maps, hooks and everything about an address in VS Code', { skip: whyNoLab() ?? false }, async () => {
  const cluster = await openLiveCluster('cilium')
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-maps-'))
  try {
    const workbench = await Workbench.start({ extensionFolder: ROOT, open: folder, env: { KUBECONFIG: cluster.kubeconfig } })
    try {
      await walk(workbench, folder)
    } catch (error) {
      await workbench.screenshot('failed-maps')
      throw error
    } finally {
      await workbench.close()
    }
  } finally {
    kubectl('-n', 'shop', 'delete', 'service', SERVICE, '--ignore-not-found', '--wait')
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

async function walk(workbench: Workbench, folder: string): Promise<void> {
  const { page } = workbench
  await workbench.showContainer('Plumbline')
  await workbench.runCommand('Plumbline: Connect…')
  await page.locator('.part.statusbar').getByText('agent 2/2').waitFor({ timeout: 60_000 })

  // Room for the tree.
  await page.locator('.pane-header', { hasText: 'Traces' }).click()
  await workbench.unfold('Nodes', 'n1', 'Interfaces and Hooks', 'eth0', 'tcx ingress')
  const program = page.getByRole('treeitem', { name: /^cil_from_netdev, cilium/ })
  await program.waitFor()
  await workbench.screenshot('maps-hooks')
  await program.click()
  await page.mouse.move(720, 500)
  await page.locator('.editor-instance').getByText('tcx_ingress').first().waitFor()

  await page.getByRole('treeitem', { name: /^Interfaces and Hooks/ }).click()
  await workbench.unfold('Maps', 'Services')
  await workbench.treeItem('cilium_lb4_services_v2').waitFor()
  await workbench.screenshot('maps-tree')
  await workbench.treeItem('cilium_lb4_services_v2').click()
  const panel = await workbench.webview('map-panel .vt-view [role=row]', 30_000)
  const box = panel.getByRole('combobox', { name: 'Filter entries' })
  await box.fill('address=10.96.0.20 and port=80')
  await panel.locator('.shown', { hasText: '4 of' }).waitFor()
  assert.deepEqual(await axeViolations(panel), [])

  // A Service comes and goes while one watches.
  await box.fill('port=8765')
  await panel.getByRole('button', { name: 'Watch' }).click()
  await panel.locator('.log-lines', { hasText: 'Watching' }).waitFor()
  kubectl('-n', 'shop', 'create', 'service', 'clusterip', SERVICE, '--tcp=8765:8080')
  await panel.locator('.vt-view', { hasText: '+ added' }).waitFor({ timeout: 20_000 })
  await workbench.screenshot('maps-watch')
  assert.match((await panel.locator('.log-lines').textContent()) ?? '', /port=8765/)
  kubectl('-n', 'shop', 'delete', 'service', SERVICE, '--wait')
  await panel
    .locator('.log-lines li', { hasText: 'removed' })
    .filter({ hasText: 'port=8765' })
    .first()
    .waitFor({ timeout: 20_000 })
  await panel.locator('.empty-view', { hasText: 'matches' }).waitFor({ timeout: 20_000 })
  await panel.getByRole('button', { name: 'Stop Watching' }).click()

  await box.fill('address=10.96.0.20 and port=80')
  await panel.locator('.shown', { hasText: '4 of' }).waitFor()
  await box.press('Escape')
  const file = join(folder, 'services.json')
  await panel.getByRole('button', { name: 'Export…' }).click()
  await panel.getByRole('menuitem', { name: 'Rows Shown as JSON' }).click()
  await workbench.choosePath('', file)
  await panel.locator('.notice', { hasText: '4 entries saved' }).waitFor()
  const exported = JSON.parse(readFileSync(file, 'utf8'))
  assert.equal(exported.schema, 'plumbline.maps/v1')
  assert.deepEqual(new Set(exported.entries.map(({ key }: { key: { address: string } }) => key.address)), new Set(['10.96.0.20']))

  await everythingAbout(workbench, panel)
}

async function everythingAbout(workbench: Workbench, panel: Frame): Promise<void> {
  await panel.locator('.vt-view [role=row]').first().click()
  await panel.getByRole('button', { name: 'Find everything about 10.96.0.20' }).click()
  const found = await workbench.webview('find-panel .vt-view [role=row]', 60_000)
  await found.getByRole('button', { name: 'Search Again' }).waitFor({ timeout: 60_000 })
  await found.getByRole('button', { name: /^eBPF maps/ }).click()
  await found.locator('.vt-view', { hasText: 'cilium_lb4_reverse_nat' }).waitFor()
  assert.deepEqual(await axeViolations(found), [])
  for (const theme of THEME_NAMES) {
    await workbench.setTheme(theme)
    await workbench.screenshot(`find-${theme}`)
  }
  // The entry that was found is selected in its map.
  await found.locator('.vt-view [role=row]', { hasText: 'cilium_lb4_reverse_nat' }).first().dblclick()
  const map = await workbench.webview('map-panel .entry', 30_000)
  assert.match((await map.locator('.entry h2').textContent()) ?? '', /10\.96\.0\.20/)
  await workbench.screenshot('find-entry')
}
