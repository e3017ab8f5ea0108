// SPDX-License-Identifier: Apache-2.0

/**
 * The YAML language server's process. It talks LSP over the channel its client chose (node IPC or stdio), keeps the open
 * documents, and answers about the Kubernetes documents in them.
 */
import { createConnection, ProposedFeatures, TextDocumentSyncKind, TextDocuments } from 'vscode-languageserver/node'
import { TextDocument } from 'vscode-languageserver-textdocument'
import { splitDocuments } from './yamlDocuments.ts'

const connection = createConnection(ProposedFeatures.all)
const documents = new TextDocuments(TextDocument)

connection.onInitialize(() => ({
  serverInfo: { name: 'Plumbline' },
  capabilities: { textDocumentSync: TextDocumentSyncKind.Incremental, foldingRangeProvider: true },
}))

connection.onFoldingRanges(({ textDocument }) => {
  const document = documents.get(textDocument.uri)
  if (document === undefined) return []
  return splitDocuments(document.getText())
    .filter((part) => part.endLine > part.startLine)
    .map((part) => ({ startLine: part.startLine, endLine: part.endLine, kind: 'region' }))
})

documents.listen(connection)
connection.listen()
