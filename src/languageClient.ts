// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { LanguageClient } from 'vscode-languageclient/node'
import { Owner } from './disposable.ts'
import { looksLikeKubernetes } from './kubernetesYaml.ts'
import { readSetting } from './typed.ts'

/** Starts the YAML language server with the first Kubernetes document, and not for any other YAML. */
export class YamlSupport extends Owner {
  readonly #extensionUri: vscode.Uri
  readonly #log: vscode.LogOutputChannel
  #starting: Promise<LanguageClient | undefined> | undefined

  constructor(extensionUri: vscode.Uri, log: vscode.LogOutputChannel) {
    super()
    this.#extensionUri = extensionUri
    this.#log = log
    this.own(vscode.workspace.onDidOpenTextDocument((document) => this.#consider(document)))
    this.own(
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (!event.affectsConfiguration('plumbline.yaml.enabled')) return
        if (readSetting('plumbline.yaml.enabled')) this.#considerAll()
        else this.#stop()
      }),
    )
    this.own({ dispose: () => this.#stop() })
    this.#considerAll()
  }

  #considerAll(): void {
    for (const document of vscode.workspace.textDocuments) this.#consider(document)
  }

  #consider(document: vscode.TextDocument): void {
    if (this.#starting !== undefined || !looksLikeKubernetes(document.languageId, document.getText())) return
    if (readSetting('plumbline.yaml.enabled')) this.#starting = this.#start()
  }

  /** A server that can't start is logged and not tried again until the window is reloaded; the rest works without it. */
  async #start(): Promise<LanguageClient | undefined> {
    try {
      const { startYamlClient } = await import('./yamlClient.ts')
      return await startYamlClient(vscode.Uri.joinPath(this.#extensionUri, 'dist', 'server.js').fsPath, this.#log)
    } catch (error) {
      this.#log.error(`The YAML language server did not start: ${String(error)}`)
      return undefined
    }
  }

  #stop(): void {
    const starting = this.#starting
    this.#starting = undefined
    void starting?.then((client) => client?.dispose()).catch((error) => this.#log.error(String(error)))
  }
}
