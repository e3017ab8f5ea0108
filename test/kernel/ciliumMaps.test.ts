// SPDX-License-Identifier: Apache-2.0

/**
 * The judge of the map layouts: Cilium's own Go types write real BPF maps (lab/cilium/maporacle), the raw bytes are decoded here,
 * and every field must be what Cilium meant.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { before, describe, test } from 'node:test'
import { cellValue } from '../../core/ebpf/maps/cell.ts'
import { CILIUM_LAYOUTS } from '../../core/ebpf/maps/cilium.ts'
import { type DecodedEntries, decodeEntries } from '../../core/ebpf/maps/decode.ts'
import { findLayout } from '../../core/ebpf/maps/find.ts'
import { ciliumPrograms } from '../support/ciliumPrograms.ts'

interface OracleMap {
  readonly map: string
  readonly keySize: number
  readonly valueSize: number
  readonly rows: readonly { readonly key: string; readonly value: string; readonly expect: Readonly<Record<string, unknown>> }[]
}

const ENTRIES = 200
const skip = process.getuid?.() === 0 ? false : 'skipped: creating BPF maps needs root'

/** A field's name may say which side it is on, where key and value share the name. */
function column(entries: DecodedEntries, name: string) {
  const [side, field] = name.includes('.') ? name.split('.') : [undefined, name]
  const columns = side === 'key' ? entries.key : side === 'value' ? entries.value : [...entries.key, ...entries.value]
  return columns.find((candidate) => candidate.field.name === field)
}

describe('Cilium writes, Plumbline reads', { skip }, () => {
  let maps: readonly OracleMap[] = []

  before(() => {
    const oracle = ciliumPrograms().mapOracle
    const seed = String(process.env['PLUMBLINE_SEED'] ?? 1)
    maps = JSON.parse(
      execFileSync(oracle, ['-entries', String(ENTRIES), '-seed', seed], { maxBuffer: 2 ** 28, encoding: 'utf8' }),
    )
  })

  test('every field of every entry is what Cilium meant', () => {
    let fields = 0
    for (const map of maps) {
      const layout = findLayout({ name: map.map, keySize: map.keySize, valueSize: map.valueSize })
      assert.ok(layout, `no layout for ${map.map} with ${map.keySize} and ${map.valueSize} bytes`)
      assert.equal(map.rows.length, ENTRIES)
      // Values of maps per CPU are rounded up; here there is one of each.
      const padding = layout.perCpu ? '00'.repeat(-map.valueSize & 7) : ''
      const entries = decodeEntries(layout, Buffer.from(map.rows.map((row) => row.key + row.value + padding).join(''), 'hex'))
      for (const [index, row] of map.rows.entries()) {
        for (const [name, meant] of Object.entries(row.expect)) {
          const found = column(entries, name)
          assert.ok(found, `${map.map} has no field ${name}`)
          assert.equal(
            String(cellValue(found, index)),
            String(meant),
            `${map.map}, entry ${index}, ${name}: ${row.key} ${row.value}`,
          )
          fields++
        }
      }
    }
    assert.ok(maps.length >= 52 && fields > 60_000, `${maps.length} maps, ${fields} fields`)
  })

  test('a layout is used for its own sizes only', () => {
    for (const layout of CILIUM_LAYOUTS) {
      const name = layout.prefix ? `${layout.name}00042` : layout.name
      assert.equal(
        findLayout({ name, keySize: layout.keySize, valueSize: layout.valueSize + 4 })?.valueSize === layout.valueSize,
        false,
      )
    }
  })
})

test('a truncated dump is refused', () => {
  const layout = CILIUM_LAYOUTS[0]
  assert.ok(layout)
  assert.throws(
    () => decodeEntries(layout, new Uint8Array(layout.keySize + layout.valueSize + 1)),
    /not a whole number of entries/,
  )
})
