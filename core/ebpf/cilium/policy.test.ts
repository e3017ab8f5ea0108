// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeEntries } from '../maps/decode.ts'
import { findLayout } from '../maps/find.ts'
import { Entry } from './entries.ts'
import { agree, lookUpPolicy, type Policy, portsOf } from './policy.ts'
import { precedenceOf } from './precedence.ts'

const MAP = 'cilium_policy_v2_00001'
const HIGHEST = 0xffffffff
const ALLOW = 0xffffff01

interface Written {
  readonly identity: number
  readonly egress?: boolean
  /** 0: every protocol. */
  readonly protocol?: number
  readonly port?: number
  /** Of the port; only with a protocol. */
  readonly portBits?: number
  readonly deny?: boolean
  readonly precedence?: number
  readonly proxyPort?: number
  readonly auth?: number
  readonly explicitAuth?: boolean
}

/** Entries as the kernel has them: struct policy_key and policy_entry. */
function policy(...written: readonly Written[]): Policy {
  return policyOf(MAP, written)
}

function policyOf(map: string, written: readonly Written[]): Policy {
  const bytes = new Uint8Array(24 * written.length)
  const view = new DataView(bytes.buffer)
  written.forEach((each, row) => {
    const at = 24 * row
    const bits = (each.protocol ?? 0) === 0 ? 0 : 8 + (each.portBits ?? (each.port === undefined ? 0 : 16))
    view.setUint32(at, 40 + bits, true)
    view.setUint32(at + 4, each.identity, true)
    view.setUint8(at + 8, each.egress === true ? 1 : 0)
    view.setUint8(at + 9, each.protocol ?? 0)
    view.setUint16(at + 10, each.port ?? 0)
    view.setUint16(at + 12, each.proxyPort ?? 0)
    view.setUint8(at + 14, (each.deny === true ? 1 : 0) | (bits << 3))
    view.setUint8(at + 15, (each.auth ?? 0) | (each.explicitAuth === true ? 0x80 : 0))
    view.setUint32(at + 16, each.precedence ?? (each.deny === true ? HIGHEST : ALLOW), true)
  })
  const layout = findLayout({ name: map, keySize: 12, valueSize: 12 })
  assert.ok(layout)
  const precedence = precedenceOf(layout.versions)
  assert.ok(precedence)
  const decoded = decodeEntries(layout, bytes)
  return { map, precedence, entries: written.map((_, row) => new Entry('n1', map, decoded, row)) }
}

const ASKED = { direction: 'ingress', identity: 100, cluster: undefined, protocol: 6, port: 8080 } as const

function verdict(...written: readonly Written[]): string {
  return lookUpPolicy(policy(...written), ASKED)[0].kind
}

test('an empty map lets nothing through', () => assert.equal(verdict(), 'unmatched'))

test('an entry holds for its identity, direction, protocol and ports', () => {
  assert.equal(verdict({ identity: 100 }), 'allowed')
  assert.equal(verdict({ identity: 0 }), 'allowed')
  assert.equal(verdict({ identity: 101 }), 'unmatched')
  assert.equal(verdict({ identity: 100, egress: true }), 'unmatched')
  assert.equal(verdict({ identity: 100, protocol: 17 }), 'unmatched')
  assert.equal(verdict({ identity: 100, protocol: 6 }), 'allowed')
  assert.equal(verdict({ identity: 100, protocol: 6, port: 8081 }), 'unmatched')
  assert.equal(verdict({ identity: 100, protocol: 6, port: 8064, portBits: 11 }), 'allowed')
})

test('a denial wins over a more specific permission, by its precedence', () => {
  assert.equal(verdict({ identity: 100, protocol: 6, port: 8080 }, { identity: 0, deny: true }), 'denied')
  assert.equal(verdict({ identity: 100, deny: true }, { identity: 0, protocol: 6, port: 8080 }), 'denied')
})

test('at the same precedence the longer prefix wins, then the entry with an identity', () => {
  const [wide, narrow] = [{ identity: 100 }, { identity: 0, protocol: 6, port: 8080, proxyPort: 12_000 }]
  assert.equal(verdict(wide, narrow), 'proxied')
  assert.equal(verdict({ ...wide, proxyPort: 12_000 }, { identity: 0 }), 'proxied')
  assert.equal(verdict({ ...wide, precedence: ALLOW + 1 }, narrow), 'allowed')
})

