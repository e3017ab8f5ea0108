// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fraction, percent, share } from './fraction.ts'

test('what kube-proxy writes for three backends reads as thirds', () => {
  const first = 0.33333333349
  const second = (1 - first) * 0.5
  assert.equal(fraction(first), '⅓')
  assert.equal(fraction(second), '⅓')
  assert.equal(fraction(1 - first - second), '⅓')
})

test('fractions without a glyph of their own are written out, in lowest terms', () => {
  assert.equal(fraction(6 / 28), '3/14')
  assert.equal(fraction(1), '1')
  assert.equal(fraction(0), '0')
  assert.equal(fraction(Math.PI / 4), null)
})

test('percentages never round to certainty', () => {
  assert.equal(percent(1 / 3), '33.3 %')
  assert.equal(percent(0.5), '50 %')
  assert.equal(percent(0.0001), '< 0.1 %')
  assert.equal(percent(0.9999), '> 99.9 %')
  assert.equal(percent(1), '100 %')
})

test('only what is not exact gets the mark for it', () => {
  assert.equal(share(0.25), '¼')
  assert.equal(share(Math.PI / 4), '≈ 78.5 %')
  assert.equal(share(null), '?')
})

test('every fraction of up to 200 parts survives a 31-bit fixed point, as iptables stores it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 200 }), (parts) => {
      const stored = Math.floor((1 / parts) * 2 ** 31) / 2 ** 31
      const text = fraction(stored)
      assert.ok(text !== null)
      assert.equal(fraction(1 / parts), text)
    }),
  )
})
