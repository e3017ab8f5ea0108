// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'

export interface Question {
  readonly message: string
  readonly detail: string
  /** Title of the button that says yes. */
  readonly action: string
}

/** What only a person can answer. An interface, because VS Code refuses dialogs while extension tests run. */
export interface Prompts {
  confirm(question: Question): Promise<boolean>
  openBundle(): Promise<vscode.Uri | undefined>
  openKubeconfig(): Promise<readonly vscode.Uri[]>
  save(name: string, filters: Readonly<Record<string, readonly string[]>>): Promise<vscode.Uri | undefined>
}

export const dialogs: Prompts = {
  async confirm({ message, detail, action }) {
    return (await vscode.window.showWarningMessage(message, { modal: true, detail }, action)) === action
  },
  async openBundle() {
    const picked = await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Open Bundle'),
      canSelectFiles: true,
      canSelectFolders: true,
      filters: { [vscode.l10n.t('Bundles')]: ['zip', 'json'] },
    })
    return picked?.[0]
  },
  async openKubeconfig() {
    const title = vscode.l10n.t('Select Kubeconfig Files')
    return (await vscode.window.showOpenDialog({ title, canSelectMany: true })) ?? []
  },
  async save(name, filters) {
    const mutable = Object.fromEntries(Object.entries(filters).map(([title, extensions]) => [title, [...extensions]]))
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri
    return vscode.window.showSaveDialog({ filters: mutable, ...(folder && { defaultUri: vscode.Uri.joinPath(folder, name) }) })
  },
}