test('the longest prefix of one identity hides the others, whatever their precedence', () => {
  assert.equal(verdict({ identity: 100, deny: true }, { identity: 100, protocol: 6, port: 8080 }), 'allowed')
})

test('authentication is taken over from the other entry of the same precedence, unless the chosen one has its own', () => {
  const other = { identity: 0, auth: 2 }
  assert.equal(verdict({ identity: 100, protocol: 6, port: 8080 }, other), 'authenticated')
  assert.equal(verdict({ identity: 100, protocol: 6, port: 8080, explicitAuth: true }, other), 'allowed')
  assert.equal(verdict({ identity: 100, precedence: ALLOW + 1 }, other), 'allowed')
})

test('ports of an entry are those that it matches', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 65_535 }),
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 0, max: 65_535 }),
      (start, bits, port) => {
        const lowest = (start >>> (16 - bits)) << (16 - bits)
        const one = policy({ identity: 100, protocol: 6, port: lowest, portBits: bits })
        const [entry] = one.entries
        assert.ok(entry)
        const ports = portsOf(entry)
        assert.ok(ports)
        const inside = port >= ports.lowest && port <= ports.highest
        assert.equal(lookUpPolicy(one, { ...ASKED, port })[0].kind, inside ? 'allowed' : 'unmatched')
      },
    ),
  )
})

const NEWEST = 'cilium_policy_v3_00001'
const CLUSTER = { cluster: 11, clusterMesh: 12, world: 13 } as const
const outcomes = (policyMap: Policy, asked: Partial<Parameters<typeof lookUpPolicy>[1]>) =>
  lookUpPolicy(policyMap, { ...ASKED, ...asked }).map(({ kind }) => kind)

test('1.20 asks for the kind of the peer, and for every identity only if there is neither', () => {
  const own = { identity: 1000 }
  const pods = policyOf(NEWEST, [{ identity: CLUSTER.cluster }, { identity: 0, deny: true }])
  const cluster = { number: 0, most: [255] }
  assert.deepEqual(outcomes(pods, { ...own, cluster }), ['allowed'])
  assert.deepEqual(outcomes(pods, { ...own, cluster: { number: 3, most: [255] } }), ['denied'])
  assert.deepEqual(outcomes(pods, { identity: 2, cluster }), ['denied'])
  assert.deepEqual(outcomes(policyOf(NEWEST, [{ identity: CLUSTER.world }]), { identity: 0x01000001, cluster }), ['allowed'])
})

test('where nobody knows the number of the cluster, both kinds are asked for', () => {
  const query = { identity: 1000 }
  assert.deepEqual(outcomes(policyOf(NEWEST, [{ identity: CLUSTER.cluster }]), query), ['allowed', 'unmatched'])
  assert.deepEqual(outcomes(policyOf(NEWEST, [{ identity: 0 }]), query), ['allowed', 'allowed'])
})

test('how many clusters a mesh may have matters to identities of which a bit may be of either number', () => {
  const pods = policyOf(NEWEST, [{ identity: CLUSTER.cluster }])
  const cluster = { number: 0, most: [255, 511] }
  assert.deepEqual(outcomes(pods, { identity: 1000, cluster }), ['allowed'])
  assert.deepEqual(outcomes(pods, { identity: 0x8000, cluster }), ['allowed', 'unmatched'])
  assert.deepEqual(outcomes(pods, { identity: 0x10000, cluster }), ['unmatched'])
})

test('verdicts agree when packets fare alike', () => {
  const [none] = lookUpPolicy(policy(), ASKED)
  const [denied] = lookUpPolicy(policy({ identity: 100, deny: true }), ASKED)
  const [allowed] = lookUpPolicy(policy({ identity: 100 }), ASKED)
  const [proxied] = lookUpPolicy(policy({ identity: 100, proxyPort: 12_000 }), ASKED)
  const [otherProxy] = lookUpPolicy(policy({ identity: 100, proxyPort: 12_001 }), ASKED)
  assert.ok(agree(none, denied) && agree(allowed, allowed))
  assert.ok(!agree(none, allowed) && !agree(allowed, proxied) && !agree(proxied, otherProxy))
})
