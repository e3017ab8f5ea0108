// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { printable } from '../../core/text/printable.ts'
import { VIEWS } from '../contributions.ts'
import { Owner } from '../disposable.ts'
import type { TraceHistory, TraceRecord } from '../trace/history.ts'
import { commandOf } from '../typed.ts'

const ICONS: Readonly<Record<TraceRecord['mood'], readonly [string, string | undefined, string]>> = {
  good: ['pass', 'testing.iconPassed', 'delivered'],
  bad: ['error', 'testing.iconFailed', 'not delivered'],
  mixed: ['warning', 'list.warningForeground', 'partly delivered'],
  unknown: ['question', undefined, 'unknown'],
}

export class TracesTree extends Owner implements vscode.TreeDataProvider<TraceRecord> {
  readonly #history: TraceHistory
  readonly onDidChangeTreeData: vscode.Event<void>
  readonly view: vscode.TreeView<TraceRecord>

  constructor(history: TraceHistory) {
    super()
    this.#history = history
    this.onDidChangeTreeData = history.onDidChange
    this.view = this.own(vscode.window.createTreeView(VIEWS.traces, { treeDataProvider: this }))
  }

  getChildren(record?: TraceRecord): TraceRecord[] {
    return record === undefined ? [...this.#history.records] : []
  }

  getTreeItem(record: TraceRecord): vscode.TreeItem {
    const [icon, color, word] = ICONS[record.mood]
    const item = new vscode.TreeItem(printable(`${record.asked.from} → ${record.asked.to}`))
    item.id = record.id
    item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color))
    item.description = printable(record.sourceName)
    item.contextValue = 'plumbline.trace'
    item.command = commandOf('plumbline.trace.rerun', vscode.l10n.t('Ask Again'), record)
    item.tooltip = printable(`${record.headline}\n${new Date(record.at).toLocaleString()}`)
    item.accessibilityInformation = {
      label: printable(`${word}: ${record.asked.from} to ${record.asked.to}, ${record.sourceName}`),
    }
    return item
  }
}
