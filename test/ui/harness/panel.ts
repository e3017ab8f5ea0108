// SPDX-License-Identifier: Apache-2.0

import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { extname, join, resolve } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { panelPage } from '../../../protocol/panelPage.ts'
import type { Envelope } from '../../../protocol/panel.ts'
import { loopbackContext } from './browser.ts'
import type { ThemeName } from './workbench.ts'

const MEDIA = resolve('dist/media')

export interface PanelOptions {
  /** "trace". */
  readonly panel: string
  readonly theme?: ThemeName
  readonly width?: number
  readonly height?: number
  /** What the page remembered before. */
  readonly state?: unknown
  /** Answers a request; whatever it throws is answered as a failure. Requests without an answer stay open: return `pending`. */
  readonly answer?: (method: string, params: unknown) => unknown
  /** Hears the page's events as they come. */
  readonly onEvent?: (envelope: Envelope) => void
}

/** Return it from `answer` to leave a request open. */
export const pending = Symbol('pending')

interface Theme {
  readonly bodyClass: string
  readonly variables: Readonly<Record<string, string>>
}

/** One built panel in a browser, under the same page and policy as in VS Code, with the test as its host. */
export class PanelUnderTest {
  readonly page: Page
  /** Everything the panel sent, in order. */
  readonly sent: Envelope[]
  /** What went wrong in the page: exceptions, console errors, violations of the content security policy. */
  readonly faults: string[]
  readonly #server: Server

  private constructor(page: Page, server: Server, sent: Envelope[], faults: string[]) {
    this.page = page
    this.#server = server
    this.sent = sent
    this.faults = faults
  }

  static async open(browser: Browser, options: PanelOptions): Promise<PanelUnderTest> {
    const { server, origin } = await serve(options.panel)
    const context = await loopbackContext(browser, { viewport: { width: options.width ?? 1280, height: options.height ?? 900 } })
    const page = await context.newPage()
    const sent: Envelope[] = []
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    const panel = new PanelUnderTest(page, server, sent, faults)
    await page.exposeFunction('toHost', (envelope: Envelope) => {
      sent.push(envelope)
      if (envelope.kind === 'request') void panel.#answer(envelope, options.answer)
      if (envelope.kind === 'event') options.onEvent?.(envelope)
    })
    const setup = { theme: await readTheme(options.theme ?? 'dark'), state: options.state ?? null }
    await page.addInitScript(`window.setup = ${JSON.stringify(setup)}`)
    await page.addInitScript({ path: join(import.meta.dirname, 'fakeVsCode.js') })
    await page.goto(origin)
    return panel
  }

  /** Sends an event, as the host would. */
  async tell(name: string, payload: unknown): Promise<void> {
    await this.#post({ kind: 'event', name, payload })
  }

  /** What the page asked VS Code to remember. */
  state(): Promise<unknown> {
    return this.page.evaluate('recall()')
  }

  requests(method: string): unknown[] {
    return this.sent.flatMap((envelope) => (envelope.kind === 'request' && envelope.method === method ? [envelope.params] : []))
  }

  async close(): Promise<void> {
    await this.page.context().close()
    await new Promise((done) => {
      this.#server.close(done)
      this.#server.closeAllConnections()
    })
  }

  async #answer(request: Extract<Envelope, { kind: 'request' }>, answer: PanelOptions['answer']): Promise<void> {
    const { id, method, params } = request
    try {
      const value = await answer?.(method, params)
      if (value !== pending) await this.#post({ kind: 'result', id, value: value ?? null })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      await this.#post({ kind: 'failure', id, error: { code: 'test', message } })
    }
  }

  async #post(envelope: Envelope): Promise<void> {
    try {
      await this.page.evaluate(`fromHost(${JSON.stringify(envelope)})`)
    } catch (error) {
      // A page that was closed waits for nothing.
      if (!this.page.isClosed()) throw error
    }
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.ttf': 'font/ttf',
  '.map': 'application/json',
}

async function serve(panel: string): Promise<{ server: Server; origin: string }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://host').pathname
    if (path === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(panelPage({ panel, title: 'Panel', cspSource: "'self'", nonce: 'tests', asset: (file) => `/${file}` }))
      return
    }
    response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream')
    createReadStream(join(MEDIA, path.replaceAll('..', '')))
      .on('error', () => response.writeHead(404).end())
      .pipe(response)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the test server has no port')
  return { server, origin: `http://127.0.0.1:${address.port}/` }
}

export function themeFile(theme: ThemeName): string {
  return resolve('test/ui/themes', `${theme}.json`)
}

export async function readTheme(theme: ThemeName): Promise<Theme> {
  return JSON.parse(await readFile(themeFile(theme), 'utf8')) as Theme
}

/** Names of the theme variables the built panels mention. */
export async function usedVariables(): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for (const file of await readdir(MEDIA)) {
    if (!/\.(css|js)$/.test(file)) continue
    for (const [name] of (await readFile(join(MEDIA, file), 'utf8')).matchAll(/--vscode-[\w-]+/g)) names.add(name)
  }
  return names
}
