// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { printable, printableLines } from './printable.ts'
import { didYouMean, suggest } from './suggest.ts'

test('control characters and marks that reorder text become visible', () => {
  assert.equal(printable('a\u001b[31mb\n\t\r\u0007\u009b'), 'a\\x1b[31mb\\n\\t\\r\\x07\\x9b')
  assert.equal(printable('user\u202etxt.exe \u2066x\u200b'), 'user\\u202etxt.exe \\u2066x\\u200b')
  assert.equal(printable('lone \ud800 surrogate, whole \u{1f600}'), 'lone \\ud800 surrogate, whole \u{1f600}')
  assert.equal(printable('Grüße, 世界'), 'Grüße, 世界')
  assert.equal(printableLines('a\nb\u0000'), 'a\nb\\x00')
})

test('what is printable stays so', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = printable(text)
      assert.doesNotMatch(shown, /\p{Cc}|[\u202a-\u202e\u2066-\u2069\u2028\u2029]/u)
      assert.equal(printable(shown), shown)
    }),
  )
})

test('near names are suggested, nearest first, far ones are not', () => {
  const options = ['--from', '--to', '--json', '--iptables-save', '--ipset']
  assert.deepEqual(suggest('--fro', options), ['--from'])
  assert.deepEqual(suggest('--form', options)[0], '--from')
  assert.deepEqual(suggest('--iptables', options)[0], '--iptables-save')
  assert.deepEqual(suggest('--completely-else', options), [])
  assert.equal(didYouMean('trcae', ['trace', 'snapshot']), '; did you mean `trace`?')
  assert.equal(didYouMean('web', ['web-1', 'web-2']), '; did you mean `web-1` or `web-2`?')
  assert.equal(didYouMean('x', ['entirely-different']), '')
})
