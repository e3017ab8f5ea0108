// SPDX-License-Identifier: Apache-2.0

/**
 * Opens a saved trace, and the bundles or cluster it was made from, in VS Code with Plumbline installed:
 * `node scripts/demo-open.ts FILE [--bundle PATH… | --kubeconfig PATH]`. With `code` on the PATH that is the desktop's VS Code,
 * otherwise VS Code in the browser, on a loopback port, which ends by itself when nobody uses it. Either way with extensions and
 * settings of the demo's own, in out/demo/vscode.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { SAVED_TRACE_EDITOR, SAVED_TRACE_SUFFIX } from '../src/contributions.ts'
import { installVsCode } from '../test/ui/harness/install.ts'
import { endGroup, hostEnvironment, installExtension, QUIET_SETTINGS } from '../test/ui/harness/server.ts'

/** code-server counts in steps of a minute. */
const IDLE_SECONDS = Number(process.env['DEMO_IDLE_SECONDS'] ?? 600)
const VSIX = 'dist/plumbline.vsix'
const HOME = resolve('out/demo/vscode')
const USER = join(HOME, 'user')
const EXTENSIONS = join(HOME, 'extensions')
const SERVER = join(HOME, 'server.pid')

type Settings = Readonly<Record<string, unknown>>

const say = (text: string): void => void process.stderr.write(`${text}\n`)

async function main(file: string, settings: Settings): Promise<void> {
  await endEarlierServer()
  rmSync(HOME, { recursive: true, force: true })
  // Settings of the machine are read from another file than a person's own when VS Code runs as a server.
  for (const kind of ['User', 'Machine']) {
    mkdirSync(join(USER, kind), { recursive: true })
    writeFileSync(join(USER, kind, 'settings.json'), JSON.stringify(settings))
  }
  if (spawnSync('code', ['--version'], { stdio: 'ignore' }).status === 0) openDesktop(file)
  else await openBrowser(file)
}

function openDesktop(file: string): void {
  const folders = ['--user-data-dir', USER, '--extensions-dir', EXTENSIONS]
  run('code', ['--install-extension', VSIX, '--force', ...folders])
  run('code', ['--new-window', dirname(file), file, ...folders])
}

async function openBrowser(file: string): Promise<void> {
  if (process.platform !== 'linux') {
    say('VS Code is not on the PATH (`code`), so the panel is not opened.')
    return
  }
  const vscode = await installVsCode(say)
  await installExtension(vscode, VSIX, EXTENSIONS)
  const port = await freePort()
  const server = spawn(
    vscode.node,
    [
      vscode.cli,
      ...['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--idle-timeout-seconds', String(IDLE_SECONDS)],
      ...['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override'],
      ...['--user-data-dir', USER, '--extensions-dir', EXTENSIONS],
    ],
    // A process group of its own: it outlives this script, and the next run ends it whole.
    { env: { ...hostEnvironment(), XDG_CONFIG_HOME: HOME, XDG_DATA_HOME: HOME }, detached: true, stdio: 'ignore' },
  )
  server.unref()
  writeFileSync(SERVER, String(server.pid))
  await answering(port)
  const url = browserUrl(port, file)
  say(`\nThe same trace in VS Code:\n\n  ${url}\n`)
  say(`(process ${server.pid}; it ends ${IDLE_SECONDS / 60} minutes after its last use, or with the next demo)`)
  if (process.env['DISPLAY'] !== undefined) spawnSync('xdg-open', [url], { stdio: 'ignore' })
}

/** The server of an earlier run, if it is still there: a process of that number that was started for this very folder. */
async function endEarlierServer(): Promise<void> {
  if (!existsSync(SERVER)) return
  const pid = Number(readFileSync(SERVER, 'utf8'))
  const commandLine = `/proc/${pid}/cmdline`
  if (existsSync(commandLine) && readFileSync(commandLine, 'utf8').split('\0').includes(USER)) await endGroup(pid)
}

/** VS Code's web workbench opens files named in its `payload` (workbench/browser/web.main.ts). */
function browserUrl(port: number, file: string): string {
  const payload = JSON.stringify([['openFile', `vscode-remote://127.0.0.1:${port}${file}`]])
  return `http://127.0.0.1:${port}/?folder=${encodeURIComponent(dirname(file))}&payload=${encodeURIComponent(payload)}`
}

function run(command: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function answering(port: number): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 200) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(200)
  }
  throw new Error(`VS Code does not answer on 127.0.0.1:${port} after 30 s`)
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { bundle: { type: 'string', multiple: true }, kubeconfig: { type: 'string' } },
})
const file = resolve(positionals[0] ?? '')
if (positionals.length !== 1 || !existsSync(file)) throw new Error(`no such file: ${file}`)
await main(file, {
  ...QUIET_SETTINGS,
  // Or a browser that sees VS Code for the first time shows the file as text before the extension is known to it.
  'workbench.editorAssociations': { [`*${SAVED_TRACE_SUFFIX}`]: SAVED_TRACE_EDITOR },
  ...(values.bundle !== undefined && { 'plumbline.bundles': values.bundle.map((path) => resolve(path)) }),
  ...(values.kubeconfig !== undefined && { 'plumbline.kubeconfig': [resolve(values.kubeconfig)] }),
})
