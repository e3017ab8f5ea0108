// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { RemediableError } from './failures.ts'
import type { FactSource } from './sources/factSource.ts'
import { LiveSource } from './sources/liveSource.ts'
import type { Sources } from './sources/sources.ts'
import { runCommand } from './typed.ts'

/** Bundles that are still being read count: one asks right after opening one. */
export function askable(sources: Sources): readonly FactSource[] {
  const found = sources.all.filter((source) => source.current !== undefined || (source.kind === 'bundle' && !source.failure))
  if (found.length > 0) return found
  throw new RemediableError(vscode.l10n.t('Connect to a cluster or open a bundle first.'), [
    { title: vscode.l10n.t('Connect…'), run: () => runCommand('plumbline.cluster.connect') },
    { title: vscode.l10n.t('Open Bundle…'), run: () => runCommand('plumbline.bundle.open') },
  ])
}

/** Asks which one, unless there is only one. */
export async function pickSource(sources: readonly FactSource[], title: string): Promise<FactSource | undefined> {
  if (sources.length <= 1) return sources[0]
  const items = sources.map((source) => ({
    label: source.name,
    description: source instanceof LiveSource ? source.context.file : vscode.l10n.t('bundle'),
    source,
  }))
  return (await vscode.window.showQuickPick(items, { title }))?.source
}
