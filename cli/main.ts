#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0

import { printableLines } from '../core/text/printable.ts'
import { COMMANDS } from './commands.ts'
import { EXIT } from './errors.ts'
import { processIo } from './io.ts'
import { run } from './run.ts'

const interrupt = new AbortController()

process.on('SIGINT', () => {
  // Whoever asks twice doesn't want to wait for tidying up.
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
  interrupt.abort()
})
process.on('uncaughtException', (error) => {
  process.stderr.write(`plumbline: internal error: ${printableLines(error.stack ?? String(error))}\n`)
  process.exit(EXIT.internal)
})

const exitCode = await run(process.argv.slice(2), COMMANDS, processIo(interrupt.signal))
// A connection that is still closing must not hold up the shell.
process.exit(exitCode)
