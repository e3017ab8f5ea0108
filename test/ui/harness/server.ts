// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { installVsCode, type VsCode } from './install.ts'

export interface ServerOptions {
  /** Packaged extensions to install first: what a user gets, not the work tree. */
  readonly vsix?: readonly string[]
  /** User settings, over ones that keep the workbench quiet. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Environment variables of the extension host, over this process's own. */
  readonly env?: Readonly<Record<string, string>>
}

/** VS Code's server on a loopback port, with user data, extensions and a scratch folder of its own. */
export interface VsCodeServer {
  /** "127.0.0.1:41234". */
  readonly authority: string
  /** Scratch folder for the test's workspaces; removed by `stop`. */
  readonly folder: string
  /** Ends the server with all its children, and removes its folders. */
  stop(): Promise<void>
}

export const QUIET_SETTINGS: Readonly<Record<string, unknown>> = {
  'telemetry.telemetryLevel': 'off',
  'workbench.colorTheme': 'Dark Modern',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'chat.commandCenter.enabled': false,
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'git.enabled': false,
  'window.commandCenter': false,
  'security.workspace.trust.enabled': false,
}

export async function startServer(options: ServerOptions = {}): Promise<VsCodeServer> {
  const vscode = await installVsCode((line) => process.stderr.write(`${line}\n`))
  const root = await mkdtemp(join(tmpdir(), 'plumbline-vscode-'))
  const folders = {
    folder: join(root, 'work'),
    user: join(root, 'user'),
    data: join(root, 'data'),
    extensions: join(root, 'extensions'),
  }
  const settings = join(folders.user, 'User', 'settings.json')
  try {
    for (const folder of [...Object.values(folders), dirname(settings)]) await mkdir(folder, { recursive: true })
    await writeFile(settings, JSON.stringify({ ...QUIET_SETTINGS, ...options.settings }))
    for (const file of options.vsix ?? []) await installExtension(vscode, file, folders.extensions)
    const child = spawn(
      vscode.node,
      [
        vscode.serverMain,
        ...['--host', '127.0.0.1', '--port', '0', '--without-connection-token', '--accept-server-license-terms'],
        ...['--user-data-dir', folders.user, '--server-data-dir', folders.data, '--extensions-dir', folders.extensions],
        ...['--telemetry-level', 'off', '--disable-workspace-trust', '--enable-smoke-test-driver'],
      ],
      // A process group of its own, so that the extension host and the file watcher end with it.
      { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...hostEnvironment(), ...options.env } },
    )
    const authority = await listening(child).catch(async (error: unknown) => {
      await endGroup(child.pid)
      throw error
    })
    return {
      authority,
      folder: folders.folder,
      stop: async () => {
        await endGroup(child.pid)
        await rm(root, { recursive: true, force: true, maxRetries: 5 })
      },
    }
  } catch (error) {
    await rm(root, { recursive: true, force: true })
    throw error
  }
}

/** Installs a packaged extension the way a user of code-server does. */
export async function installExtension(vscode: VsCode, vsix: string, extensions: string): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'plumbline-install-'))
  try {
    // The command line insists on the file name's end, and reads its own configuration: give it both in a folder of its own.
    const file = join(scratch, 'extension.vsix')
    await cp(vsix, file)
    const child = spawn(
      vscode.node,
      [vscode.cli, '--install-extension', file, '--extensions-dir', extensions, '--user-data-dir', scratch],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...hostEnvironment(), XDG_CONFIG_HOME: scratch },
      },
    )
    const output = collect(child)
    const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
    if (code !== 0) throw new Error(`${vsix} could not be installed (exit code ${code}):\n${output()}`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What a test runner sets for its own Node would confuse the one of VS Code. */
export function hostEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, VSCODE_IPC_HOOK_CLI: _hook, ...rest } = process.env
  return rest
}

function collect(child: ChildProcess): () => string {
  let text = ''
  const add = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-20_000)
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  return () => text
}

async function listening(child: ChildProcess): Promise<string> {
  const output = collect(child)
  let failure: unknown
  child.on('error', (error) => {
    failure = error
  })
  for (let waited = 0; waited < 60_000; waited += 50) {
    const port = /Extension host agent listening on (\d+)/.exec(output())?.[1]
    if (port !== undefined) return `127.0.0.1:${port}`
    if (failure !== undefined) throw failure
    if (child.exitCode !== null) throw new Error(`VS Code's server ended with ${child.exitCode}:\n${output()}`)
    await sleep(50)
  }
  throw new Error(`VS Code's server does not listen after 60 s:\n${output()}`)
}

/** Ends a process and all that it started: those of its group. */
export async function endGroup(pid: number | undefined): Promise<void> {
  if (pid === undefined) return
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!signalGroup(pid, signal)) return
    for (let waited = 0; waited < 3000; waited += 50) {
      if (!signalGroup(pid, 0)) return
      await sleep(50)
    }
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    return false
  }
}
