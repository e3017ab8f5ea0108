// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MAX_SPACE_PX, ScrollModel } from './virtualTableScroll.ts'

const ROW = 22

function model(count: number, viewport = 440): ScrollModel {
  const made = new ScrollModel(ROW)
  made.viewport = viewport
  made.resize(0, count, false)
  return made
}

describe('where a table is scrolled to', () => {
  test('a pixel of the scroll bar is a pixel of rows, while an element can be that high', () => {
    const made = model(10_000)
    made.scrollTop = 22 * 100 + 11
    assert.equal(made.top, 100.5)
    assert.equal(made.scaled, false)
  })

  test('any row can be reached and stays put, in tables higher than an element can be', () => {
    const made = model(5_000_000)
    assert.equal(made.space, MAX_SPACE_PX)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_999_980 }), (row) => {
        made.top = row
        const { scrollTop } = made
        assert.ok(scrollTop >= 0 && scrollTop <= made.space - made.viewport)
        made.scrollTop = scrollTop
        assert.ok(Math.abs(made.top - row) < 1e-3)
      }),
    )
    made.top = 5_000_000
    assert.deepEqual(made.window, [4_999_980, 5_000_000])
  })

  test('rows that come at the end don’t move what is in sight; followed, the end stays in sight', () => {
    const made = model(1000)
    made.top = 300.25
    made.resize(0, 2000, false)
    assert.equal(made.top, 300.25)
    made.resize(0, 2000, true)
    assert.equal(made.top, 1980)
    assert.ok(made.atEnd)
  })

  test('rows that go at the start don’t move what is in sight, until they are it', () => {
    const made = model(1000)
    made.top = 300
    made.resize(200, 1000, false)
    assert.equal(made.top, 300)
    assert.equal(made.scrollTop, 100 * ROW)
    made.resize(400, 1000, false)
    assert.equal(made.top, 400)
  })

  test('shows a row by scrolling no further than it must', () => {
    const made = model(1000)
    made.top = 100
    made.reveal(110)
    assert.equal(made.top, 100)
    made.reveal(120)
    assert.equal(made.top, 101)
    made.reveal(50)
    assert.equal(made.top, 50)
  })

  test('fewer rows than fit are all in sight', () => {
    const made = model(3)
    assert.deepEqual(made.window, [0, 3])
    assert.equal(made.scrollTop, 0)
    made.top = 2
    assert.equal(made.top, 0)
  })
})
