// SPDX-License-Identifier: Apache-2.0

/** Without any cluster: activation, empty states, bundles, manifests. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as vscode from 'vscode'
import { environment, plumbline, rows, runTests, until } from './harness.ts'

const folder = environment('PLUMBLINE_TEST_FOLDER')

async function activates(): Promise<void> {
  const extension = vscode.extensions.getExtension('plumbline.plumbline')
  assert.equal(extension?.isActive, false, 'nothing activates it before it is used')
  const { activationMs } = await plumbline()
  console.log(`activate() took ${activationMs.toFixed(1)} ms`)
  writeFileSync(join(folder, 'activation.txt'), String(activationMs))
  assert.ok(activationMs <= 30, `activate() took ${activationMs.toFixed(1)} ms`)
}

async function hasEveryCommand(): Promise<void> {
  const known = new Set(await vscode.commands.getCommands(true))
  const contributed = vscode.extensions.getExtension('plumbline.plumbline')?.packageJSON.contributes.commands as {
    command: string
  }[]
  for (const { command } of contributed) assert.ok(known.has(command), `${command} is registered`)
}

async function emptyWithoutKubeconfig(): Promise<void> {
  const { app } = await plumbline()
  await app.sources.load()
  assert.deepEqual(await rows(), [], 'the tree is empty, so the welcome view shows')
  assert.match(app.sources.problems[0]?.message ?? '', /absent-kubeconfig: no such file/)
}

async function opensBundle(): Promise<void> {
  const { app, answer } = await plumbline()
  answer({ openBundle: async () => vscode.Uri.file(join(folder, 'bundle.zip')) })
  await vscode.commands.executeCommand('plumbline.bundle.open')
  const [bundle] = await rows()
  assert.equal(bundle?.label, 'bundle.zip')
  assert.equal(bundle.context, 'plumbline.bundle')
  const inside = await rows(bundle.item)
  assert.deepEqual(
    inside.map((row) => row.label),
    ['No node snapshots', 'Nodes', 'Namespaces'],
  )
  const nodes = await rows(inside[1]?.item)
  assert.deepEqual(nodes.map((row) => row.label)[0], 'node-000')
  assert.equal(nodes.length, 201, '200 rows and one to load more')
  assert.equal(nodes.at(-1)?.description, '200 of 250 shown')
  await vscode.commands.executeCommand('plumbline.tree.loadMore', nodes.at(-1)?.item)
  assert.equal((await rows(inside[1]?.item)).length, 250)
  assert.equal(app.status.text, '$(pulse) bundle.zip')
}

async function showsHostileNames(): Promise<void> {
  const [bundle] = await rows()
  const namespaces = (await rows(bundle?.item)).find((row) => row.label === 'Namespaces')
  const hostile = (await rows(namespaces?.item)).find((row) => row.label.includes('evil'))
  assert.equal(hostile?.label, 'evil\\u202ename\\n', 'control characters are visible')
}

async function refusesBadBundles(): Promise<void> {
  const { app } = await plumbline()
  const cases: [string, RegExp][] = [
    ['truncated.zip', /truncated\.zip/],
    ['text.zip', /neither a folder nor a zip/],
    ['newer.zip', /written by a newer Plumbline/],
    ['absent.zip', /absent\.zip: can't be read: FileNotFound/],
  ]
  for (const [name, expected] of cases) {
    await assert.rejects(app.sources.openBundle(vscode.Uri.file(join(folder, name))), expected)
  }
  assert.equal(app.sources.bundles.length, 1, 'none of them stays in the tree')
}

async function showsObjectEvidence(): Promise<void> {
  const { app } = await plumbline()
  const [bundle] = app.sources.bundles
  const { addressUri } = await import('../../../src/evidence/uri.ts')
  assert.ok(bundle)
  const uri = addressUri({ facts: bundle.id, view: 'object', kind: 'Service', namespace: 'shop', name: 'web' })
  const document = await vscode.workspace.openTextDocument(uri)
  assert.match(document.getText(), /^apiVersion: v1\nkind: Service\n/)
  assert.equal(document.languageId, 'yaml')
}

async function startsLanguageServer(): Promise<void> {
  const file = join(folder, 'policy.yaml')
  writeFileSync(
    file,
    'apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: b\n',
  )
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(file))
  await until('folding ranges of both documents', async () => {
    const ranges = await vscode.commands.executeCommand<vscode.FoldingRange[]>('vscode.executeFoldingRangeProvider', document.uri)
    return ranges.some((range) => range.start === 5) || ranges.some((range) => range.start === 4) ? ranges : undefined
  })
}

async function closesBundle(): Promise<void> {
  const { app } = await plumbline()
  const [bundle] = await rows()
  await vscode.commands.executeCommand('plumbline.bundle.close', bundle?.item)
  assert.deepEqual(await rows(), [])
  assert.deepEqual(app.memory.get('bundles'), [])
}

async function tellsDrift(): Promise<void> {
  const { app } = await plumbline()
  const opened = await app.sources.openBundle(vscode.Uri.file(join(folder, 'drift.zip')))
  const [bundle] = await rows()
  const nodes = (await rows(bundle?.item)).find(({ label }) => label === 'Nodes')
  const drift: (readonly [string | undefined, string | undefined])[] = []
  for (const node of await rows(nodes?.item)) {
    const row = (await rows(node.item)).find(({ label }) => label === 'Drift')
    drift.push([row?.description, row?.context])
  }
  assert.deepEqual(drift, [
    ['1 finding', 'plumbline.fact+warning'],
    ['none', 'plumbline.fact'],
  ])
  await app.sources.closeBundle(opened)
}

export async function run(): Promise<void> {
  await runTests([
    ['activate() registers and takes at most 30 ms of CPU time', activates],
    ['every contributed command is registered', hasEveryCommand],
    ['without a kubeconfig the tree is empty', emptyWithoutKubeconfig],
    ['a bundle opens, pages its nodes and says what it lacks', opensBundle],
    ['names from a cluster are shown as text', showsHostileNames],
    ['broken bundles are refused with a reason', refusesBadBundles],
    ['an object is shown as YAML', showsObjectEvidence],
    ['the language server starts with the first manifest', startsLanguageServer],
    ['a closed bundle is forgotten', closesBundle],
    ["a node's maps that lack a service are drift", tellsDrift],
  ])
}
