// SPDX-License-Identifier: Apache-2.0

import { cp, mkdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Browser, BrowserContext, Frame, Locator, Page } from 'playwright-core'
import { launchBrowser, loopbackContext } from './browser.ts'
import { type ServerOptions, startServer, type VsCodeServer } from './server.ts'

/** Colour themes every picture is taken in: their names in the theme picker, and the class VS Code gives its page for them. */
const THEMES = {
  light: { label: 'Light Modern', workbench: 'vs' },
  dark: { label: 'Dark Modern', workbench: 'vs-dark' },
  'high-contrast': { label: 'Dark High Contrast', workbench: 'hc-black' },
} as const
export type ThemeName = keyof typeof THEMES
export const THEME_NAMES = ['light', 'dark', 'high-contrast'] as const satisfies readonly ThemeName[]

export interface WorkbenchOptions extends ServerOptions {
  /** Folder to open; the server's scratch folder when left out. */
  readonly open?: string
  /** Run an extension from its folder, unpackaged. */
  readonly extensionFolder?: string
  /** A file to show at start. */
  readonly file?: string
  readonly viewport?: { readonly width: number; readonly height: number }
}

/** VS Code's real workbench in a real browser, driven as a person would: commands, views, editors, webviews. */
export class Workbench {
  readonly page: Page
  readonly server: VsCodeServer
  readonly #browser: Browser

  private constructor(page: Page, server: VsCodeServer, browser: Browser) {
    this.page = page
    this.server = server
    this.#browser = browser
  }

  static async start(options: WorkbenchOptions = {}): Promise<Workbench> {
    const server = await startServer(options)
    let browser: Browser | undefined
    try {
      browser = await launchBrowser()
      const context = await loopbackContext(browser, { viewport: options.viewport ?? { width: 1440, height: 900 } })
      await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      const page = await openWorkbench(context, server, options)
      return new Workbench(page, server, browser)
    } catch (error) {
      await browser?.close()
      await server.stop()
      throw error
    }
  }

  /** Runs a command by its title in the palette, as "Plumbline: Open Bundle…". */
  async runCommand(title: string, timeout = 20_000): Promise<void> {
    const end = Date.now() + timeout
    // An open palette doesn't hear of commands registered meanwhile: open it again until the extension is there.
    for (;;) {
      await this.page.keyboard.press('F1')
      await this.page.locator('.quick-input-widget input.input').fill(`>${title}`)
      try {
        return await this.pick(title, 1500)
      } catch (error) {
        if (Date.now() > end) throw error
        await this.page.keyboard.press('Escape')
      }
    }
  }

