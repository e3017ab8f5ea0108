// SPDX-License-Identifier: Apache-2.0

/** The lab for tests: brought up once a file, agent image loaded, and kept up afterwards for the next. */

import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { findContext } from '../../cluster/kubeconfig.ts'
import { ClusterSession } from '../../cluster/session.ts'

export const ROOT = join(import.meta.dirname, '../..')
const LAB = join(ROOT, 'lab/lab')
const IMAGE = join(ROOT, 'dist/agent-image.tar')
export const MANIFESTS = join(ROOT, 'agent/deploy')

/** Why the lab can't be used here, or undefined. */
export function whyNoLab(): string | undefined {
  if (process.platform !== 'linux') return 'the lab needs Linux'
  if (process.getuid?.() !== 0) return 'the lab needs root'
  if (!existsSync(IMAGE)) return 'dist/agent-image.tar is not built (make agent-image)'
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' })
  } catch {
    return 'the lab needs Go'
  }
  return undefined
}

export function lab(...args: string[]): string {
  return execFileSync(LAB, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 << 20 })
}

export function kubectl(...args: string[]): string {
  return lab('kubectl', ...args)
}

export interface Lab {
  readonly kubeconfig: string
  release(): Promise<void>
}

/** Brings the lab up and holds its lock until `release`, so that nobody else changes it meanwhile. */
export async function holdLab(proxy = 'mixed'): Promise<Lab> {
  const holder = spawn(LAB, ['with', `--proxy=${proxy}`, '--', 'sh', '-c', 'echo held:$KUBECONFIG; cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const kubeconfig = await new Promise<string>((resolve, reject) => {
    let said = ''
    holder.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const path = /^held:(.+)$/m.exec(said)?.[1]
      if (path !== undefined) resolve(path)
    })
    holder.on('exit', (code) => reject(new Error(`the lab did not come up (${code}): ${said}`)))
    holder.on('error', reject)
  })
  process.env['PLUMBLINE_LAB_LOCKED'] = '1'
  lab('image-load', IMAGE)
  return {
    kubeconfig,
    release: async () => {
      delete process.env['PLUMBLINE_LAB_LOCKED']
      const ended = once(holder, 'exit')
      holder.stdin.end()
      await ended
    },
  }
}

export async function openSession(kubeconfig: string): Promise<ClusterSession> {
  return ClusterSession.open(await findContext([{ files: [kubeconfig] }], undefined))
}
