// SPDX-License-Identifier: Apache-2.0

import { PlumblineError } from '../cluster/errors.ts'
import { FactsError } from '../core/facts/error.ts'
import { didYouMean } from '../core/text/suggest.ts'
import { type Command, optionsOf } from './command.ts'
import { CliError, EXIT, UsageError } from './errors.ts'
import { commandText, overviewText } from './helpText.ts'
import type { Io } from './io.ts'
import { type Options, parseOptions } from './options.ts'

/** Runs one command line and returns its exit code. What went wrong was said on `io`. */
export async function run(args: readonly string[], commands: readonly Command[], io: Io): Promise<number> {
  const name = args[0]
  try {
    return await dispatch(name, args.slice(1), commands, io)
  } catch (error) {
    return report(
      error,
      commands.find((command) => command.name === name),
      io,
    )
  }
}

async function dispatch(
  name: string | undefined,
  rest: readonly string[],
  commands: readonly Command[],
  io: Io,
): Promise<number> {
  if (name === undefined) {
    io.say(overviewText(commands))
    return EXIT.usage
  }
  if (name === 'help' || name === '--help' || name === '-h') return help(rest[0], commands, io)
  const command = name === '--version' ? find('version', commands) : find(name, commands)
  // Help is given whatever else stands on the line.
  if (rest.includes('--help') || rest.includes('-h')) return help(command.name, commands, io)
  const options: Options = parseOptions(rest, optionsOf(command))
  return await command.run(options, io)
}

async function help(name: string | undefined, commands: readonly Command[], io: Io): Promise<number> {
  await io.out(name === undefined ? overviewText(commands) : commandText(find(name, commands)))
  return EXIT.answered
}

function find(name: string, commands: readonly Command[]): Command {
  const command = commands.find((each) => each.name === name)
  if (command !== undefined) return command
  const names = commands.map((each) => each.name)
  const what = name.startsWith('-') ? 'option' : 'command'
  throw new UsageError(`unknown ${what} \`${name}\`${didYouMean(name, names)}; there are: ${[...names, 'help'].join(', ')}`)
}

function report(error: unknown, command: Command | undefined, io: Io): number {
  if (io.signal.aborted) {
    io.say('plumbline: cancelled')
    return EXIT.interrupted
  }
  if (error instanceof UsageError) {
    io.say(`plumbline: ${error.message}`)
    io.say(`See \`plumbline ${command === undefined ? '' : `${command.name} `}--help\`.`)
    return EXIT.usage
  }
  if (error instanceof FactsError || error instanceof CliError) {
    io.say(`plumbline: ${error.message}`)
    return error instanceof CliError ? error.exitCode : EXIT.facts
  }
  if (PlumblineError.is(error)) {
    io.say(`plumbline: ${error.message}`)
    return error.code === 'kubeconfig' ? EXIT.facts : EXIT.unreachable
  }
  io.say(`plumbline: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return EXIT.internal
}
