// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { plumbline } from '../test/support/cli.ts'
import { COMMANDS } from './commands.ts'
import { optionsOf } from './command.ts'
import { parseOptions } from './options.ts'

const TEXT = readFileSync('docs/cli.md', 'utf8')
const examples = [...TEXT.matchAll(/^```\nplumbline (.+)\n```$/gm)].map((match) => (match[1] ?? '').split(' '))

test('the reference names every command and every option', () => {
  for (const command of COMMANDS) {
    assert.ok(TEXT.includes(`plumbline ${command.name} `), command.name)
    for (const { name } of optionsOf(command)) assert.match(TEXT, new RegExp(`--${name}\\b`))
  }
})

test('every example is a command line that is understood', () => {
  assert.ok(examples.length >= 10)
  for (const [name, ...rest] of examples) {
    const command = COMMANDS.find((each) => each.name === name)
    assert.ok(command !== undefined, name)
    parseOptions(rest, optionsOf(command))
  }
})

const offline = examples.filter(
  (words) =>
    words[0] === 'trace' && words.every((word) => !word.startsWith('test/') || existsSync(word)) && !words.includes('--context'),
)

for (const words of offline) {
  test(`example: plumbline ${words.join(' ')}`, async () => {
    const { code, stdout, stderr } = await plumbline(words)
    assert.equal(code, 0, stderr)
    assert.notEqual(stdout, '')
  })
}
