// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAllDocuments } from 'yaml'
import { splitDocuments } from './yamlDocuments.ts'

test('splits at document markers and keeps line numbers', () => {
  const parts = splitDocuments('a: 1\n---\nb: 2\nc: 3\n...\n---\n\n---\nd: 4\n')
  assert.deepEqual(
    parts.map(({ startLine, endLine }) => [startLine, endLine]),
    [
      [0, 0],
      [2, 3],
      [8, 9],
    ],
  )
})

test('a marker inside a block scalar is content', () => {
  assert.equal(splitDocuments('a: |\n  ---\n  text\nb: 1\n').length, 1)
})

test('agrees with a YAML parser on the number and content of documents', () => {
  const value = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.oneof(fc.integer(), fc.stringMatching(/^[a-z ]{0,12}$/)), {
    minKeys: 1,
    maxKeys: 4,
  })
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 6 }), (values) => {
      const stream = values
        .map((entry) =>
          Object.entries(entry)
            .map(([key, item]) => `${key}: ${JSON.stringify(item)}`)
            .join('\n'),
        )
        .join('\n---\n')
      const expected = parseAllDocuments(stream)
      assert.ok(Array.isArray(expected))
      const actual = splitDocuments(stream)
      assert.equal(actual.length, expected.length)
      for (const [index, part] of actual.entries()) {
        assert.deepEqual(parseAllDocuments(part.text)[0]?.toJS(), expected[index]?.toJS())
      }
    }),
  )
})
