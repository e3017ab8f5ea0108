// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from 'node:timers/promises'
import { launchBrowser, loopbackContext } from './browser.ts'
import { type ServerOptions, startServer, type VsCodeServer } from './server.ts'
import { remoteUri, workbenchUrl } from './workbench.ts'

export interface ExtensionTests extends ServerOptions {
  /** The extension's folder (with package.json). */
  readonly extension: string
  /** A CommonJS or ES module whose `run(): Promise<void>` is called inside the extension host. */
  readonly tests: string
  /** Folder to open; the server's scratch folder when left out. */
  readonly open?: string
  readonly timeoutSeconds?: number
}

export interface ExtensionTestResult {
  /** 0: `run` resolved; else it rejected. */
  readonly code: number
  /** What the tests logged to the console. */
  readonly log: string
}

/**
 * Runs tests inside VS Code's real extension host. VS Code ignores the request silently when its server was started without
 * the smoke test driver; that, like everything else that never ends, is the error after `timeoutSeconds`.
 */
export async function runExtensionTests(options: ExtensionTests): Promise<ExtensionTestResult> {
  const server = await startServer(options)
  try {
    return await runIn(server, options)
  } finally {
    await server.stop()
  }
}

async function runIn(server: VsCodeServer, options: ExtensionTests): Promise<ExtensionTestResult> {
  const browser = await launchBrowser()
  try {
    const page = await (await loopbackContext(browser)).newPage()
    const lines: string[] = []
    let end: (code: number) => void = () => {}
    const ended = new Promise<number>((resolve) => {
      end = resolve
    })
    // Both must be there before the page loads.
    await page.exposeFunction('codeAutomationLog', (type: string, args: unknown[]) => lines.push(`${type}: ${args.join(' ')}`))
    await page.exposeFunction('codeAutomationExit', (code: number) => end(code))
    const payload = [
      ['extensionDevelopmentPath', remoteUri(server, options.extension)],
      ['extensionTestsPath', remoteUri(server, options.tests)],
      ['skipWelcome', 'true'],
    ] as const
    await page.goto(workbenchUrl(server, options.open ?? server.folder, payload))
    const seconds = options.timeoutSeconds ?? 120
    const code = await Promise.race([ended, sleep(seconds * 1000, null, { ref: false })])
    if (code === null) throw new Error(`the extension's tests did not end within ${seconds} s. Console:\n${lines.join('\n')}`)
    return { code, log: lines.join('\n') }
  } finally {
    await browser.close()
  }
}
