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
  // Asked first, because most systems have no dialog in which one can choose either.
  async openBundle() {
    const archive = {
      label: vscode.l10n.t('$(archive) Archive…'),
      description: vscode.l10n.t('zip'),
      options: { canSelectFiles: true, filters: { [vscode.l10n.t('Bundles')]: ['zip'] } },
    }
    const folder = {
      label: vscode.l10n.t('$(folder) Folder…'),
      description: vscode.l10n.t('with a bundle.json, or an unpacked Cilium sysdump'),
      options: { canSelectFiles: false, canSelectFolders: true },
    }
    const title = vscode.l10n.t('Open Bundle')
    const kind = await vscode.window.showQuickPick([archive, folder], { title, placeHolder: vscode.l10n.t('How was it kept?') })
    if (kind === undefined) return undefined
    return (await vscode.window.showOpenDialog({ title, openLabel: vscode.l10n.t('Open'), ...kind.options }))?.[0]
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
