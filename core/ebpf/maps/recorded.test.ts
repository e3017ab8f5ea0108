// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  checkConnections,
  checkEndpoints,
  checkIpcache,
  checkPolicies,
  checkServices,
  type Printed,
} from '../../../test/support/ciliumOracle.ts'
import { recordedMaps } from '../../../test/support/recordedMaps.ts'
import { rawCluster } from '../../../test/support/rawFixtures.ts'
import { memoryFiles } from '../../facts/memory.ts'
import { describe as describeEntries } from './describe.ts'
import { compileFilter, parseFilter } from './filter.ts'
import { MapNames } from './names.ts'
import { readNodeMaps } from './nodeMaps.ts'
import { type MapTable, tableOf } from './table.ts'

const FOLDER = join(import.meta.dirname, '../../../test/fixtures/raw/cilium')

/** A map of a recorded node, read as from a bundle. */
function table(node: string, name: string, names?: MapNames): MapTable {
  const recorded = [...recordedMaps('cilium', node)].map(([path, bytes]) => [`nodes/${node}/${path}`, bytes] as const)
  const files = memoryFiles('recorded', new Map(recorded))
  const { maps, problems } = readNodeMaps(files, node)
  assert.deepEqual(problems, [])
  const map = maps.find((each) => each.name === name)
  assert.ok(map?.contents, `no ${name} was recorded`)
  const shape = { ...map, valuesPerEntry: map.contents.valuesPerEntry, perCpu: map.type.includes('percpu') }
  return tableOf(shape, files.read(map.contents.file) ?? new Uint8Array(), names)
}

for (const node of ['n1', 'n2']) {
  const tables = (name: string) => table(node, name)
  const printed: Printed = (what) => JSON.parse(readFileSync(join(FOLDER, node, 'cilium', `bpf-${what}.json`), 'utf8'))

  describe(`maps of a recorded node (${node}) against what Cilium prints`, () => {
    test('services and backends', () => assert.ok(checkServices(printed, tables) > 100))
    test('identities of addresses', () => assert.ok(checkIpcache(printed, tables) > 20))
    test('endpoints', () => assert.ok(checkEndpoints(printed, tables) > 5))
    test('policies', () => assert.ok(checkPolicies(printed, tables) > 20))
    test('connections', () => {
      const { both, ours } = checkConnections(printed, tables)
      assert.ok(both > 20 && both > ours / 2, `${both} of ${ours}`)
    })
  })
}

describe('names in the maps of a recorded node', () => {
  const cluster = rawCluster('cilium')
  const names = new MapNames(cluster, 'n1')
  const named = (map: string) => table('n1', map, names)

  test('identities have their labels, endpoints and addresses their pods', () => {
    const lxc = named('cilium_lxc')
    const client = compileFilter(parseFilter('endpoint=shop/client-n1'), lxc)
    const rows = Array.from({ length: lxc.count }, (_, row) => row).filter(client)
    assert.equal(rows.length, 2, 'one for each family')
    for (const row of rows) {
      const name = (field: string) => lxc.columns.find((column) => column.name === field)?.cell(row).name
      assert.equal(name('address'), 'pod shop/client-n1')
      assert.match(name('identity') ?? '', /^shop: .*app=client/)
    }
  })

  test('a connection is told from its client to its server', () => {
    const connections = named('cilium_ct4_global')
    const description = describeEntries(connections)
    assert.ok(description)
    const lines = Array.from({ length: connections.count }, (_, row) => description.text(row))
    for (const line of lines) assert.match(line, /^TCP (IN|OUT|SVC) \S+:\d+ -> \S+:\d+( related)?$/)
    const toWeb = lines.filter((line) => /^TCP OUT 10\.244\.\S+ -> 10\.244\.\S+:8080$/.test(line))
    assert.ok(toWeb.length > 0, 'pods talk to the port web listens on, not from it')
  })
})
