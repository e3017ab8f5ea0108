// SPDX-License-Identifier: Apache-2.0

/**
 * Opens a saved trace in VS Code with Plumbline installed: `node scripts/demo-open.ts FILE`. With `code` on the PATH that is the
 * person's own VS Code; otherwise VS Code in the browser, on a loopback port, which ends by itself when nobody uses it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { installVsCode } from '../test/ui/harness/install.ts'

const IDLE_SECONDS = 600
const VSIX = 'dist/plumbline.vsix'

const say = (text: string): void => void process.stderr.write(`${text}\n`)

async function main(file: string): Promise<void> {
  if (spawnSync('code', ['--version'], { stdio: 'ignore' }).status === 0) openDesktop(file)
  else await openBrowser(file)
}

function openDesktop(file: string): void {
  run('code', ['--install-extension', VSIX, '--force'])
  run('code', ['--new-window', dirname(file), file])
}

async function openBrowser(file: string): Promise<void> {
  if (process.platform !== 'linux') {
    say('VS Code is not on the PATH (`code`), so the panel is not opened.')
    return
  }
  const { node, cli } = await installVsCode(say)
  const folder = resolve('out/demo/vscode')
  mkdirSync(folder, { recursive: true })
  const folders = ['--user-data-dir', `${folder}/user`, '--extensions-dir', `${folder}/extensions`]
  const env = { ...process.env, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
  run(node, [cli, '--install-extension', VSIX, '--force', ...folders], env)
  const port = await freePort()
  const server = spawn(
    node,
    [
      cli,
      '--auth',
      'none',
      '--bind-addr',
      `127.0.0.1:${port}`,
      '--idle-timeout-seconds',
      String(IDLE_SECONDS),
      '--disable-telemetry',
      ...folders,
    ],
    { env, detached: true, stdio: 'ignore' },
  )
  server.unref()
  await answering(port)
  const url = browserUrl(port, file)
  say(`\nThe same trace in VS Code: ${url}\n(process ${server.pid}; it ends ${IDLE_SECONDS / 60} minutes after its last use)`)
  if (process.env['DISPLAY'] !== undefined) spawnSync('xdg-open', [url], { stdio: 'ignore' })
}

/** VS Code's web workbench opens files named in its `payload` (workbench/browser/web.main.ts). */
function browserUrl(port: number, file: string): string {
  const payload = JSON.stringify([['openFile', `vscode-remote://127.0.0.1:${port}${file}`]])
  return `http://127.0.0.1:${port}/?folder=${encodeURIComponent(dirname(file))}&payload=${encodeURIComponent(payload)}`
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const { status, stdout, stderr } = spawnSync(command, args, { env, encoding: 'utf8' })
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

const file = resolve(process.argv[2] ?? '')
if (!existsSync(file)) throw new Error(`no such file: ${file}`)
await main(file)
