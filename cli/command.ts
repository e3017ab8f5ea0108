// SPDX-License-Identifier: Apache-2.0

import type { Io } from './io.ts'
import type { Options, OptionSpec } from './options.ts'

/** One subcommand. */
export interface Command {
  readonly name: string
  /** One line, for the list of commands. */
  readonly summary: string
  /** What follows `plumbline NAME`, a line each. */
  readonly usage: readonly string[]
  readonly description: string
  readonly groups: readonly OptionGroup[]
  readonly examples: readonly string[]
  /** Returns the exit code. */
  run(options: Options, io: Io): Promise<number>
}

export interface OptionGroup {
  readonly title: string
  readonly options: readonly OptionSpec[]
}

export const HELP_OPTION: OptionSpec = { name: 'help', short: 'h', takes: 'flag', help: 'Show this help' }

export const JSON_OPTION: OptionSpec = { name: 'json', takes: 'flag', help: 'Print one JSON document instead of text' }

export function optionsOf(command: Command): readonly OptionSpec[] {
  return [...command.groups.flatMap((group) => group.options), HELP_OPTION]
}
