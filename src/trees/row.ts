// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { printable } from '../../core/text/printable.ts'

/** Names come from the cluster: shown as plain text with control characters made visible. */
export function row(label: string, icon: string, state: vscode.TreeItemCollapsibleState, contextValue: string): vscode.TreeItem {
  const made = new vscode.TreeItem(printable(label), state)
  made.iconPath = new vscode.ThemeIcon(icon)
  made.contextValue = contextValue
  return made
}

/** A tooltip of facts. Values are appended as text, so nothing in them is taken for markup. */
export function markdown(facts: readonly (readonly [string, string | undefined])[]): vscode.MarkdownString {
  const made = new vscode.MarkdownString()
  for (const [title, value] of facts) {
    if (value === undefined || value === '') continue
    made.appendMarkdown(`**${title}:** `).appendText(printable(value)).appendMarkdown('  \n')
  }
  return made
}
