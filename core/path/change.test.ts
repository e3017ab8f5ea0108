// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf } from './change.ts'

test('a translation is told as the end that it changed', () => {
  assert.deepEqual(changesOf({ before: '10.0.0.1:4000 -> 10.96.0.1:80', after: '10.0.0.1:4000 -> 10.0.1.9:8080' }), [
    { part: 'destination', before: '10.96.0.1:80', after: '10.0.1.9:8080' },
  ])
  assert.deepEqual(changesOf({ before: 'a -> b', after: 'c -> d' }), [
    { part: 'source', before: 'a', after: 'c' },
    { part: 'destination', before: 'b', after: 'd' },
  ])
})

test('anything else is told whole', () => {
  assert.deepEqual(changesOf({ before: null, after: 'mark 0x4000' }), [{ part: null, before: null, after: 'mark 0x4000' }])
  assert.deepEqual(changesOf({ before: 'a -> b -> c', after: 'a -> b' }), [
    { part: null, before: 'a -> b -> c', after: 'a -> b' },
  ])
})

test('nothing changed', () => {
  assert.deepEqual(changesOf({ before: 'a -> b', after: 'a -> b' }), [])
  assert.deepEqual(changesOf({ before: 'a', after: null }), [])
})
