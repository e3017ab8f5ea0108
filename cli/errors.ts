// SPDX-License-Identifier: Apache-2.0

/** What the exit code of the command says; scripts rely on it (docs/cli.md). */
export const EXIT = { answered: 0, findings: 1, usage: 2, facts: 3, unreachable: 4, internal: 70, interrupted: 130 } as const

/** The command line itself is wrong. `command` names whose help would help. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A message for people together with the exit code it ends with. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}