  /** Chooses an entry of the open quick pick by its label. */
  async pick(label: string, timeout = 20_000): Promise<void> {
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: label }).first().click({ timeout })
  }

  /** Types a label into the open quick pick and chooses the entry of just that label: one's name may begin another's. */
  async choose(label: string): Promise<void> {
    const rows = this.page.locator('.quick-input-list .monaco-list-row')
    await rows.first().waitFor()
    await this.page.locator('.quick-input-widget input.input').fill(label)
    // The list is filtered a moment later, and rows move under the pointer.
    await this.page.waitForTimeout(400)
    await rows
      .filter({ has: this.page.getByText(label, { exact: true }) })
      .first()
      .click()
  }

  /** The notification with that text, in the open list of notifications: test drivers see none appear by themselves. */
  async notification(text: string, timeout = 20_000): Promise<Locator> {
    const found = this.page.locator('.notifications-center .notification-list-item').filter({ hasText: text })
    await this.runCommand('Notifications: Show Notifications')
    await found.first().waitFor({ timeout })
    return found.first()
  }

  /** Chooses a path in the open file dialog of that title. */
  async choosePath(title: string, path: string): Promise<void> {
    const dialog = this.page
      .locator('.quick-input-widget')
      .filter({ has: this.page.locator('.quick-input-title', { hasText: title }) })
    const input = dialog.locator('input.input')
    // The dialog lists its first folder late, and writes that over what was typed; and it looks a typed path up before OK means
    // it. A person sees both and types again.
    for (let tries = 0; tries < 10; tries++) {
      await input.fill(path)
      await this.page.waitForTimeout(1000)
      if ((await input.inputValue()) !== path) continue
      await dialog.getByRole('button', { name: /^(OK|Open)$/ }).click()
      const closed = await input.waitFor({ state: 'hidden', timeout: 3000 }).then(
        () => true,
        () => false,
      )
      if (closed) return
    }
    throw new Error(`the dialog "${title}" does not take ${path}`)
  }

  /** Copies a bundle into the open folder, and opens it as a person does. */
  async openBundle(file: string): Promise<void> {
    const path = join(this.server.folder, basename(file))
    await cp(file, path)
    await this.showContainer('Plumbline')
    await this.runCommand('Plumbline: Open Bundle…')
    await this.pick('Archive…')
    await this.choosePath('Open Bundle', path)
  }

  /** Shows a view container of the activity bar. */
  async showContainer(name: string): Promise<void> {
    const tab = this.page.locator('.activitybar').getByRole('tab', { name: new RegExp(`^${name}`) })
    if ((await tab.getAttribute('aria-selected')) !== 'true') await tab.click()
  }

  /** Unfolds rows of a tree view one in the other. */
  async unfold(...labels: string[]): Promise<void> {
    for (const label of labels) {
      const row = this.page
        .locator('.monaco-list-row[role="treeitem"]')
        .filter({ has: this.page.locator('.label-name').getByText(label, { exact: true }) })
        .first()
      if ((await row.getAttribute('aria-expanded')) !== 'true') await row.click()
      // A row's tooltip would cover the next ones.
      await this.page.mouse.move(720, 500)
      await row.and(this.page.locator('[aria-expanded="true"]')).waitFor()
    }
  }

  /** The row of a tree view by its label. */
  treeItem(label: string): Locator {
    return this.page.locator('.monaco-list-row[role="treeitem"]').filter({ hasText: label }).first()
  }

  /** The document inside the webview whose content matches `selector`: two frames deep. */
  async webview(selector: string, timeout = 20_000): Promise<Frame> {
    const end = Date.now() + timeout
    while (Date.now() < end) {
      for (const frame of this.page.frames()) {
        const inside = frame.parentFrame() !== this.page.mainFrame() && frame.parentFrame() !== null
        if (
          inside &&
          (await frame
            .locator(selector)
            .count()
            .catch(() => 0)) > 0
        )
          return frame
      }
      await this.page.waitForTimeout(100)
    }
    throw new Error(
      `no webview shows ${selector}; frames: ${this.page
        .frames()
        .map((frame) => frame.url().slice(0, 80))
        .join(', ')}`,
    )
  }

  async setTheme(theme: ThemeName): Promise<void> {
    await this.runCommand('Preferences: Color Theme')
    await this.page.locator('.quick-input-widget input.input').fill(THEMES[theme].label)
    await this.pick(THEMES[theme].label)
    await this.page.locator(`.monaco-workbench.${THEMES[theme].workbench}`).waitFor()
    // Webviews hear of it a message later.
    await this.page.waitForTimeout(300)
  }

  /** Writes out/screenshots/NAME.png; `of` narrows it to an element. */
  async screenshot(name: string, of?: Locator): Promise<string> {
    const path = await screenshotPath(name)
    await (of ?? this.page).screenshot({ path, animations: 'disabled' })
    return path
  }

  async close(): Promise<void> {
    await this.#browser.close()
    await this.server.stop()
  }
}

export async function screenshotPath(name: string): Promise<string> {
  const folder = resolve('out/screenshots')
  await mkdir(folder, { recursive: true })
  return join(folder, `${name}.png`)
}

export async function openWorkbench(context: BrowserContext, server: VsCodeServer, options: WorkbenchOptions): Promise<Page> {
  const page = await context.newPage()
  const payload: [string, string][] = [['skipWelcome', 'true']]
  if (options.extensionFolder) payload.push(['extensionDevelopmentPath', remoteUri(server, options.extensionFolder)])
  if (options.file) payload.push(['openFile', remoteUri(server, options.file)])
  await page.goto(workbenchUrl(server, options.open ?? server.folder, payload))
  await page.locator('.monaco-workbench .part.statusbar .statusbar-item').first().waitFor({ timeout: 60_000 })
  return page
}

export function workbenchUrl(server: VsCodeServer, folder: string, payload: readonly (readonly [string, string])[]): string {
  const url = new URL(`http://${server.authority}/`)
  url.searchParams.set('folder', resolve(folder))
  url.searchParams.set('payload', JSON.stringify(payload))
  return url.href
}

export function remoteUri(server: VsCodeServer, path: string): string {
  return `vscode-remote://${server.authority}${resolve(path)}`
}
