// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress } from '../../net/address.ts'
import { orderRows } from './entryOrder.ts'
import { EntryStore } from './entryStore.ts'
import { parseFilter } from './filter.ts'
import type { MapShape } from './table.ts'

const RAW: MapShape = { name: 'anything', keySize: 4, valueSize: 8, valuesPerEntry: 1, perCpu: false }
const BACKENDS: MapShape = { name: 'cilium_lb4_backends_v3', keySize: 4, valueSize: 12, valuesPerEntry: 1, perCpu: false }
const noPause = async () => {}

function entry(key: number, value: bigint): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, key, true)
  view.setBigUint64(4, value, true)
  return bytes
}

function backend(id: number, address: number, port: number): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, id, true)
  view.setUint32(4, address)
  view.setUint16(8, port)
  return bytes
}

const contents = (store: EntryStore) => {
  const found = new Map<number, bigint>()
  for (let row = 0; row < store.end; row++) {
    if (!store.has(row)) continue
    const view = new DataView(store.raw(row).slice().buffer)
    found.set(view.getUint32(0, true), view.getBigUint64(4, true))
  }
  return found
}

test('a store holds what a map of the same keys would, whatever comes and goes', () => {
  const change = fc.record({ key: fc.nat(60), value: fc.nat(1000), remove: fc.boolean() })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 400 }), (changes) => {
      const store = new EntryStore(RAW)
      const model = new Map<number, bigint>()
      for (const { key, value, remove } of changes) {
        const bytes = entry(key, BigInt(value))
        if (remove) {
          store.remove(store.find(bytes.subarray(0, 4)))
          model.delete(key)
        } else {
          store.put(bytes)
          model.set(key, BigInt(value))
        }
      }
      assert.equal(store.count, model.size)
      assert.deepEqual(new Map([...contents(store)].sort()), new Map([...model].sort()))
    }),
  )
})

test('many entries in several pages are found again, and their rows are told new or known', () => {
  const store = new EntryStore(RAW)
  const all = new Uint8Array(12 * 30_000)
  for (let key = 0; key < 30_000; key++) all.set(entry(key * 7919, BigInt(key)), 12 * key)
  const told: boolean[] = []
  store.put(all, (_, isNew) => told.push(isNew))
  store.put(all.subarray(0, 24), (_, isNew) => told.push(isNew))
  assert.equal(store.count, 30_000)
  assert.deepEqual([told.filter(Boolean).length, told.slice(-2)], [30_000, [false, false]])
  const row = store.find(entry(29_999 * 7919, 0n).subarray(0, 4))
  const { table, row: inTable } = store.locate(row)
  assert.equal(table.columns.find(({ name }) => name === 'valueNumber')?.cell(inTable).value, 29_999n)
  assert.equal(store.find(entry(3, 0n).subarray(0, 4)), -1)
})

test('bytes that are no whole entries are refused with both sizes', () => {
  assert.throws(() => new EntryStore(RAW).put(new Uint8Array(13)), /13 bytes are not a whole number of entries of 12 bytes/)
})

test('rows are filtered and sorted as the same entries are by hand', async () => {
  const row = fc.record({ address: fc.nat(0xffffffff), port: fc.nat(0xffff) })
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 300 }), fc.boolean(), fc.nat(0xffff), async (list, descending, port) => {
      const store = new EntryStore(BACKENDS)
      for (const [id, { address, port: own }] of list.entries()) store.put(backend(id, address, own))
      const column = store.empty().columns.findIndex(({ name }) => name === 'address')
      const filter = parseFilter(`port>=${port}`)
      const rows = await orderRows(store, { filter, sort: { column, descending } }, noPause)
      const got = Array.from(rows, (each) => {
        const { table, row: inTable } = store.locate(each)
        return table.columns[column]?.cell(inTable).text
      })
      const wanted = list
        .filter((each) => each.port >= port)
        .map(({ address }) => address)
        .sort((a, b) => (descending ? b - a : a - b))
      assert.deepEqual(
        got,
        wanted.map((value) => formatAddress({ family: 4, value })),
      )
    }),
    { numRuns: 30 },
  )
})

test('sorting more than one run keeps equal ones in their order, and can be given up', async () => {
  const store = new EntryStore(RAW)
  const all = new Uint8Array(12 * 40_000)
  for (let key = 0; key < 40_000; key++) all.set(entry(key, BigInt((key * 31) % 7)), 12 * key)
  store.put(all)
  const column = store.empty().columns.findIndex(({ name }) => name === 'valueNumber')
  const rows = await orderRows(store, { filter: undefined, sort: { column, descending: false } }, noPause)
  const got = Array.from(rows, (row) => [((row * 31) % 7) as number, row] as const)
  for (const [at, [value, row]] of got.entries()) {
    const [before, rowBefore] = got[at - 1] ?? [-1, -1]
    assert.ok(before < value || (before === value && rowBefore < row), `row ${row} at ${at}`)
  }
  let pauses = 0
  const giveUp = async () => {
    if (++pauses > 2) throw new Error('given up')
  }
  await assert.rejects(orderRows(store, { filter: undefined, sort: { column, descending: false } }, giveUp), /given up/)
})
