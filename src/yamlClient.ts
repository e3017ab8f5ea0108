// SPDX-License-Identifier: Apache-2.0

import type * as vscode from 'vscode'
import { LanguageClient, TransportKind } from 'vscode-languageclient/node'

/** Starts the YAML language server's process and speaks LSP with it. A module of its own, so that it is loaded on first use. */
export async function startYamlClient(module: string, log: vscode.LogOutputChannel): Promise<LanguageClient> {
  const client = new LanguageClient(
    'plumbline.yaml',
    'Plumbline YAML',
    { module, transport: TransportKind.ipc },
    { documentSelector: [{ language: 'yaml' }, { language: 'kubernetes' }], outputChannel: log },
  )
  await client.start()
  return client
}
