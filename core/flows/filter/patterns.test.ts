// SPDX-License-Identifier: Apache-2.0

/** Forms that Go has and JavaScript has not, and Kubernetes' label selectors. Hubble itself judges more of them in test/kernel. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { goRegExp } from './goRegExp.ts'
import { requestPath } from './goUrl.ts'
import { labelSelector } from './labelSelector.ts'
import { dnsNameTest, nodeNameTest } from './namePattern.ts'
import { formatTimestamp, parseMoment, parseTimestamp } from '../time.ts'
import { packUuid, unpackUuid } from '../store/uuid.ts'

describe("Go's regular expressions", () => {
  for (const [pattern, yes, no] of [
    ['(?i)web', 'WEB', 'wep'],
    ['(?P<n>a)b', 'ab', 'b'],
    ['\\Aa\\z', 'a', 'a\n'],
    ['[[:alpha:]_]+$', 'a_', '1'],
    ['\\Qa.b\\E', 'a.b', 'axb'],
    ['a.b', 'a\rb', 'a\nb'],
    ['(?s)a.b', 'a\nb', 'ab'],
    ['a{,2}', 'a{,2}', 'aa'],
    ['\\pL', 'ü', '1'],
    ['\\x{1F600}', '😀', 'a'],
    ['[]a]', ']', 'b'],
    ['\\-\\_\\:', '-_:', '-'],
    ['a\\sb', 'a b', 'a\u00a0b'],
  ] as const)
    test(pattern, () => {
      assert.ok(goRegExp(pattern).test(yes))
      assert.ok(!goRegExp(pattern).test(no))
    })

  for (const pattern of ['(?=a)', '(a)\\1', '(?<!b)', '(', '[[:nope:]]', 'a**'])
    test(`${pattern} is refused`, () => assert.throws(() => goRegExp(pattern), /is no regular expression of Go's/))

  test('any text is an expression or an Error that says so', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab\\[](){}?*+^$.|:-,QEpPxz19') }), (pattern) => {
        try {
          goRegExp(pattern)
        } catch (error) {
          assert.match(String(error), /is no regular expression of Go's/)
        }
      }),
    )
  })
})

test('paths of requests are those Go finds', () => {
  for (const [url, path] of [
    ['http://web/a%20b?q#f', '/a b'],
    ['/a?b', '/a'],
    ['*', '*'],
    ['http://web', ''],
    ['mailto:x', ''],
    ['', undefined],
    ['web', undefined],
    ['/%zz', undefined],
    ['http://[::1', undefined],
    ['http://[::1]:80/x', '/x'],
    ['http://a b/', undefined],
  ] as const)
    assert.equal(requestPath(url), path, url)
})

describe('label selectors', () => {
  const labels = ['k8s:app=web', 'k8s:tier=9', 'reserved:world', 'cidr:10.0.0.0/8']

  for (const [selector, chosen] of [
    ['app=web', true],
    ['k8s:app == web, tier', true],
    ['any:app', true],
    ['container:app', false],
    ['app in (db,web),!gone', true],
    ['app notin (db)', true],
    ['app!=web', false],
    ['tier>8,tier<10', true],
    ['reserved:world', true],
    ['cidr:10.0.0.0/4', true],
    ['cidr:10.0.0.0/9', false],
    ['', true],
  ] as const)
    test(`\`${selector}\``, () => assert.equal(labelSelector(selector)(labels), chosen))

  for (const selector of ['=', 'a=b=c', 'a in b', 'a in (b', 'a,', 'a b', 'a-', 'a=-b', 'a>x', 'a:b:c', '!'])
    test(`\`${selector}\` is refused`, () => assert.throws(() => labelSelector(selector), Error))
})

test('patterns of names', () => {
  assert.ok(dnsNameTest(['*.example.com', 'a_b.'])('x.y.example.com'))
  assert.ok(!dnsNameTest(['*.example.com'])('example.com'))
  assert.ok(nodeNameTest(['prod/'])('prod/n1'))
  assert.ok(nodeNameTest(['n*'])('n1') && !nodeNameTest(['n*'])(''))
  for (const wrong of ['', 'a..', 'a b', 'ü']) assert.throws(() => dnsNameTest([wrong]), Error)
  assert.throws(() => nodeNameTest(['a/b/c']), /more than one slash/)
})

describe('times', () => {
  test('are written as they were read', () => {
    const time = fc.record({ seconds: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), nanos: fc.nat(999_999_999) })
    fc.assert(fc.property(time, (moment) => assert.deepEqual(parseTimestamp(formatTimestamp(moment)), { ...moment })))
  })

  test('zones, fractions and what is no time', () => {
    assert.deepEqual(parseTimestamp('2026-01-01T01:00:00.5+01:00'), { seconds: 1_767_225_600, nanos: 500_000_000 })
    for (const wrong of ['2026-13-01T00:00:00Z', '2026-02-29T00:00:00Z', '2026-01-01T24:00:00Z', '2026-01-01', 'now'])
      assert.equal(parseTimestamp(wrong), undefined, wrong)
  })

  test('moments are ages or dates', () => {
    const now = { seconds: 1_767_225_600, nanos: 250_000_000 }
    assert.deepEqual(parseMoment('1m30s', now), { seconds: now.seconds - 90, nanos: now.nanos })
    assert.deepEqual(parseMoment('500ms', now), { seconds: now.seconds - 1, nanos: 750_000_000 })
    assert.deepEqual(parseMoment('2026-01-01T00+01:00', now), { seconds: now.seconds - 3600, nanos: 0 })
    assert.deepEqual(parseMoment('2026-01-01', now), { seconds: now.seconds, nanos: 0 })
    for (const wrong of ['5', 'm', '', '5x', '1h-']) assert.throws(() => parseMoment(wrong, now), /is no time/)
  })
})

test('a UUID is packed and unpacked; other texts are not packed', () => {
  const words = new Uint32Array(8)
  fc.assert(
    fc.property(fc.uuid(), (uuid) => {
      assert.ok(packUuid(uuid, words, 4))
      assert.equal(unpackUuid(words, 4), uuid)
    }),
  )
  for (const text of [
    '',
    'x',
    '3FA85F64-5717-4562-B3FC-2C963F66AFA6',
    '3fa85f64x5717-4562-b3fc-2c963f66afa6',
    '3fa85f64-5717-4562-b3fc-2c963f66afaé',
  ])
    assert.ok(!packUuid(text, words, 0), text)
})
