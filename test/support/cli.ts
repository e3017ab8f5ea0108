// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface CliResult {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliSetting {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Milliseconds; a minute if not told. */
  readonly timeout?: number
  /** Told of standard error as it grows, for tests that interrupt. */
  readonly onStderr?: (text: string, interrupt: () => void) => void
}

const MAIN = resolve(fileURLToPath(new URL('../../cli/main.ts', import.meta.url)))
const TIMEOUT = 60_000

/** Runs the command line as its own process, from source. PLUMBLINE_CLI names a built one to run instead. */
export function plumbline(args: readonly string[], setting: CliSetting = {}): Promise<CliResult> {
  const main = process.env['PLUMBLINE_CLI'] ?? MAIN
  const env = { ...process.env, NO_COLOR: '', FORCE_COLOR: '', KUBECONFIG: '/nonexistent/kubeconfig', ...setting.env }
  const child = spawn(process.execPath, [main, ...args], { env, timeout: setting.timeout ?? TIMEOUT, stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    setting.onStderr?.(stderr, () => child.kill('SIGINT'))
  })
  child.stdin.on('error', () => {})
  child.stdin.end(setting.input ?? '')
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
}
