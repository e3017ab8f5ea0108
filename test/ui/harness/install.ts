// SPDX-License-Identifier: Apache-2.0

/**
 * VS Code for tests. The desktop build can't be downloaded everywhere, but the npm package `code-server` carries VS Code's own
 * server, workbench and extension host. It has native modules, compiled against the Node that runs it, so both stand in folders
 * of their own, outside the project's node_modules and its clean-up: a few minutes once, then found in the cache.
 *
 * Debian packages it needs: libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev g++ make python3 chromium.
 */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const CODE_SERVER = '4.139.1'
const NODE = '24.21.0'

export interface VsCode {
  /** The Node binary everything below runs with. */
  readonly node: string
  /** VS Code's own server: serves the workbench, runs the extension host. */
  readonly serverMain: string
  /** code-server's command line: installs packaged extensions. */
  readonly cli: string
}

/** Finds VS Code in the cache, or installs it there (about four minutes). `log` is told of the slow steps. */
export async function installVsCode(log: (line: string) => void = () => {}): Promise<VsCode> {
  const key = createHash('sha256').update(`${CODE_SERVER} ${NODE} ${process.platform} ${process.arch}`).digest('hex').slice(0, 20)
  const folder = join(cacheFolder(), 'vscode', key)
  if (!existsSync(folder)) {
    await mkdir(join(folder, '..'), { recursive: true })
    const unlock = await lock(`${folder}.lock`)
    try {
      if (!existsSync(folder)) await build(folder, log)
    } finally {
      await unlock()
    }
  }
  return layout(folder)
}

function cacheFolder(): string {
  const own = process.env['PLUMBLINE_CACHE']
  if (own) return own
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'plumbline')
}

function layout(folder: string): VsCode {
  const codeServer = join(folder, 'code-server', 'node_modules', 'code-server')
  return {
    node: join(nodePackage(folder), 'bin', 'node'),
    serverMain: join(codeServer, 'lib', 'vscode', 'out', 'server-main.js'),
    cli: join(codeServer, 'out', 'node', 'entry.js'),
  }
}

/** The package with the binary and its headers; `node` itself only picks one for the platform. */
function nodePackage(folder: string): string {
  return join(folder, 'node', 'node_modules', `node-${process.platform}-${process.arch}`)
}

/** Builds beside the final name and renames at the end, so that a half-finished install is never found. */
async function build(folder: string, log: (line: string) => void): Promise<void> {
  const tmp = `${folder}.tmp`
  await rm(tmp, { recursive: true, force: true })
  try {
    log(`installing node ${NODE}`)
    await npmInstall(join(tmp, 'node'), `node-${process.platform}-${process.arch}@${NODE}`, {})
    log(`installing code-server ${CODE_SERVER}, with native modules: about four minutes`)
    await npmInstall(join(tmp, 'code-server'), `code-server@${CODE_SERVER}`, {
      npm_config_nodedir: nodePackage(tmp),
      PATH: `${join(nodePackage(tmp), 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
    })
    const missing = Object.values(layout(tmp)).filter((path) => !existsSync(path))
    if (missing.length > 0) throw new Error(`code-server ${CODE_SERVER} was installed without ${missing.join(', ')}`)
    await rename(tmp, folder)
  } catch (error) {
    await rm(tmp, { recursive: true, force: true })
    throw error
  }
}

async function npmInstall(folder: string, spec: string, env: NodeJS.ProcessEnv): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private":true}\n')
  await run('npm', ['install', '--no-audit', '--no-fund', '--save-exact', spec], folder, { ...process.env, ...env })
}

async function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let tail = ''
  const keep = (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-4000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${tail}`)
}

/** An exclusive lock between processes: a file with the owner's pid, taken over when that process is gone. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const file = await open(path, 'wx')
      await file.writeFile(String(process.pid))
      await file.close()
      return () => rm(path, { force: true })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    const owner = Number(await readFile(path, 'utf8').catch(() => ''))
    if (owner > 0 && !isRunning(owner)) await rm(path, { force: true })
    else await sleep(500)
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

if (import.meta.main) {
  const vscode = await installVsCode((line) => console.error(line))
  console.log(vscode.serverMain)
}
