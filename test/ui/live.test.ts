// SPDX-License-Identifier: Apache-2.0

/** The packaged extension and the lab's cluster, driven by hand: deploy, ask, prove, remove. Leaves pictures in out/. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'
import type { Locator } from 'playwright-core'
import { holdLab, whyNoLab } from '../cluster/lab.ts'
import { axeViolations } from './harness/axe.ts'
import { Workbench } from './harness/workbench.ts'

const reason = whyNoLab()

test('deploy the agent, prove an answer, remove the agent', { skip: reason ?? false }, async () => {
  const lab = await holdLab('mixed')
  try {
    const workbench = await Workbench.start({ vsix: [resolve('dist/plumbline.vsix')], env: { KUBECONFIG: lab.kubeconfig } })
    try {
      await walk(workbench)
    } catch (error) {
      await workbench.screenshot('failed-live')
      const remove = ['dist/cli.js', 'agent', 'remove', '--yes', '--kubeconfig', lab.kubeconfig]
      execFileSync(process.execPath, remove, { stdio: 'ignore' })
      throw error
    } finally {
      await workbench.close()
    }
  } finally {
    await lab.release()
  }
})

async function walk(workbench: Workbench): Promise<void> {
  const { page } = workbench
  const status = page.locator('.part.statusbar')
  await workbench.showContainer('Plumbline')
  await workbench.screenshot('live-idle')
  await workbench.runCommand('Plumbline: Connect…')
  await status.getByText('no agent').waitFor()
  await workbench.screenshot('live-connected')

  await workbench.runCommand('Plumbline: Deploy Agent…')
  const dialog = page.locator('.monaco-dialog-box')
  await dialog.getByText('DaemonSet plumbline/plumbline-agent').waitFor()
  await workbench.screenshot('deploy-plan')
  await dialog.getByRole('button', { name: 'Deploy' }).click()
  await workbench.notification('Deploying the agent')
  await workbench.screenshot('deploy-progress')
  await status.getByText('agent 2/2').waitFor({ timeout: 90_000 })
  await workbench.unfold('Nodes', 'n1', 'Rules')
  await workbench.treeItem('kube-proxy').waitFor()
  await workbench.screenshot('live-nodes')

  await workbench.runCommand('Plumbline: Trace Packet…')
  await workbench.choose('shop/client-n1')
  await workbench.choose('shop/web')
  await workbench.choose('80/TCP')
  const panel = await workbench.webview('trace-panel h1.headline', 30_000)
  await panel.getByRole('button', { name: 'Prove It' }).click()
  await panel.locator('.proof-badge').waitFor({ timeout: 60_000 })
  assert.match(await text(panel.locator('.proof-badge')), /^proven$/, await text(panel.locator('main')))
  assert.deepEqual(await axeViolations(panel), [])
  await workbench.screenshot('trace-proven')

  await workbench.runCommand('Plumbline: Remove Agent…')
  await dialog.getByText('Remove the agent').waitFor()
  await workbench.screenshot('remove-confirm')
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await status.getByText('no agent').waitFor({ timeout: 90_000 })
  await workbench.notification('nothing of it is left')
  await workbench.screenshot('removed')
}

async function text(locator: Locator): Promise<string> {
  return ((await locator.textContent()) ?? '').replace(/\s+/g, ' ').trim()
}
