// SPDX-License-Identifier: Apache-2.0

/** Recorded clusters have no drift; and whatever entry of theirs is taken away or changed, that is what is found. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { findingsOf } from '../../test/support/findings.ts'
import { type MapRow, recordedBundle } from '../../test/support/mapEdits.ts'
import { rawCluster } from '../../test/support/rawFixtures.ts'
import { driftOf } from './drift.ts'

const CLUSTERS = ['cilium', 'half', 'iptables', 'nftables', 'mixed']
const RUNS = { numRuns: 25 }

describe('healthy clusters', () => {
  for (const name of CLUSTERS) {
    test(`${name}: nothing is found, and all of it was compared`, () => {
      for (const facts of [recordedBundle(name).facts, rawCluster(name)]) {
        const { nodes } = driftOf(facts)
        assert.deepEqual(
          nodes.map(({ node }) => node),
          ['n1', 'n2'],
        )
        for (const { node, datapath, findings, compared } of nodes) {
          assert.deepEqual(findings, [], node)
          assert.notEqual(datapath, 'unknown')
          assert.ok(compared.frontends >= 29 && compared.backends >= 56, JSON.stringify(compared))
          if (datapath === 'cilium') assert.ok(compared.addresses >= 18, JSON.stringify(compared))
        }
      }
    })
  }
})

const cluster = recordedBundle('cilium')
const NODE = 'n1'

/** One finding for an entry of a map, or none: what taking it away must give. */
type Expectation = (row: MapRow) => { readonly kind: string; readonly says: RegExp } | undefined

function escaped(text: string): string {
  return text.replace(/[.[\]]/g, '\\$&')
}

