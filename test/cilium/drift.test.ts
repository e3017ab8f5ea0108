// SPDX-License-Identifier: Apache-2.0

/** Drift on a live node with Cilium: entries are taken out of its maps, or changed, and found to be. Each is put back at once. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cellValue } from '../../core/ebpf/maps/cell.ts'
import { decodeEntries } from '../../core/ebpf/maps/decode.ts'
import { findLayout } from '../../core/ebpf/maps/find.ts'
import { loadCluster } from '../../core/facts/cluster.ts'
import { driftOf } from '../../core/services/drift.ts'
import type { DriftFinding } from '../../core/services/drift/report.ts'
import { lab as labCommand, ROOT, whyNoLab } from '../cluster/lab.ts'
import { type LiveCluster, openLiveCluster } from '../cluster/liveCluster.ts'
import type { MapRow } from '../support/mapEdits.ts'

const NODE = 'n1'
const PINS = '/sys/fs/bpf/tc/globals'

interface Entry {
  readonly map: string
  readonly key: readonly string[]
  readonly value: readonly string[]
}

const bpftool = (...args: readonly string[]) => labCommand('node', NODE, 'bpftool', ...args)
const put = ({ map, key, value }: Entry) =>
  bpftool('map', 'update', 'pinned', `${PINS}/${map}`, 'key', 'hex', ...key, 'value', 'hex', ...value)
const take = ({ map, key }: Entry) => bpftool('map', 'delete', 'pinned', `${PINS}/${map}`, 'key', 'hex', ...key)

/** The first entry of a map that passes, as bpftool has it. */
function find(map: string, isWanted: (row: MapRow) => boolean): Entry {
  const dumped = JSON.parse(bpftool('-j', 'map', 'dump', 'pinned', `${PINS}/${map}`)) as { key: string[]; value: string[] }[]
  const [first] = dumped
  assert.ok(first, `${map} is empty`)
  const layout = findLayout({ name: map, keySize: first.key.length, valueSize: first.value.length })
  assert.ok(layout, map)
  const plain = dumped.map(({ key, value }) => ({ map, key: key.map(withoutPrefix), value: value.map(withoutPrefix) }))
  const entries = decodeEntries(layout, Buffer.from(plain.map(({ key, value }) => [...key, ...value].join('')).join(''), 'hex'))
  const found = plain.find((_, row) =>
    isWanted(
      Object.fromEntries([
        ...entries.key.map((column) => [`key.${column.field.name}`, cellValue(column, row)] as const),
        ...entries.value.map((column) => [`value.${column.field.name}`, cellValue(column, row)] as const),
      ]),
    ),
  )
  assert.ok(found, `${map} has no such entry`)
  return found
}

function withoutPrefix(byte: string): string {
  return byte.slice(2)
}

describe('drift of a live node with Cilium', { skip: whyNoLab() ?? false }, () => {
  let cluster: LiveCluster

  before(async () => {
    cluster = await openLiveCluster('cilium')
  })
  after(() => cluster?.close())

  async function findings(): Promise<readonly DriftFinding[]> {
    const { files } = await cluster.session.collect({ nodes: [NODE] })
    return driftOf(loadCluster(files)).nodes.flatMap((node) => node.findings)
  }

  /** What is found while `change` holds. */
  async function during(entry: Entry, change: () => void): Promise<readonly DriftFinding[]> {
    try {
      change()
      return await findings()
    } finally {
      put(entry)
    }
  }

  const told = (found: readonly DriftFinding[]) => found.map(({ kind, severity, subject }) => `${severity} ${kind} ${subject}`)

  test('a healthy node has none', async () => assert.deepEqual(await findings(), []))

  test('a frontend that is gone, with the command line and its exit code', async () => {
    const entry = find(
      'cilium_lb4_services_v2',
      (row) => row['key.address'] === '10.96.0.21' && row['key.port'] === 5432 && row['key.slot'] === 0,
    )
    const drift = (...args: string[]) =>
      spawnSync(process.execPath, [join(ROOT, 'cli/main.ts'), 'drift', NODE, '--kubeconfig', cluster.kubeconfig, ...args], {
        encoding: 'utf8',
      })
    const found = await during(entry, () => {
      take(entry)
      const { status, stdout, stderr } = drift('--fail-on', 'error', '--json')
      assert.equal(status, 1, stderr)
      assert.match(stderr, /Looking again in 3 s at n1/)
      const report = JSON.parse(stdout)
      assert.equal(report.schema, 'plumbline.drift/v1')
      assert.deepEqual(told(report.nodes[0].findings), ['error frontend-missing Service shop/db'])
    })
    assert.deepEqual(told(found), ['error frontend-missing Service shop/db'])
    const { status, stdout } = drift('--fail-on', 'info')
    assert.equal(status, 0)
    assert.match(stdout, /^n1 \(Cilium's maps\): no drift in /)
  })

  test('a backend that is gone', async () => {
    const db = find('cilium_lb4_backends_v3', (row) => row['value.port'] === 5432)
    const found = await during(db, () => void take(db))
    assert.deepEqual(told(found), ['error backend-unknown Service shop/db'])
  })

  test('a pod that is a stranger, or somebody else', async () => {
    const pod = JSON.parse(
      execFileSync(join(ROOT, 'lab/lab'), ['kubectl', '-n', 'shop', 'get', 'pod', 'client-n2', '-o', 'json'], {
        encoding: 'utf8',
      }),
    )
    const entry = find('cilium_ipcache_v2', (row) => row['key.address'] === pod.status.podIP)
    const gone = await during(entry, () => void take(entry))
    assert.deepEqual(told(gone), ['error address-missing Pod shop/client-n2'])
    const other = { ...entry, value: ['39', '30', '00', '00', ...entry.value.slice(4)] }
    const wrong = await during(entry, () => void put(other))
    assert.deepEqual(told(wrong), ['error identity-different Pod shop/client-n2'])
    assert.match(wrong[0]?.text ?? '', new RegExp(`^${pod.status.podIP} is identity 12345 `))
  })

  test('a load balancer that refuses a network', async () => {
    const lb = find(
      'cilium_lb4_services_v2',
      (row) => row['key.address'] === '203.0.113.10' && row['key.port'] === 80 && row['key.slot'] === 0,
    )
    const index = Number.parseInt(`${lb.value[6]}${lb.value[7]}`, 16)
    const entry = find('cilium_lb4_source_range', (row) => row['key.revNat'] === index)
    const found = await during(entry, () => void take(entry))
    assert.deepEqual(told(found), ['error source-range-missing Service shop/web-lb'])
  })

  test('everything was put back', async () => assert.deepEqual(await findings(), []))
})
