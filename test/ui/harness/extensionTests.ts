// SPDX-License-Identifier: Apache-2.0

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
    const ended = Promise.withResolvers<number>()
    // Both must be there before the page loads.
    await page.exposeFunction('codeAutomationLog', (type: string, args: unknown[]) => lines.push(`${type}: ${args.join(' ')}`))
    await page.exposeFunction('codeAutomationExit', (code: number) => ended.resolve(code))
    const seconds = options.timeoutSeconds ?? 120
    const timer = setTimeout(
      () => ended.reject(new Error(`the extension's tests did not end within ${seconds} s. Console:\n${lines.join('\n')}`)),
      seconds * 1000,
    )
    try {
      const payload = [
        ['extensionDevelopmentPath', remoteUri(server, options.extension)],
        ['extensionTestsPath', remoteUri(server, options.tests)],
        ['skipWelcome', 'true'],
      ] as const
      await page.goto(workbenchUrl(server, options.open ?? server.folder, payload))
      return { code: await ended.promise, log: lines.join('\n') }
    } finally {
      clearTimeout(timer)
    }
  } finally {
    await browser.close()
  }
}
