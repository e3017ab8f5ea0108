// SPDX-License-Identifier: Apache-2.0

/** Real connections, many at once, from wherever the lab has somebody to make them. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../cluster/lab.ts'
import type { Sender, Target } from './questions.ts'

const LAB = join(ROOT, 'lab/lab')
const run = promisify(execFile)

/** Attempts at each target. */
export const ATTEMPTS = 3
/** Silence is waited for once for many targets of a sender, so that it can be waited for long. */
const TIMEOUT = '1800ms'

/** One line of what `/app ask` prints. */
export interface Attempt {
  readonly ok: boolean
  /** As it was asked: "tcp/10.96.0.20:80". */
  readonly remote: string
  /** Local port; undefined for ICMP. */
  readonly port?: number
  /** Absent for ICMP. */
  readonly answer?: { readonly host: string; readonly client: string }
  readonly error?: string
  readonly detail?: string
  readonly ms: number
}

/** Path of the dialler on this machine. */
export async function diallerPath(): Promise<string> {
  const { stdout } = await run(LAB, ['build'])
  const app = stdout.trim().split('\n').at(-1)
  if (app === undefined) throw new Error('the lab has built no dialler')
  return app
}

export interface Dialling {
  /** At each target. */
  readonly attempts?: number
  readonly timeout?: string
}

/** All attempts of one sender. */
export async function dial(
  sender: Sender,
  targets: readonly Target[],
  app: string,
  { attempts = ATTEMPTS, timeout = TIMEOUT }: Dialling = {},
): Promise<readonly Attempt[]> {
  const [command = '', ...rest] = sender.place === undefined ? [app] : [LAB, ...sender.place]
  const how = ['--count', String(attempts), '--timeout', timeout, '--at-once', '200']
  const { stdout } = await run(command, [...rest, 'ask', ...how, ...targets.map(({ dialled }) => dialled)], {
    maxBuffer: 64 << 20,
  })
  return stdout
    .trim()
    .split('\n')
    .map((line): Attempt => JSON.parse(line))
}
