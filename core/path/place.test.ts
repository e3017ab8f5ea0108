// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, formatAddress, formatEndpoint, ipv4, ipv6 } from '../net/address.ts'
import { PlaceError, parsePlace } from './place.ts'

test('every address, port and protocol that is written is read back', () => {
  const address: fc.Arbitrary<Address> = fc.oneof(fc.nat(0xffffffff).map(ipv4), fc.bigInt(0n, (1n << 128n) - 1n).map(ipv6))
  const protocol = fc.constantFrom(['TCP', 6], ['udp', 17], ['SCTP', 132], ['6', 6]) as fc.Arbitrary<[string, number]>
  fc.assert(
    fc.property(address, fc.integer({ min: 1, max: 65535 }), protocol, (ip, port, [name, number]) => {
      const text = `${formatEndpoint(ip, port)}/${name}`
      assert.deepEqual(parsePlace(text), { kind: 'address', address: ip, port, protocol: number, text })
      const bare = formatAddress(ip)
      assert.deepEqual(parsePlace(bare), { kind: 'address', address: ip, port: undefined, protocol: undefined, text: bare })
    }),
  )
})

test('protocols without ports', () => {
  assert.equal(parsePlace('10.0.0.1/ICMP').protocol, 1)
  assert.equal(parsePlace('fd00::1/icmp').protocol, 58)
  assert.equal(parsePlace('[fd00::1]/ICMPv6').protocol, 58)
  assert.equal(parsePlace('10.0.0.1/47').protocol, 47)
  assert.equal(parsePlace('pod:shop/db/icmp').protocol, 1)
})

test('pods, services and hosts', () => {
  const rest = { port: undefined, protocol: undefined }
  assert.deepEqual(parsePlace('pod:shop/web-0'), {
    kind: 'pod',
    namespace: 'shop',
    name: 'web-0',
    text: 'pod:shop/web-0',
    ...rest,
  })
  const text = 'svc:shop/db:postgres/TCP'
  assert.deepEqual(parsePlace(text), { kind: 'service', namespace: 'shop', name: 'db', port: 'postgres', protocol: 6, text })
  assert.deepEqual(parsePlace('host:node-a.example'), {
    kind: 'host',
    node: 'node-a.example',
    text: 'host:node-a.example',
    ...rest,
  })
  assert.equal(parsePlace('host:node-a:30080/TCP').port, 30080)
  assert.equal(parsePlace('svc:shop/db:5432').port, 5432)
})

const wrong: readonly (readonly [text: string, message: RegExp])[] = [
  ['', /is not an address/],
  ['10.0.0.300', /`10\.0\.0\.300` is not an address/],
  ['10.0.0.1:0/TCP', /invalid port, `0`/],
  ['10.0.0.1:65536/TCP', /invalid port, `65536`: ports are 1 to 65535/],
  ['10.0.0.1:http/TCP', /invalid port, `http`/],
  ['10.0.0.1:/TCP', /invalid port/],
  ['10.0.0.1:80/TPC', /unknown protocol, `TPC`/],
  ['10.0.0.1:80/', /unknown protocol, ``/],
  ['10.0.0.1/256', /unknown protocol, `256`/],
  ['10.0.0.1:80/ICMP', /gives a port, and protocol ICMP has none/],
  ['10.0.0.1/constructor', /unknown protocol/],
  ['fd00::1:80/TCP/x', /unknown protocol/],
  ['pod:web', /is not of the form pod:NAMESPACE\/NAME/],
  ['pod:shop/We b', /is not of the form/],
  ['svc:shop/', /is not of the form svc:NAMESPACE\/NAME:PORT\/PROTOCOL/],
  ['svc:shop/db:99999/TCP', /invalid port/],
  ['host:', /is not of the form host:NODE/],
  ['pod:a/b/c/d', /is not of the form/],
]

for (const [text, message] of wrong) {
  test(`refused: "${text}"`, () => assert.throws(() => parsePlace(text), { name: 'PlaceError', message }))
}

test('nothing but a PlaceError is ever thrown', () => {
  const part = fc.constantFrom('pod:', 'svc:', 'host:', '10.0.0.1', '[', ']', ':', '/', '::', 'a', '80', 'TCP', '%', '.', '-')
  fc.assert(
    fc.property(
      fc.array(fc.oneof(part, fc.string()), { maxLength: 8 }).map((parts) => parts.join('')),
      (text) => {
        try {
          assert.equal(parsePlace(text).text, text)
        } catch (error) {
          assert.ok(error instanceof PlaceError, String(error))
        }
      },
    ),
    { numRuns: 2000 },
  )
})
