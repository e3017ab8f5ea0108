// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Address, formatAddress, formatEndpoint, ipv4, ipv6, parseAddress } from './address.ts'
import { PrefixMap } from './lpm.ts'
import { formatPrefix, type Prefix, parsePrefix, prefixContains, prefixOf } from './prefix.ts'

const address4 = fc.nat({ max: 0xffffffff }).map((value): Address => ipv4(value))
const address6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value): Address => ipv6(value))
/** IPv6 addresses with runs of zeros, where the text form is delicate. */
const sparse6 = fc
  .array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
  .map((parts): Address => ipv6(parts.reduce((sum, part) => (sum << 16n) | BigInt(part), 0n)))
const anyAddress = fc.oneof(address4, address6, sparse6)

describe('addresses', () => {
  it('are read back from their own text', () => {
    fc.assert(fc.property(anyAddress, (address) => assert.deepEqual(parseAddress(formatAddress(address)), address)))
  })

  it('are written as RFC 5952 asks', () => {
    const canonical: Record<string, string> = {
      '2001:0DB8:0:0:0:0:0:1': '2001:db8::1',
      '0:0:0:0:0:0:0:0': '::',
      '::1': '::1',
      '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
      '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
      '::ffff:10.0.0.1': '::ffff:10.0.0.1',
      'fe80::1%eth0': 'fe80::1',
      '1::': '1::',
    }
    for (const [text, expected] of Object.entries(canonical)) {
      const address = parseAddress(text)
      assert.ok(address, text)
      assert.equal(formatAddress(address), expected)
    }
  })

  it('refuse what is none', () => {
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1..2.3',
      '1.2.3.4 ',
      ':::',
      '1:2:3:4:5:6:7',
      '1::2::3',
      'g::',
      '12345::',
      '1:2:3:4:5:6:7:8::',
    ])
      assert.equal(parseAddress(text), undefined, text)
  })

  it('never make the parser throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.stringMatching(/^[0-9a-f:./%]*$/), (any, alike) => {
        parseAddress(any)
        parseAddress(alike)
        parsePrefix(any)
        parsePrefix(alike)
      }),
    )
  })

  it('are joined with a port so that it can be told apart', () => {
    assert.equal(formatEndpoint(ipv4(0x0a000001), 80), '10.0.0.1:80')
    assert.equal(formatEndpoint(ipv6(1n), 80), '[::1]:80')
    assert.equal(formatEndpoint(ipv6(1n), undefined), '::1')
  })
})

const anyPrefix = fc
  .tuple(anyAddress, fc.nat({ max: 128 }))
  .map(([address, bits]) => prefixOf(address, Math.min(bits, address.family === 4 ? 32 : 128)))

describe('prefixes', () => {
  it('are read back from their own text', () => {
    fc.assert(fc.property(anyPrefix, (prefix) => assert.deepEqual(parsePrefix(formatPrefix(prefix)), prefix)))
  })

  it('clear host bits and refuse impossible lengths', () => {
    assert.equal(formatPrefix(parsePrefix('10.1.2.3/8') as Prefix), '10.0.0.0/8')
    for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/a']) assert.equal(parsePrefix(text), undefined)
  })

  it('longest match agrees with looking at every prefix', () => {
    const close = fc
      .tuple(fc.nat({ max: 255 }), fc.nat({ max: 32 }))
      .map(([low, bits]) => prefixOf(ipv4(0x0a000000 + low * 65537), bits))
    fc.assert(
      fc.property(fc.array(fc.oneof(close, anyPrefix), { maxLength: 40 }), fc.nat({ max: 0xffffff }), (prefixes, low) => {
        const map = new PrefixMap<string>()
        for (const prefix of prefixes) map.set(prefix, formatPrefix(prefix))
        const address = ipv4(0x0a000000 + low)
        const expected = prefixes.filter((prefix) => prefixContains(prefix, address)).sort((a, b) => b.bits - a.bits)[0]
        assert.equal(map.longest(address), expected && formatPrefix(expected))
        for (const prefix of prefixes) assert.equal(map.get(prefix), formatPrefix(prefix))
      }),
    )
  })
})
