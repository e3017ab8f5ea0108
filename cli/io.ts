// SPDX-License-Identifier: Apache-2.0

import { createInterface } from 'node:readline/promises'
import { printableLines } from '../core/text/printable.ts'

/** What a command may touch of the process it runs in. */
export interface Io {
  /** The answer, and nothing else. Resolves once it was handed over. */
  out(text: string): Promise<void>
  /** Progress and messages: one line each, control characters made visible. */
  say(message: string): void
  /** Asks on the terminal; undefined when there is nobody to ask. */
  ask(question: string): Promise<string | undefined>
  /** Whether `out` is a terminal, where a person reads. */
  readonly terminal: boolean
  /** Whether `out` may use colour. */
  readonly colour: boolean
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** The real process. A reader that went away (EPIPE) ends the command quietly: it has all it wanted. */
export function processIo(signal: AbortSignal): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
  return {
    out: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve())),
    say: (message) => void process.stderr.write(`${printableLines(message)}\n`),
    ask,
    terminal: process.stdout.isTTY === true,
    colour: wantsColour(process.env, process.stdout.isTTY === true),
    signal,
  }

  async function ask(question: string): Promise<string | undefined> {
    if (process.stdin.isTTY !== true) return undefined
    const reader = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return await reader.question(printableLines(question), { signal })
    } finally {
      reader.close()
    }
  }
}

/** https://no-color.org: any non-empty NO_COLOR turns colour off, wherever the output goes. */
export function wantsColour(env: NodeJS.ProcessEnv, terminal: boolean): boolean {
  return terminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
