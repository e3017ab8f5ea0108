// SPDX-License-Identifier: Apache-2.0

/** What docs/half-migrated.md says that `plumbline` prints is what it prints. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { plumbline } from '../test/support/cli.ts'

const PAGE = new URL('../docs/half-migrated.md', import.meta.url)
/** A command, and the block of output after it, which may leave the packet's way out. */
const EXAMPLE = /```\nplumbline (trace [^\n]+)\n```\n\n```\n([^`]+)\n```/g

const examples = [...readFileSync(PAGE, 'utf8').matchAll(EXAMPLE)].map(([, command = '', output = '']) => ({ command, output }))

test('the page has its examples', () => {
  assert.equal(examples.length, 4)
})

for (const { command, output } of examples) {
  test(`plumbline ${command}`, async () => {
    const { code, stdout } = await plumbline(command.split(' '))
    assert.equal(code, 0)
    assert.equal(stdout.slice(0, output.length), output)
    assert.match(stdout.slice(output.length), /^\n($|\nThe way)/)
  })
}
