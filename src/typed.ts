// SPDX-License-Identifier: Apache-2.0

/** The typed way to VS Code's string-keyed registries. */

import * as vscode from 'vscode'
import type { CommandId, Commands, ContextKey, ContextKeys, SettingId, Settings } from './contributions.ts'

export function readSetting<K extends SettingId>(id: K): Settings[K] {
  const dot = id.indexOf('.')
  const value = vscode.workspace.getConfiguration(id.slice(0, dot)).get<Settings[K]>(id.slice(dot + 1))
  if (value === undefined) throw new Error(`setting ${id} has no default`)
  return value
}

export function writeSetting<K extends SettingId>(id: K, value: Settings[K]): Thenable<void> {
  const dot = id.indexOf('.')
  return vscode.workspace.getConfiguration(id.slice(0, dot)).update(id.slice(dot + 1), value, vscode.ConfigurationTarget.Global)
}

export function runCommand<K extends CommandId>(id: K, ...args: Commands[K]): Thenable<unknown> {
  return vscode.commands.executeCommand(id, ...args)
}

/** A command for an item or a link. */
export function commandOf<K extends CommandId>(id: K, title: string, ...args: Commands[K]): vscode.Command {
  return { command: id, title, arguments: args }
}

const known = new Map<ContextKey, unknown>()

/** Sets a context key, unless it has that value already: each set makes VS Code evaluate every `when` clause anew. */
export function setContext<K extends ContextKey>(key: K, value: ContextKeys[K]): void {
  if (known.get(key) === value) return
  known.set(key, value)
  void vscode.commands.executeCommand('setContext', key, value)
}
