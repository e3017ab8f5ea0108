// SPDX-License-Identifier: Apache-2.0

/** Maps as they may come: of unknown versions, cut off, of odd sizes, with types that are none. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CILIUM_LAYOUTS } from './cilium.ts'
import { datalessTitle } from './ciliumMaps.ts'
import { describe } from './describe.ts'
import { findLayout, isOfUnknownVersion, versionsOf } from './find.ts'
import type { MapLayout } from './layout.ts'
import { type MapTable, tableOf } from './table.ts'

const nameOf = (layout: MapLayout) => (layout.prefix === true ? `${layout.name}00042` : layout.name)
const layouts = fc.constantFrom(...CILIUM_LAYOUTS)
const sizes = fc.nat(96)

/** Reads everything a view may read. */
function readAll(table: MapTable): void {
  for (let row = 0; row < table.count; row++) {
    table.raw(row)
    for (const column of table.columns) {
      const cell = column.cell(row)
      assert.equal(typeof cell.text, 'string')
      assert.equal(cell.value, column.value(row))
    }
  }
}

test("any bytes of any of Cilium's maps make a table", () => {
  const shapes = fc.record({ layout: layouts, bytes: fc.uint8Array({ maxLength: 600 }), cpus: fc.integer({ min: 1, max: 4 }) })
  fc.assert(
    fc.property(shapes, ({ layout, bytes, cpus }) => {
      const { keySize, valueSize, perCpu = false } = layout
      const table = tableOf({ name: nameOf(layout), keySize, valueSize, perCpu, valuesPerEntry: perCpu ? cpus : 1 }, bytes)
      assert.equal(table.by, 'layout')
      assert.equal(table.unknownVersion, false)
      const stride = perCpu ? keySize + cpus * ((valueSize + 7) & ~7) : keySize + valueSize
      assert.deepEqual([table.count, table.leftOver], [Math.floor(bytes.length / stride), bytes.length % stride])
      readAll(table)
    }),
    { numRuns: 500 },
  )
})

test('sizes that no release has are said to be of an unknown version, and shown as bytes', () => {
  fc.assert(
    fc.property(layouts, sizes, sizes, fc.uint8Array({ maxLength: 300 }), (layout, keySize, valueSize, bytes) => {
      const map = { name: nameOf(layout), keySize, valueSize }
      const table = tableOf({ ...map, perCpu: false, valuesPerEntry: 1 }, bytes)
      assert.equal(table.unknownVersion, findLayout(map) === undefined)
      assert.equal(isOfUnknownVersion(map), table.unknownVersion)
      if (table.unknownVersion) assert.equal(table.by, 'raw')
      readAll(table)
    }),
    { numRuns: 500 },
  )
})

test('types that are none, or larger than the map, are left aside', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), sizes, fc.uint8Array({ maxLength: 100 }), (btf, size, bytes) => {
      const types = { btf, key: 1, value: 2 }
      readAll(tableOf({ name: 'mine', keySize: size, valueSize: size, perCpu: false, valuesPerEntry: 1, types }, bytes))
    }),
  )
})

test('releases that differ in nothing but what the bytes mean are told apart by the other maps of the node', () => {
  const throttle = { name: 'cilium_throttle', keySize: 8, valueSize: 56 }
  const policy = { name: 'cilium_policy_v2_00042', keySize: 12, valueSize: 24 }
  assert.deepEqual(versionsOf([throttle, policy]), { first: 17, last: 17 })
  const fields = (versions?: { first: number; last: number }) => findLayout(throttle, versions)?.key.map(({ type }) => type)
  assert.deepEqual(fields(versionsOf([throttle, policy])), ['u64'])
  assert.deepEqual(fields(), ['u32', 'u8'], 'the newest, when nothing tells')
  const newer = { name: 'cilium_policy_v3_00042', keySize: 12, valueSize: 12 }
  assert.equal(versionsOf([policy, newer]), undefined, 'maps of two releases tell nothing')
  assert.equal(versionsOf([{ name: 'mine', keySize: 4, valueSize: 4 }]), undefined)
})

test('a Maglev table has as many backends as its size says, wherever it is found', () => {
  const map = { name: 'cilium_maglev_i', keySize: 4, valueSize: 16, perCpu: false, valuesPerEntry: 1 }
  const table = tableOf(map, Uint8Array.of(...[0, 0, 0, 0], ...[7, 0, 0, 0], ...[3, 0, 0, 0], ...[7, 0, 0, 0], ...[7, 0, 0, 0]))
  assert.equal(table.layout?.title, 'Maglev table of a service')
  assert.equal(table.columns.at(-1)?.cell(0).text, '7 (3 of 4), 3 (1 of 4)')
  assert.equal(findLayout({ name: 'cilium_maglev_i', keySize: 4, valueSize: 0 }), undefined)
})

test('maps without data say what they are', () => {
  for (const name of ['cilium_calls_00284', 'cilium_calls_netdev_00002', 'cilium_call_policy', 'cilium_events', 'cilium_signals'])
    assert.notEqual(datalessTitle(name), undefined, name)
  for (const { name } of CILIUM_LAYOUTS) assert.equal(datalessTitle(name), undefined, name)
})

test('networks are told by what their keys have before the address', () => {
  const told = (name: string, key: readonly number[], value: readonly number[]) => {
    const table = tableOf(
      { name, keySize: key.length, valueSize: value.length, perCpu: false, valuesPerEntry: 1 },
      Uint8Array.of(...key, ...value),
    )
    return describe(table)?.text(0)
  }
  assert.equal(told('cilium_cidr_v4_fix', [8, 0, 0, 0, 10, 0, 0, 0], [0]), '10.0.0.0/8')
  assert.equal(told('cilium_ipmasq_v4', [12, 0, 0, 0, 172, 16, 0, 0], [0]), '172.16.0.0/12')
  assert.equal(told('cilium_lb4_source_range', [56, 0, 0, 0, 0, 7, 0, 0, 10, 1, 2, 0], [0]), '10.1.2.0/24')
})
