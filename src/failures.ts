// SPDX-License-Identifier: Apache-2.0

/** How failures are told: in the log with their causes, and to the person with what to do about it. */

import * as vscode from 'vscode'
import { ApiError, messageOf, type MissingRight, PlumblineError } from '../cluster/errors.ts'
import { FactsError } from '../core/facts/error.ts'
import type { PanelError } from '../protocol/panel.ts'
import { runCommand } from './typed.ts'

/** Something to do about a failure, offered as a button. */
export interface Remedy {
  readonly title: string
  readonly run: () => Thenable<unknown>
}

/** A failure that knows what to do about it. */
export class RemediableError extends Error {
  override readonly name = 'RemediableError'
  readonly remedies: readonly Remedy[]

  constructor(message: string, remedies: readonly Remedy[], cause?: unknown) {
    super(message, { cause })
    this.remedies = remedies
  }
}

export class Failures {
  readonly #log: vscode.LogOutputChannel

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log
  }

  /** Logs and shows a failure. A cancelled task is not one. Returns once the message is up, not once it is answered. */
  report(what: string, error: unknown): void {
    if (PlumblineError.is(error, 'cancelled')) return
    this.record(what, error)
    const remedies = remediesOf(error)
    const showLogs: Remedy = { title: vscode.l10n.t('Show Logs'), run: () => runCommand('plumbline.logs.show') }
    const choices = [...remedies, showLogs]
    void vscode.window.showErrorMessage(messageOf(error), ...choices.map(({ title }) => title)).then((title) => {
      return choices.find((choice) => choice.title === title)?.run()
    })
  }

  record(what: string, error: unknown): void {
    this.#log.error(`${what}: ${chain(error)}`)
    if (error instanceof Error && error.stack !== undefined) this.#log.debug(error.stack)
  }
}

/** An error as a webview may see it: no stack, no cause. */
export function panelError(error: unknown): PanelError {
  const code = PlumblineError.is(error) ? error.code : error instanceof FactsError ? 'facts' : 'failed'
  const actions = remediesOf(error).map(({ title }) => title)
  return { code, message: messageOf(error), ...(actions.length > 0 && { actions }) }
}

export function missingRight(error: unknown): MissingRight | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (ApiError.is(at) && at.missing !== undefined) return at.missing
  return undefined
}

export function remediesOf(error: unknown): readonly Remedy[] {
  if (error instanceof RemediableError) return error.remedies
  const missing = missingRight(error)
  if (missing !== undefined) return [{ title: vscode.l10n.t('Copy RBAC Snippet'), run: () => copyRbac([missing], '<user>') }]
  if (PlumblineError.is(error, 'agent-absent')) {
    return [{ title: vscode.l10n.t('Deploy Agent…'), run: () => runCommand('plumbline.agent.deploy') }]
  }
  if (PlumblineError.is(error, 'hubble-absent')) {
    const other = { title: vscode.l10n.t('Choose Another Source…'), run: () => runCommand('plumbline.flows.start') }
    return [...remediesOf(error.cause).filter(({ title }) => title !== other.title), other]
  }
  if (PlumblineError.is(error, 'kubeconfig')) {
    return [{ title: vscode.l10n.t('Select Kubeconfig…'), run: () => runCommand('plumbline.kubeconfig.select') }]
  }
  return []
}

/** Puts the RBAC objects that would grant the rights on the clipboard. */
export async function copyRbac(missing: readonly MissingRight[], user: string): Promise<void> {
  const { rbacSnippet } = await import('../cluster/rbac.ts')
  await vscode.env.clipboard.writeText(rbacSnippet(missing, user))
}

function chain(error: unknown): string {
  const messages: string[] = []
  for (let at = error; at !== undefined && messages.length < 8; at = at instanceof Error ? at.cause : undefined) {
    const message = messageOf(at)
    if (messages.at(-1) !== message) messages.push(message)
  }
  return messages.join(' ← ')
}
