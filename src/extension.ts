// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { App } from './app.ts'
import { dialogs, type Prompts } from './prompts.ts'

/** What extension tests get: the parts, and a way to answer in a person's place. Undefined for everybody else. */
export interface TestHandle {
  readonly app: App
  /** CPU time `activate` took, milliseconds. */
  readonly activationMs: number
  answer(prompts: Partial<Prompts>): void
}

/** Registers, and nothing more: whatever is heavy is loaded by the command or view that needs it. */
export function activate(context: vscode.ExtensionContext): TestHandle | undefined {
  const began = process.cpuUsage()
  const prompts = { ...dialogs }
  const app = new App(context, prompts)
  context.subscriptions.push(app)
  if (context.extensionMode !== vscode.ExtensionMode.Test) return undefined
  return { app, activationMs: milliseconds(process.cpuUsage(began)), answer: (answers) => Object.assign(prompts, answers) }
}

/** CPU time, because what activation waits for on a busy machine says nothing about what it does. */
function milliseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000
}
