// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { App } from '../app.ts'
import { askable, pickSource } from '../pickSource.ts'
import type { FactSource } from '../sources/factSource.ts'
import type { ClusterItem } from '../trees/clusterItem.ts'
import type { FindQuestion } from './question.ts'

/** Finds everything about what a row stands for, a question asks, or a person types. */
export async function askFind(app: App, what: ClusterItem | FindQuestion | undefined): Promise<void> {
  const source = await sourceOf(app, what)
  if (source === undefined) return
  const query = queryOf(what) ?? (await typed(source))
  if (query !== undefined) await app.finds.open(source, query)
}

async function sourceOf(app: App, what: ClusterItem | FindQuestion | undefined): Promise<FactSource | undefined> {
  if (what !== undefined && 'kind' in what) return what.source
  const known = what?.source === undefined ? undefined : app.sources.find(what.source)
  return known ?? pickSource(askable(app.sources), vscode.l10n.t('Find in which cluster?'))
}

function queryOf(what: ClusterItem | FindQuestion | undefined): string | undefined {
  if (what === undefined) return undefined
  if (!('kind' in what)) return what.query
  switch (what.kind) {
    case 'pod':
      return `pod:${what.namespace}/${what.name}`
    case 'service':
      return `svc:${what.namespace}/${what.name}`
    case 'node':
      return `node:${what.name}`
    default:
      return undefined
  }
}

async function typed(source: FactSource): Promise<string | undefined> {
  const facts = source.current ?? (await source.facts())
  const { parseWanted } = await import('../../core/find/wanted.ts')
  const selected = vscode.window.activeTextEditor?.document.getText(vscode.window.activeTextEditor.selection) ?? ''
  return vscode.window.showInputBox({
    title: vscode.l10n.t('Find Everything About This Address'),
    prompt: vscode.l10n.t('An address, or `identity:NUMBER`, `pod:NAMESPACE/NAME`, `svc:NAMESPACE/NAME`, `node:NAME`'),
    value: /^[\w:.[\]/-]{1,60}$/.test(selected) ? selected : '',
    validateInput: (text) => {
      if (text.trim() === '') return undefined
      try {
        parseWanted(text, facts.cluster.objects)
        return undefined
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    },
  })
}
