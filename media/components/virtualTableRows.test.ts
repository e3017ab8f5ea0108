// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Row } from './virtualTableData.ts'
import { RowCache } from './virtualTableRows.ts'

const rowsOf = (from: number, to: number, mark = ''): Row[] =>
  Array.from({ length: to - from }, (_, index) => ({ cells: [`${from + index}${mark}`] }))

interface Call {
  readonly from: number
  readonly to: number
  readonly signal: AbortSignal
  readonly answer: (rows: readonly Row[]) => Promise<void>
}

/** A cache whose source answers when the test says so. */
function slow() {
  const calls: Call[] = []
  let told = 0
  const cache = new RowCache(() => {
    told++
  })
  cache.source = (from, to, signal) =>
    new Promise((resolve) => {
      const answer = async (rows: readonly Row[]) => {
        resolve(rows)
        await new Promise(setImmediate)
      }
      calls.push({ from, to, signal, answer })
    })
  return { cache, calls, told: () => told }
}

const text = (cache: RowCache, index: number) => cache.row(index)?.cells[0]

describe('rows at hand', () => {
  test('what is in sight is asked for once, in one stretch', async () => {
    const { cache, calls, told } = slow()
    cache.need(100, 140, 0, 1000)
    cache.need(101, 141, 0, 1000)
    assert.deepEqual(
      calls.map(({ from, to }) => [from, to]),
      [[64, 192]],
    )
    assert.equal(cache.row(100), undefined)
    await calls[0]?.answer(rowsOf(64, 192))
    assert.equal(text(cache, 100), '100')
    assert.equal(told(), 1)
    cache.need(102, 142, 0, 1000)
    assert.equal(calls.length, 1)
  })

  test('what is out of sight again is given up', () => {
    const { cache, calls } = slow()
    cache.need(0, 40, 0, 1_000_000)
    cache.need(900_000, 900_040, 0, 1_000_000)
    assert.ok(calls[0]?.signal.aborted)
    assert.equal(calls[1]?.from, 899_968)
  })

  test('rows of an older version are shown until the newer ones come', async () => {
    const { cache, calls } = slow()
    cache.need(0, 40, 0, 64)
    await calls[0]?.answer(rowsOf(0, 64))
    cache.invalidate()
    assert.equal(text(cache, 5), '5')
    cache.need(0, 40, 0, 64)
    await calls[1]?.answer(rowsOf(0, 64, ' new'))
    assert.equal(text(cache, 5), '5 new')
    cache.invalidate(true)
    assert.equal(cache.row(5), undefined)
  })

  test('an answer of before a change does not count as one of after it', async () => {
    const { cache, calls } = slow()
    cache.need(0, 40, 0, 64)
    cache.invalidate()
    await calls[0]?.answer(rowsOf(0, 64, ' old'))
    cache.need(0, 40, 0, 64)
    assert.equal(calls.length, 2)
  })

  test('a growing end is asked for again; rows that are gone are not', async () => {
    const { cache, calls } = slow()
    cache.need(0, 10, 0, 10)
    await calls[0]?.answer(rowsOf(0, 10))
    cache.need(0, 20, 0, 20)
    assert.equal(calls.length, 2)
    await calls[1]?.answer(rowsOf(0, 15))
    cache.need(0, 20, 0, 20)
    assert.equal(calls.length, 2)
    assert.equal(cache.row(17), undefined)
  })

  test('rows that come unasked are taken where they leave no gap', () => {
    const { cache, calls } = slow()
    cache.provide(0, rowsOf(0, 64))
    cache.provide(70, rowsOf(70, 140))
    cache.need(0, 40, 0, 140)
    assert.equal(calls.length, 0)
    assert.equal(text(cache, 10), '10')
    assert.equal(cache.row(80), undefined)
    assert.equal(text(cache, 130), '130')
  })

  test('the first rows that still are may lie within a block', async () => {
    const { cache, calls } = slow()
    cache.need(100, 140, 100, 1000)
    assert.equal(calls[0]?.from, 100)
    await calls[0]?.answer(rowsOf(100, 192))
    assert.equal(text(cache, 100), '100')
    assert.equal(text(cache, 140), '140')
  })

  test('only some of the rows ever seen are kept', () => {
    const cache = new RowCache(() => {})
    cache.source = (from, to) => rowsOf(from, to)
    for (let at = 0; at < 100_000; at += 40) cache.need(at, at + 40, 0, 100_000)
    assert.equal(cache.row(0), undefined)
    assert.equal(text(cache, 99_999), '99999')
  })
})
