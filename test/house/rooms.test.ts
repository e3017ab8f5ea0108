// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, test } from 'node:test'

const biome = resolve('node_modules/.bin/biome')
const house = mkdtempSync(join(tmpdir(), 'plumbline-rooms-'))
after(() => rmSync(house, { recursive: true }))

const { vcs: _, ...config } = JSON.parse(readFileSync('biome.json', 'utf8')) as Record<string, unknown>
writeFileSync(join(house, 'biome.json'), JSON.stringify(config))

/** What the lint says about code, were it in that file. */
function lint(file: string, code: string): string {
  mkdirSync(join(house, dirname(file)), { recursive: true })
  writeFileSync(join(house, file), code)
  const { stdout, stderr } = spawnSync(biome, ['lint', '--colors=off', file], { cwd: house, encoding: 'utf8' })
  return stdout + stderr
}

const forbidden: readonly (readonly [file: string, module: string])[] = [
  ['core/path/x.ts', 'vscode'],
  ['core/path/x.ts', 'node:fs'],
  ['core/path/x.ts', '../../src/extension.ts'],
  ['core/path/x.ts', '../../cluster/errors.ts'],
  ['cluster/x.ts', 'vscode'],
  ['cluster/x.ts', '../src/extension.ts'],
  ['cli/x.ts', 'vscode'],
  ['cli/x.ts', '../src/extension.ts'],
  ['server/x.ts', '../src/extension.ts'],
  ['media/trace/x.ts', 'vscode'],
  ['media/trace/x.ts', 'node:fs'],
  ['media/trace/x.ts', '../../cluster/errors.ts'],
  ['protocol/x.ts', '../src/extension.ts'],
  ['src/x.ts', '../media/trace/trace.ts'],
]

for (const [file, module] of forbidden) {
  test(`${file} may not import ${module}`, () => {
    assert.match(lint(file, `import { x } from '${module}'\n\nexport const y = x\n`), /noRestrictedImports/)
  })
}

test('what the rooms may import is accepted', () => {
  for (const [file, module] of [
    ['core/path/x.ts', '../net/packet.ts'],
    ['cli/x.ts', '../core/net/packet.ts'],
    ['src/x.ts', 'vscode'],
    ['cluster/x.ts', 'node:fs'],
  ] as const) {
    assert.doesNotMatch(lint(file, `import { x } from '${module}'\n\nexport const y = x\n`), /noRestrictedImports/)
  }
})
