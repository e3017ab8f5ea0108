// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { splitWords } from './tokens.ts'

/** As xtables_save_string writes a word. */
function quote(word: string): string {
  return /^[\w./:-]+$/.test(word) ? word : `"${word.replaceAll(/(["'\\])/g, '\\$1')}"`
}

it('words are read back as iptables-save quotes them', () => {
  fc.assert(
    fc.property(fc.array(fc.string().filter((word) => !word.includes('\n'))), (words) => {
      const text = words.map(quote).join(' ')
      assert.deepEqual(splitWords(text, 0, text.length).words, words)
    }),
  )
})
