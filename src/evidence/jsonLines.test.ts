// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonLines } from './jsonLines.ts'

test('prints what JSON.stringify prints', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.equal(jsonLines(value, '').text, JSON.stringify(value, null, 2))))
})

test('finds the line of a pointer, or of its nearest parent', () => {
  const value = { a: [{ b: 1 }, { 'x/y': 2 }], ab: 3 }
  const lineOf = (pointer: string) => {
    const { text, line } = jsonLines(value, pointer)
    return text.split('\n')[line]?.trim()
  }
  assert.equal(lineOf('/a/0/b'), '"b": 1')
  assert.equal(lineOf('/a/1/x~1y'), '"x/y": 2')
  assert.equal(lineOf('/ab'), '"ab": 3')
  assert.equal(lineOf('/a/7/b'), '"a": [')
  assert.equal(lineOf(''), '{')
})
