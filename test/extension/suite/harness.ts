// SPDX-License-Identifier: Apache-2.0

/** A runner small enough to live in the extension host: tests in order, results in a file the outside reads. */

import { writeFileSync } from 'node:fs'
import * as vscode from 'vscode'
import type { TestHandle } from '../../../src/extension.ts'
import type { ClusterItem } from '../../../src/trees/clusterItem.ts'

export interface SuiteResult {
  readonly name: string
  readonly error: string | null
  readonly milliseconds: number
}

type Test = readonly [name: string, body: () => Promise<void>]

/** Runs tests one after the other; one that fails does not keep the next from running. */
export async function runTests(tests: readonly Test[]): Promise<void> {
  const results: SuiteResult[] = []
  const rejections: string[] = []
  const onRejection = (reason: unknown) => rejections.push(String(reason instanceof Error ? reason.stack : reason))
  process.on('unhandledRejection', onRejection)
  for (const [name, body] of tests) {
    const began = performance.now()
    let error: string | null = null
    try {
      await body()
    } catch (caught) {
      error = caught instanceof Error ? (caught.stack ?? caught.message) : String(caught)
    }
    results.push({ name, error, milliseconds: Math.round(performance.now() - began) })
    save(results)
  }
  process.off('unhandledRejection', onRejection)
  const ours = rejections.filter((stack) => stack.includes('dist/') && !stack.includes('Canceled'))
  results.push({ name: 'no promise was rejected unheard', error: ours.length === 0 ? null : ours.join('\n'), milliseconds: 0 })
  save(results)
}

function save(results: readonly SuiteResult[]): void {
  writeFileSync(environment('PLUMBLINE_TEST_RESULTS'), JSON.stringify(results))
}

export function environment(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set in the extension host`)
  return value
}

let handle: TestHandle | undefined

/** The extension, activated, with its parts. */
export async function plumbline(): Promise<TestHandle> {
  if (handle !== undefined) return handle
  const extension = vscode.extensions.getExtension<TestHandle>('plumbline.plumbline')
  if (extension === undefined) throw new Error('the extension is not installed in this extension host')
  handle = await extension.activate()
  if (handle === undefined) throw new Error('the extension does not know that it is tested')
  return handle
}

/** Rows below an item as VS Code would show them. */
export async function rows(
  item?: ClusterItem,
): Promise<{ item: ClusterItem; label: string; description: string; context: string }[]> {
  const { app } = await plumbline()
  const items = await app.clusters.getChildren(item)
  return items.map((child) => {
    const row = app.clusters.getTreeItem(child)
    return { item: child, label: String(row.label), description: String(row.description ?? ''), context: row.contextValue ?? '' }
  })
}

/** The row with this label, unfolding by the labels before it. */
export async function rowAt(...labels: string[]): Promise<ClusterItem> {
  let at: ClusterItem | undefined
  for (const label of labels) {
    const found = (await rows(at)).find((row) => row.label === label)
    if (found === undefined)
      throw new Error(`no row ${label} of ${labels.join(' › ')}: ${(await rows(at)).map((row) => row.label).join(', ')}`)
    at = found.item
  }
  if (at === undefined) throw new Error('no labels given')
  return at
}

export async function until<T>(what: string, probe: () => T | undefined | Promise<T | undefined>, seconds = 20): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const value = await probe()
    if (value !== undefined) return value
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
