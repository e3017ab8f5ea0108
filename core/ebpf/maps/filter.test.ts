// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CILIUM_LAYOUTS } from './cilium.ts'
import { byteFilters } from './filterBytes.ts'
import { FilterError } from '../../text/filterError.ts'
import { compileFilter, parseFilter } from './filter.ts'
import { tableOf } from './table.ts'
import { uncross } from './tuple.ts'

const SERVICES = { name: 'cilium_lb4_services_v2', keySize: 12, valueSize: 12, valuesPerEntry: 1, perCpu: false }

/** An entry: address, port, slot, protocol; backend, revNat, flags. */
function entry(address: readonly number[], port: number, slot: number, flags = 0): readonly number[] {
  return [...address, port >> 8, port & 255, slot, 0, 6, 0, 0, 0, ...[7, 0, 0, 0, 1, 0, 0, 9, flags, 0, 0, 0]]
}

const TABLE = tableOf(
  SERVICES,
  Uint8Array.from([
    ...entry([10, 96, 0, 20], 80, 0),
    ...entry([10, 96, 0, 20], 443, 1, 2),
    ...entry([10, 97, 0, 1], 80, 2),
    ...entry([192, 0, 2, 80], 8080, 3),
  ]),
)

function rows(text: string): readonly number[] {
  const test = compileFilter(parseFilter(text), TABLE)
  return [0, 1, 2, 3].filter(test)
}

describe('filters keep', () => {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ['port=80', [0, 2]],
    ['port=80 and address~10.96', [0]],
    ['port = 80 AND address ~ "10.96"', [0]],
    ['port!=80', [1, 3]],
    ['port>80 and port<=8080', [1, 3]],
    ['not (port=80 or slot=1)', [3]],
    ['port=443 or port=80 and slot=2', [1, 2]],
    ['address=10.96.0.0/16', [0, 1]],
    ['address=10.96.0.20', [0, 1]],
    ['protocol=tcp', [0, 1, 2, 3]],
    ['protocol=6', [0, 1, 2, 3]],
    ['flags=node-port', [1]],
    ['value.flags~NODE', [1]],
    ['192.0.2', [3]],
    ['address!~10.', [3]],
    ['port=0x50', [0, 2]],
  ]
  for (const [text, expected] of cases) test(text, () => assert.deepEqual(rows(text), expected))
})

describe('mistakes are named with their place', () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ['', 0, /a field or a value is missing/],
    ['port=', 5, /a value after `=` is missing/],
    ['port=80 address=1', 8, /`and` or `or` is missing before `address`/],
    ['(port=80', 8, /`\)` is missing/],
    ['=80', 0, /a field is missing before `=`/],
    ['port=80 and "x', 12, /a quote is not closed/],
    ['port=80 and !', 12, /`!` is not understood/],
    ['prt=80', 0, /no field `prt`; did you mean `port`\?/],
    ['port>abc', 0, /compares numbers/],
    ['slot=1 and prt=80', 11, /no field `prt`/],
    ['not (port<x)', 5, /compares numbers/],
    [`${'not '.repeat(80)}x`, 204, /nested too deeply/],
  ]
  for (const [text, at, message] of cases) {
    test(text.slice(0, 30), () =>
      assert.throws(
        () => rows(text),
        (error) => {
          assert.ok(error instanceof FilterError)
          assert.match(error.message, message)
          assert.equal(error.at, at)
          return true
        },
      ),
    )
  }
})

test('any text is an expression or a FilterError', () => {
  const word = fc.constantFrom('port', 'and', 'or', 'not', '(', ')', '=', '~', '<', '"', '80', '\\', ' ', '!', 'é')
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      try {
        rows(words.join(' '))
      } catch (error) {
        assert.ok(error instanceof FilterError, String(error))
      }
    }),
  )
})

test('what the node decides agrees with the whole expression', () => {
  const layout = CILIUM_LAYOUTS.find(({ name }) => name === SERVICES.name)
  assert.ok(layout)
  const passes = (row: number, text: string) =>
    byteFilters(parseFilter(text), layout).every(({ part, offset, mask, value }) =>
      value.every((byte, at) => ((TABLE.raw(row)[part][offset + at] ?? 0) & (mask[at] ?? 0)) === byte),
    )
  const selects = (text: string) => [0, 1, 2, 3].filter((row) => passes(row, text))
  assert.deepEqual(selects('port=80 and address=10.96.0.20'), [0])
  assert.deepEqual(selects('revNat=9 and slot=3'), [3])
  for (const open of [
    'port=80 or slot=1',
    'not port=80',
    'port!=80',
    'flags=2',
    'protocol=6',
    'address=10.0.0.0/8',
    'port=70000',
  ]) {
    assert.deepEqual(byteFilters(parseFilter(open), layout), [], open)
  }
})

test('tuples are uncrossed as cilium-dbg does it', () => {
  const raw = { daddr: '10.0.0.1', saddr: '10.0.0.2', dport: 80, sport: 40000 }
  const told = (flags: number, kind: 'ct' | 'nat') => {
    const { direction, from, to, related } = uncross({ ...raw, flags }, kind)
    return `${direction} ${from} -> ${to}${related ? ' related' : ''}`
  }
  assert.equal(told(0, 'ct'), 'OUT 10.0.0.1:40000 -> 10.0.0.2:80')
  assert.equal(told(1, 'ct'), 'IN 10.0.0.1:40000 -> 10.0.0.2:80')
  assert.equal(told(4, 'ct'), 'SVC 10.0.0.2:80 -> 10.0.0.1:40000')
  assert.equal(told(2, 'ct'), 'OUT 10.0.0.1:40000 -> 10.0.0.2:80 related')
  assert.equal(told(0, 'nat'), 'OUT 10.0.0.2:40000 -> 10.0.0.1:80')
  assert.equal(told(1, 'nat'), 'IN 10.0.0.2:40000 -> 10.0.0.1:80')
})

test('maps without layout and types are shown as bytes, and the rest of a cut dump is left over', () => {
  const shape = { name: 'mine', keySize: 4, valueSize: 2, valuesPerEntry: 1, perCpu: false }
  const table = tableOf(shape, Uint8Array.of(1, 0, 0, 0, 2, 1))
  assert.deepEqual(
    table.columns.map((column) => column.cell(0).text),
    ['01 00 00 00', '1', '02 01', '258'],
  )
  const cut = tableOf(shape, Uint8Array.of(1, 0, 0, 0, 2, 1, 3))
  assert.deepEqual([cut.count, cut.leftOver, cut.unknownVersion], [1, 1, false])
})
