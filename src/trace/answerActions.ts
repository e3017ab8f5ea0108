// SPDX-License-Identifier: Apache-2.0

/** What can be done with any answer, fresh or saved. */

import * as vscode from 'vscode'
import type { TraceAnswer } from '../../core/path/answer.ts'
import { SAVED_TRACE_SUFFIX } from '../contributions.ts'
import type { Prompts } from '../prompts.ts'
import type { BundleSource } from '../sources/bundleSource.ts'
import type { FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import { type AskedTrace, commandLine } from './question.ts'

/** Puts the command that asks the same in a terminal on the clipboard. */
export async function copyAsCli(source: FactSource, asked: AskedTrace): Promise<{ command: string }> {
  const command = commandLine(
    asked,
    source instanceof LiveSource
      ? { kind: 'context', place: source.name, kubeconfig: source.context.file }
      : { kind: 'bundle', place: (source as BundleSource).uri.fsPath },
  )
  await vscode.env.clipboard.writeText(command)
  return { command }
}

/** Null when the person changed their mind. */
export async function saveAnswer(answer: TraceAnswer, prompts: Prompts): Promise<{ path: string } | null> {
  const { from, to } = answer.question
  const name = `${from} to ${to}`.replace(/\b(pod|svc|host):/g, '').replace(/[^\w.-]+/g, '-')
  const uri = await prompts.save(`${name}${SAVED_TRACE_SUFFIX}`, {
    [vscode.l10n.t('Saved traces')]: [SAVED_TRACE_SUFFIX.slice(1)],
    JSON: ['json'],
  })
  if (uri === undefined) return null
  await vscode.workspace.fs.writeFile(uri, Buffer.from(`${JSON.stringify(answer, null, 2)}\n`))
  return { path: uri.scheme === 'file' ? uri.fsPath : uri.toString(true) }
}

/** Puts prediction and proof on the clipboard, with names and addresses replaced. */
export async function reportAnswer(answer: TraceAnswer): Promise<null> {
  const { redacted } = await import('./redact.ts')
  await vscode.env.clipboard.writeText(JSON.stringify(redacted(answer), null, 2))
  void vscode.window.showInformationMessage(
    vscode.l10n.t('Prediction and proof are on the clipboard, with names and addresses replaced.'),
  )
  return null
}
