// SPDX-License-Identifier: Apache-2.0

/**
 * Writes test/ui/themes/NAME.json from the real workbench: the variables VS Code gives a webview under each colour theme, those
 * of them that the built panels use. Tests of single panels paint with these. Run it again when the panels use new ones:
 * `node test/ui/harness/captureThemes.ts` (a test says so).
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { themeFile, usedVariables } from './panel.ts'
import { THEME_NAMES, Workbench } from './workbench.ts'

const MANIFEST = {
  name: 'theme-probe',
  publisher: 'plumbline',
  version: '0.0.0',
  engines: { vscode: '^1.101.0' },
  main: './main.cjs',
  contributes: { commands: [{ command: 'themeProbe.open', title: 'Open', category: 'Theme Probe' }] },
}

const MAIN = `
const vscode = require('vscode')
exports.activate = (context) => context.subscriptions.push(vscode.commands.registerCommand('themeProbe.open', () => {
  vscode.window.createWebviewPanel('themeProbe', 'Theme Probe', vscode.ViewColumn.One).webview.html = '<h1 id="probe">Probe</h1>'
}))
`

const READ = `({
  kind: document.body.className,
  all: Object.fromEntries(
    [...document.documentElement.style].filter((name) => name.startsWith('--vscode-'))
      .map((name) => [name, document.documentElement.style.getPropertyValue(name)]),
  ),
})`

const folder = await mkdtemp(join(tmpdir(), 'plumbline-probe-'))
try {
  await writeFile(join(folder, 'package.json'), JSON.stringify(MANIFEST))
  await writeFile(join(folder, 'main.cjs'), MAIN)
  const workbench = await Workbench.start({ extensionFolder: folder })
  try {
    await workbench.runCommand('Theme Probe: Open')
    const frame = await workbench.webview('#probe')
    for (const theme of THEME_NAMES) {
      await workbench.setTheme(theme)
      const { kind, all } = await frame.evaluate<{ kind: string; all: Record<string, string> }>(READ)
      const used = await usedVariables()
      const variables = Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)))
      await mkdir(join(themeFile(theme), '..'), { recursive: true })
      await writeFile(themeFile(theme), `${JSON.stringify({ bodyClass: kind.split(' ')[0], variables }, null, 2)}\n`)
    }
  } finally {
    await workbench.close()
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