const endpointText = (address: unknown, port: unknown) => {
  const text = String(address)
  return text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`
}

function rowsWhere(map: string, test: (row: MapRow) => boolean): readonly MapRow[] {
  return cluster.rows(NODE, map).filter(test)
}

const masters = (family: 4 | 6) =>
  rowsWhere(`cilium_lb${family}_services_v2`, (row) => row['key.slot'] === 0 && row['key.port'] !== 0)
const FLAG = { affinity: 1 << 4, sourceRange: 1 << 7 } as const

const REMOVALS: Readonly<Record<string, Expectation>> = {
  ...Object.fromEntries(
    ([4, 6] as const).flatMap((family): readonly (readonly [string, Expectation])[] => [
      [
        `cilium_lb${family}_services_v2`,
        (row) => {
          if (row['key.port'] === 0) return undefined
          const says = new RegExp(`^${escaped(endpointText(row['key.address'], row['key.port']))}/`)
          return { kind: row['key.slot'] === 0 ? 'frontend-missing' : 'backends-different', says }
        },
      ],
      [
        `cilium_lb${family}_backends_v3`,
        (row) => {
          const used = rowsWhere(
            `cilium_lb${family}_services_v2`,
            (slot) => slot['key.slot'] !== 0 && slot['value.backend'] === row['key.id'],
          )
          return used.length === 0 ? undefined : { kind: 'backend-unknown', says: new RegExp(`backend ${row['key.id']},`) }
        },
      ],
      [
        `cilium_lb${family}_reverse_nat`,
        (row) => {
          const used = masters(family).some(
            (master) => master['value.revNat'] === row['key.revNat'] && master['value.count'] !== 0,
          )
          return used ? { kind: 'reverse-nat', says: new RegExp(`index ${row['key.revNat']}$`) } : undefined
        },
      ],
    ]),
  ),
  cilium_lb4_source_range: (row) => {
    const checked = masters(4).some(
      (master) => master['value.revNat'] === row['key.revNat'] && (Number(master['value.flags']) & FLAG.sourceRange) !== 0,
    )
    return checked
      ? { kind: 'source-range-missing', says: new RegExp(`refuses clients of ${escaped(String(row['key.source']))}/`) }
      : undefined
  },
  cilium_lb_affinity_match: (row) => ({
    kind: 'affinity-match',
    says: new RegExp(`no entry for backend ${row['key.backend']}$`),
  }),
  cilium_ipcache_v2: (row) => {
    const identity = Number(row['value.identity'])
    const isOwn =
      cluster.facts.objects.nodes.get(NODE)?.internalIPs.length !== 0 &&
      /^(10\.200\.0|fd00:10:200::)/.test(String(row['key.address']))
    const known =
      identity >= 256 && identity < 65_536 ? true : isOwn && [64, 160].includes(Number(row['key.prefixLength'])) && identity < 256
    return known ? { kind: 'address-missing', says: new RegExp(`^${escaped(String(row['key.address']))} is not in`) } : undefined
  },
  cilium_lxc: (row) =>
    (Number(row['value.flags']) & 1) !== 0
      ? undefined
      : { kind: 'endpoint-missing', says: new RegExp(`^${escaped(String(row['key.address']))} is not in cilium_lxc`) },
}

describe('an entry that is gone is what is found', () => {
  for (const [map, expectation] of Object.entries(REMOVALS)) {
    test(map, () => {
      const rows = cluster.rows(NODE, map)
      assert.ok(rows.length > 0)
      assert.ok(
        rows.some((row) => expectation(row) !== undefined),
        'some of them matter',
      )
      fc.assert(
        fc.property(fc.nat(rows.length - 1), (row) => {
          const expected = expectation(rows[row] ?? {})
          const found = findingsOf(cluster.without(NODE, map, row))
          assert.deepEqual(
            found.map(({ kind }) => kind),
            expected === undefined ? [] : [expected.kind],
            JSON.stringify(found),
          )
          if (expected !== undefined) assert.match(found[0]?.text ?? '', expected.says)
        }),
        { numRuns: Math.min(rows.length, RUNS.numRuns) },
      )
    })
  }
})

/** Rows of a map with their place in it. */
function placed(map: string, test: (row: MapRow) => boolean): readonly { readonly at: number; readonly row: MapRow }[] {
  return cluster.rows(NODE, map).flatMap((row, at) => (test(row) ? [{ at, row }] : []))
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8)
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24)
}

describe('an entry that says something else is what is found', () => {
  test('flags of a frontend that the object asks for, or does not', () => {
    const services = placed('cilium_lb4_services_v2', (row) => row['key.slot'] === 0 && row['key.port'] !== 0)
    for (const { at, row } of services) {
      const flags = Number(row['value.flags'])
      const altered = cluster.altered(NODE, 'cilium_lb4_services_v2', at, 8, u16(flags ^ (1 << 12)))
      const found = findingsOf(altered)
      const isHostPort = (flags & 8) !== 0
      assert.deepEqual(
        found.map(({ kind }) => kind),
        isHostPort ? [] : ['frontend-different'],
        JSON.stringify(row),
      )
    }
  })

  test('a load balancer that no longer checks its source ranges lets everybody in', () => {
    const [one] = placed(
      'cilium_lb4_services_v2',
      (row) => row['key.slot'] === 0 && (Number(row['value.flags']) & FLAG.sourceRange) !== 0,
    )
    assert.ok(one)
    const found = findingsOf(
      cluster.altered(NODE, 'cilium_lb4_services_v2', one.at, 8, u16(Number(one.row['value.flags']) ^ FLAG.sourceRange)),
    )
    assert.deepEqual(
      found.map(({ kind, severity, subject }) => [kind, severity, subject]),
      [['frontend-different', 'error', 'Service shop/web-lb']],
    )
    assert.match(found[0]?.text ?? '', /lets every source in/)
  })

  test('seconds of session affinity', () => {
    const [one] = placed(
      'cilium_lb4_services_v2',
      (row) => row['key.slot'] === 0 && (Number(row['value.flags']) & FLAG.affinity) !== 0,
    )
    assert.ok(one)
    const found = findingsOf(cluster.altered(NODE, 'cilium_lb4_services_v2', one.at, 0, u32(60)))
    assert.deepEqual(
      found.map(({ kind, text }) => [kind, text]),
      [['frontend-different', '10.96.0.25:80/TCP keeps clients with their backend for 60 s instead of 600 s']],
    )
  })

  test('a frontend that counts fewer backends', () => {
    for (const { at, row } of placed(
      'cilium_lb4_services_v2',
      (each) => each['key.slot'] === 0 && Number(each['value.count']) > 1,
    )) {
      const found = findingsOf(cluster.altered(NODE, 'cilium_lb4_services_v2', at, 4, u16(Number(row['value.count']) - 1)))
      assert.deepEqual(
        found.map(({ kind, severity }) => [kind, severity]),
        [['backends-different', 'warning']],
      )
    }
  })

  test('a backend somewhere else: every frontend that has it, and no other', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.integer({ min: 1, max: 65_535 }), (pick, port) => {
        const rows = placed('cilium_lb4_backends_v3', () => true)
        const one = rows[pick % rows.length]
        if (one === undefined || one.row['value.port'] === port) return
        const found = findingsOf(
          cluster.altered(NODE, 'cilium_lb4_backends_v3', one.at, 4, Uint8Array.of(port >>> 8, port & 0xff)),
        )
        const users = rowsWhere(
          'cilium_lb4_services_v2',
          (row) => row['key.slot'] !== 0 && row['value.backend'] === one.row['key.id'],
        )
        assert.equal(found.length, users.length, JSON.stringify(found))
        for (const finding of found) {
          assert.deepEqual([finding.kind, finding.severity], ['backends-different', 'error'])
          assert.match(
            finding.text,
            new RegExp(`lacks .*:${one.row['value.port']}\\b.*has .*:${port}, which no usable endpoint is`),
          )
        }
      }),
      RUNS,
    )
  })

  test('an identity that is not the one of its CiliumEndpoint; a tunnel to another node', () => {
    const pods = placed(
      'cilium_ipcache_v2',
      (row) => Number(row['value.identity']) >= 256 && Number(row['value.identity']) < 65_536,
    )
    fc.assert(
      fc.property(fc.nat(pods.length - 1), fc.integer({ min: 256, max: 65_535 }), (pick, identity) => {
        const one = pods[pick]
        if (one === undefined || one.row['value.identity'] === identity) return
        const found = findingsOf(cluster.altered(NODE, 'cilium_ipcache_v2', one.at, 0, u32(identity)))
        assert.deepEqual(
          found.map(({ kind }) => kind),
          ['identity-different'],
        )
        assert.match(found[0]?.text ?? '', new RegExp(`^${escaped(String(one.row['key.address']))} is identity ${identity}\\b`))
      }),
      RUNS,
    )
    const away = pods.filter(({ row }) => row['value.tunnel'] !== '0.0.0.0')
    assert.ok(away.length > 0)
    for (const { at } of away) {
      const found = findingsOf(cluster.altered(NODE, 'cilium_ipcache_v2', at, 4, Uint8Array.of(10, 200, 0, 99)))
      assert.deepEqual(
        found.map(({ kind }) => kind),
        ['tunnel-different'],
      )
    }
  })

  test('a terminating backend that is ready to the API; a quarantined one is only told of', () => {
    const [one] = placed('cilium_lb4_backends_v3', (row) => row['value.port'] === 5432)
    assert.ok(one)
    const severities = [1, 2].map((state) =>
      findingsOf(cluster.altered(NODE, 'cilium_lb4_backends_v3', one.at, 7, Uint8Array.of(state))),
    )
    assert.deepEqual(
      severities.map((found) => found.map(({ kind, severity }) => [kind, severity])),
      [[['backend-state', 'warning']], [['backend-state', 'info']]],
    )
  })
})
