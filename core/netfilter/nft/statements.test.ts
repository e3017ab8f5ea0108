// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TableFamily } from '../ruleset.ts'
import type { Statement } from '../statement.ts'
import { parseNftText } from './text.ts'

/** What single rules mean. That nft's JSON means the same is shown against the kernel in test/kernel/nft-reading.test.ts. */
function read(rule: string, family: TableFamily = 'inet', sets = ''): readonly Statement[] {
  const { tables, problems } = parseNftText(`table ${family} t {\n${sets}\tchain c {\n\t\t${rule}\n\t}\n}\n`, 'nft.txt')
  assert.deepEqual(problems, [], rule)
  const rules = tables[0]?.chains.get('c')?.rules ?? []
  assert.equal(rules.length, 1, rule)
  return rules[0]?.statements ?? []
}

function one(rule: string, family: TableFamily = 'inet', sets = ''): Statement {
  const [statement, ...rest] = read(rule, family, sets)
  assert.ok(statement !== undefined && rest.length === 0, rule)
  return statement
}

const value = (scalar: number | bigint | string) => ({ kind: 'value', value: scalar }) as const
const range = (from: number | bigint, to: number | bigint) => ({ kind: 'range', from, to }) as const
const literal = (scalar: number | bigint | string) => ({ kind: 'literal', value: value(scalar) }) as const
const payload = (protocol: string, field: string) => ({ kind: 'payload', protocol, field })
const meta = (key: string) => ({ kind: 'meta', key })

function compare(key: unknown, op: string, ...elements: unknown[]) {
  return { kind: 'compare', key, op, value: { kind: 'literal', elements } }
}

test('header fields are compared with values, ranges, prefixes and sets', () => {
  assert.deepEqual(one('tcp dport 443'), compare(payload('tcp', 'dport'), 'eq', value(443)))
  assert.deepEqual(one('tcp dport https'), compare(payload('tcp', 'dport'), 'eq', value(443)))
  assert.deepEqual(one('th dport != 5-9'), compare(payload('th', 'dport'), 'ne', range(5, 9)))
  assert.deepEqual(one('udp sport { 53, 1000-2000 }'), compare(payload('udp', 'sport'), 'eq', value(53), range(1000, 2000)))
  assert.deepEqual(one('ip saddr 10.0.0.0/8'), compare(payload('ip', 'saddr'), 'eq', range(0x0a000000, 0x0affffff)))
  assert.deepEqual(
    one('ip6 daddr fe80::/10'),
    compare(payload('ip6', 'daddr'), 'eq', range(0xfe80n << 112n, (0xfec0n << 112n) - 1n)),
  )
  assert.deepEqual(one('ip ttl < 5'), compare(payload('ip', 'ttl'), 'lt', value(5)))
  assert.deepEqual(one('ip dscp { 0x05, af11 }'), compare(payload('ip', 'dscp'), 'eq', value(5), value(10)))
  assert.deepEqual(one('ether saddr 00:11:22:33:44:55'), compare(payload('ether', 'saddr'), 'eq', value(0x001122334455)))
  assert.deepEqual(one('icmp type echo-request'), compare(payload('icmp', 'type'), 'eq', value(8)))
  assert.deepEqual(one('ip saddr != @blocked'), {
    kind: 'compare',
    key: payload('ip', 'saddr'),
    op: 'ne',
    value: { kind: 'set', name: 'blocked' },
  })
})

test('a protocol named as a value is not the beginning of the next match', () => {
  assert.deepEqual(read('meta l4proto tcp tcp dport 80 meta protocol ip ip saddr 1.2.3.4'), [
    compare(meta('l4proto'), 'eq', value(6)),
    compare(payload('tcp', 'dport'), 'eq', value(80)),
    compare(meta('protocol'), 'eq', value(0x0800)),
    compare(payload('ip', 'saddr'), 'eq', value(0x01020304)),
  ])
})

test('interface names may end in a wildcard, unless it is escaped', () => {
  assert.deepEqual(
    one('iifname { "cali*", "a\\*", "lo" }'),
    compare(meta('iifname'), 'eq', { kind: 'wildcard', prefix: 'cali' }, value('a*'), value('lo')),
  )
  assert.deepEqual(one('iif "lo"'), compare(meta('iif'), 'eq', value('lo')))
})

test('connection states without an operator are any of them', () => {
  const state = { kind: 'ct', key: 'state' }
  assert.deepEqual(one('ct state established,related'), compare(state, 'eq', value(2), value(4)))
  assert.deepEqual(one('ct state ! new,untracked'), compare(state, 'ne', value(8), value(64)))
  assert.deepEqual(one('ct state != new'), compare(state, 'ne', value(8)))
  assert.deepEqual(one('ct state { new, invalid }'), compare(state, 'eq', value(8), value(1)))
  // nft writes an exact comparison with "|"; a packet has one state, so that it never holds.
  assert.deepEqual(one('ct state established | new'), compare(state, 'eq', value(10)))
  assert.deepEqual(one('ct state 0x2,0x4'), compare(state, 'eq', value(2), value(4)))
})

test('flags are tested bit by bit, or under a mask', () => {
  const flags = payload('tcp', 'flags')
  const masked = (bits: number) => ({ kind: 'binary', op: '&', left: flags, right: literal(bits) })
  assert.deepEqual(one('tcp flags syn,ack'), compare(masked(18), 'ne', value(0)))
  assert.deepEqual(one('tcp flags ! syn'), compare(masked(2), 'eq', value(0)))
  assert.deepEqual(one('tcp flags == syn'), compare(flags, 'eq', value(2)))
  assert.deepEqual(one('tcp flags syn / fin,syn,rst,ack'), compare(masked(23), 'eq', value(2)))
  assert.deepEqual(one('tcp flags != syn / syn,ack'), compare(masked(18), 'ne', value(2)))
  assert.deepEqual(one('tcp flags & (fin | syn | rst | ack) == syn'), compare(masked(23), 'eq', value(2)))
  assert.deepEqual(one('tcp flags { syn | ack, syn }'), compare(flags, 'eq', value(18), value(2)))
  const status = { kind: 'binary', op: '&', left: { kind: 'ct', key: 'status' }, right: literal(32) }
  assert.deepEqual(one('ct status dnat'), compare(status, 'ne', value(0)))
})

test('bit operations keep their order', () => {
  const mark = meta('mark')
  const bits = (op: string, left: unknown, right: unknown) => ({ kind: 'binary', op, left, right })
  assert.deepEqual(one('meta mark & 0x00004000 == 0x00004000'), compare(bits('&', mark, literal(0x4000)), 'eq', value(0x4000)))
  assert.deepEqual(one('meta mark set meta mark & 0xffff00ff | 0x00000012'), {
    kind: 'assign',
    target: mark,
    value: bits('|', bits('&', mark, literal(0xffff00ff)), literal(0x12)),
  })
  assert.deepEqual(one('meta mark set mark or 0x4000'), {
    kind: 'assign',
    target: mark,
    value: bits('|', mark, literal(0x4000)),
  })
  assert.deepEqual(one('ct mark set (meta mark & 0x0000000f) << 4 | 0x00000001'), {
    kind: 'assign',
    target: { kind: 'ct', key: 'mark' },
    value: bits('|', bits('<<', bits('&', mark, literal(15)), literal(4)), literal(1)),
  })
})

test('addresses of the original connection know their family', () => {
  const original = (family: number) => ({ kind: 'ct', key: 'daddr', family, direction: 'original' })
  assert.deepEqual(one('ct original ip daddr 1.2.3.4'), compare(original(4), 'eq', value(0x01020304)))
  assert.deepEqual(one('ct original ip6 daddr ::1'), compare(original(6), 'eq', value(1n)))
  assert.deepEqual(one('ct original daddr ::1', 'ip6'), compare(original(6), 'eq', value(1n)))
})

test('routes are asked for existence, device and type', () => {
  const fib = (result: string, ...selectors: string[]) => ({ kind: 'fib', selectors, result })
  assert.deepEqual(one('fib saddr . iif oif missing'), compare(fib('oif', 'saddr', 'iif'), 'eq', value('')))
  assert.deepEqual(one('fib saddr oif exists'), compare(fib('oif', 'saddr'), 'ne', value('')))
  assert.deepEqual(one('fib daddr check missing'), compare(fib('oif', 'daddr'), 'eq', value('')))
  assert.deepEqual(one('fib saddr . iif oif 0'), compare(fib('oif', 'saddr', 'iif'), 'eq', value('')))
  assert.deepEqual(one('fib saddr oifname "eth0"'), compare(fib('oifname', 'saddr'), 'eq', value('eth0')))
  assert.deepEqual(one('fib daddr type != { local, 3 }'), compare(fib('type', 'daddr'), 'ne', value('local'), value('broadcast')))
})

test('concatenations meet sets part by part', () => {
  const key = { kind: 'concat', parts: [payload('ip', 'daddr'), meta('l4proto'), payload('th', 'dport')] }
  assert.deepEqual(
    one('ip daddr . meta l4proto . th dport { 10.0.0.1 . tcp . 80-90 }'),
    compare(key, 'eq', { kind: 'concat', parts: [value(0x0a000001), value(6), range(80, 90)] }),
  )
  assert.deepEqual(one('ip daddr . meta l4proto . th dport vmap @service-ips'), {
    kind: 'vmap',
    key,
    map: { kind: 'named', name: 'service-ips' },
  })
})

test('verdict maps of generators', () => {
  assert.deepEqual(one('numgen random mod 3 vmap { 0 : goto endpoint-A-ns/s/tcp/p__10.0.0.1/80, 1-2 : drop, * : return }'), {
    kind: 'vmap',
    key: { kind: 'numgen', mode: 'random', modulus: 3, offset: 0 },
    map: {
      kind: 'anonymous',
      elements: [
        { key: value(0), verdict: { kind: 'goto', chain: 'endpoint-A-ns/s/tcp/p__10.0.0.1/80' } },
        { key: range(1, 2), verdict: { kind: 'drop' } },
        { key: { kind: 'any' }, verdict: { kind: 'return' } },
      ],
    },
  })
  assert.deepEqual(one('meta mark set jhash ip saddr . tcp dport mod 4 seed 0x5 offset 2'), {
    kind: 'assign',
    target: meta('mark'),
    value: {
      kind: 'hash',
      algorithm: 'jhash',
      of: [payload('ip', 'saddr'), payload('tcp', 'dport')],
      modulus: 4,
      seed: 5,
      offset: 2,
    },
  })
})

const NO_FLAGS = { random: false, fullyRandom: false, persistent: false }

test('translations in all their forms', () => {
  const nat = (op: string, rest: object, flags: object = {}) => ({ kind: 'nat', op, ...rest, flags: { ...NO_FLAGS, ...flags } })
  assert.deepEqual(one('dnat to 10.0.0.1:8080', 'ip'), nat('dnat', { to: literal(0x0a000001), port: literal(8080) }))
  assert.deepEqual(
    one('dnat ip6 to [fe80::1]-[fe80::5]:22-25 fully-random'),
    nat(
      'dnat',
      {
        to: { kind: 'literal', value: range((0xfe80n << 112n) + 1n, (0xfe80n << 112n) + 5n) },
        port: { kind: 'literal', value: range(22, 25) },
      },
      { fullyRandom: true },
    ),
  )
  assert.deepEqual(one('dnat ip6 to fe80::1'), nat('dnat', { to: literal((0xfe80n << 112n) + 1n) }))
  assert.deepEqual(
    one('redirect to :2222 random,persistent'),
    nat('redirect', { port: literal(2222) }, { random: true, persistent: true }),
  )
  assert.deepEqual(one('masquerade'), nat('masquerade', {}))
  assert.deepEqual(
    one('snat to 1.2.3.4-1.2.3.9 persistent', 'ip'),
    nat('snat', { to: { kind: 'literal', value: range(0x01020304, 0x01020309) } }, { persistent: true }),
  )
  assert.deepEqual(
    one('dnat to 1.1.1.1:tcp dport map { 80 : 8080 }', 'ip'),
    nat('dnat', {
      to: literal(0x01010101),
      port: {
        kind: 'map',
        key: payload('tcp', 'dport'),
        map: { kind: 'anonymous', elements: [{ key: value(80), data: value(8080) }] },
      },
    }),
  )
  assert.deepEqual(one('dnat ip prefix to ip daddr map { 10.0.0.0/8 : 11.0.0.0/8 }'), {
    kind: 'netmap',
    op: 'dnat',
    to: {
      kind: 'map',
      key: payload('ip', 'daddr'),
      map: { kind: 'anonymous', elements: [{ key: range(0x0a000000, 0x0affffff), data: range(0x0b000000, 0x0bffffff) }] },
    },
  })
})

test('a map may give address and port at once', () => {
  const both = one('dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }')
  assert.ok(both.kind === 'nat' && both.toBoth?.kind === 'map' && both.toBoth.map.kind === 'anonymous')
  assert.deepEqual(both.toBoth.map.elements[1]?.data, { kind: 'concat', parts: [value(0x0a000002), value(81)] })
  const sets = '\tmap m {\n\t\ttype ipv4_addr : ipv4_addr . inet_service\n\t}\n\tmap a {\n\t\ttype ipv4_addr : ipv4_addr\n\t}\n'
  const named = one('dnat ip to ip daddr map @m', 'inet', sets)
  assert.ok(named.kind === 'nat' && named.toBoth !== undefined && named.to === undefined)
  const address = one('dnat ip to ip daddr map @a', 'inet', sets)
  assert.ok(address.kind === 'nat' && address.to !== undefined && address.toBoth === undefined)
})

test('rejects are named by their code, and by the table where nothing is said', () => {
  const rejects: readonly (readonly [string, TableFamily, string])[] = [
    ['reject', 'ip', 'icmp-port-unreachable'],
    ['reject', 'ip6', 'icmpv6-port-unreachable'],
    ['reject', 'inet', 'icmpx-port-unreachable'],
    ['reject with icmp type host-unreachable', 'ip', 'icmp-host-unreachable'],
    ['reject with icmp 10', 'ip', 'icmp-host-prohibited'],
    ['reject with icmpx admin-prohibited', 'inet', 'icmpx-admin-prohibited'],
    ['reject with tcp reset', 'inet', 'tcp-reset'],
  ]
  for (const [rule, family, name] of rejects) assert.deepEqual(read(rule, family).at(-1), { kind: 'reject', with: name })
})

test('what nft leaves out before a reject in its listings is still asked for', () => {
  const guard = (key: string, number: number) => [
    { kind: 'compare', key: { kind: 'meta', key }, op: 'eq', value: { kind: 'literal', elements: [value(number)] } },
  ]
  assert.deepEqual(read('reject with icmp host-unreachable', 'inet').slice(0, -1), guard('nfproto', 2))
  assert.deepEqual(read('reject with icmpv6 no-route', 'inet').slice(0, -1), guard('nfproto', 10))
  assert.deepEqual(read('reject with icmpv6 no-route', 'bridge').slice(0, -1), guard('protocol', 0x86dd))
  assert.deepEqual(read('reject with tcp reset', 'ip').slice(0, -1), guard('l4proto', 6))
  assert.equal(read('reject with icmpx admin-prohibited', 'inet').length, 1)
  assert.equal(read('reject with icmp host-unreachable', 'ip').length, 1)
})

test('queues span what their expression can give', () => {
  const queue = (from: number, to: number, bypass = false) => ({ kind: 'verdict', verdict: { kind: 'queue', from, to, bypass } })
  assert.deepEqual(one('queue'), queue(0, 0))
  assert.deepEqual(one('queue to 3'), queue(3, 3))
  assert.deepEqual(one('queue num 1-7 bypass'), queue(1, 7, true))
  assert.deepEqual(one('queue flags bypass,fanout to 1-7'), queue(1, 7, true))
  assert.deepEqual(one('queue to numgen inc mod 3 offset 4'), queue(4, 6))
})

test('rates are told in canonical words', () => {
  const rates: readonly (readonly [string, string, string])[] = [
    ['limit rate 10/second burst 5 packets', 'limit', 'limit rate 10/second'],
    ['limit rate over 1 kbytes/second burst 512 bytes', 'limit', 'limit rate over 1 kbytes/second burst 512 bytes'],
    ['limit name "l1"', 'limit', 'limit name "l1"'],
    ['quota over 10 mbytes used 5 kbytes', 'quota', 'quota over 10 mbytes'],
    ['ct count over 20', 'ct count', 'ct count over 20'],
  ]
  for (const [rule, name, text] of rates) assert.deepEqual(one(rule), { kind: 'rate', name, text })
})

test('sets are updated from rules', () => {
  const key = { kind: 'concat', parts: [payload('ip', 'saddr'), payload('tcp', 'dport')] }
  assert.deepEqual(one('add @s { ip saddr . tcp dport timeout 5s limit rate 10/second }'), {
    kind: 'set-update',
    op: 'add',
    set: 's',
    key,
    matches: [{ kind: 'rate', name: 'limit', text: 'limit rate 10/second' }],
  })
  assert.deepEqual(one('update @affinity-A-ns/s/tcp/p__10.0.0.1/80 { ip saddr }'), {
    kind: 'set-update',
    op: 'update',
    set: 'affinity-A-ns/s/tcp/p__10.0.0.1/80',
    key: payload('ip', 'saddr'),
    matches: [],
  })
  assert.deepEqual(one('update @m { ip saddr : tcp dport }'), {
    kind: 'set-update',
    op: 'update',
    set: 'm',
    key: payload('ip', 'saddr'),
    data: payload('tcp', 'dport'),
    matches: [],
  })
})

test('the remaining statements', () => {
  const expected: readonly (readonly [string, object])[] = [
    ['counter packets 3 bytes 180', { kind: 'counter', packets: 3, bytes: 180 }],
    ['counter name "c"', { kind: 'object', type: 'counter', name: 'c' }],
    ['ct helper set "h"', { kind: 'object', type: 'ct helper', name: 'h' }],
    ['log prefix "a b" group 5 flags tcp sequence,options', { kind: 'log', prefix: 'a b', group: 5 }],
    ['notrack', { kind: 'notrack' }],
    ['flow add @f', { kind: 'flow-add', flowtable: 'f' }],
    ['synproxy mss 1460 wscale 7 timestamp sack-perm', { kind: 'synproxy' }],
    ['reset tcp option timestamp', { kind: 'side-effect', name: 'reset', text: 'reset tcp option timestamp' }],
    ['xt match "recent"', { kind: 'unknown-match', name: 'xt recent', text: 'xt match recent' }],
    ['xt target "LOG"', { kind: 'unknown-action', name: 'xt LOG', text: 'xt target LOG' }],
    ['tproxy ip to 1.2.3.4:5', { kind: 'tproxy', address: literal(0x01020304), port: literal(5) }],
    ['meta nftrace set 1', { kind: 'assign', target: meta('nftrace'), value: literal(1) }],
    ['meta priority set 1:ffff', { kind: 'assign', target: meta('priority'), value: literal(0x1ffff) }],
    ['@nh,96,32 0x1020304', compare({ kind: 'raw', base: 'network', offset: 96, length: 32 }, 'eq', value(0x01020304))],
    ['@nh,0,128 0x5', compare({ kind: 'raw', base: 'network', offset: 0, length: 128 }, 'eq', value(5n))],
    ['exthdr frag missing', compare({ kind: 'exthdr', header: 'ip6', name: 'frag' }, 'eq', value(0))],
    ['vlan id 5', compare({ kind: 'field', name: 'vlan id' }, 'eq', value(5))],
    [
      'ct original proto-dst { 0x5 [invalid type], 0x50 [invalid type]-0x5a [invalid type] }',
      compare({ kind: 'ct', key: 'proto-dst', direction: 'original' }, 'eq', value(5), range(80, 90)),
    ],
  ]
  for (const [rule, statement] of expected) assert.deepEqual(one(rule), statement, rule)
  assert.deepEqual(one('dup to "eth1"', 'netdev'), { kind: 'dup', device: literal('eth1') })
  assert.deepEqual(one('fwd ip to 1.2.3.4 device "eth1"', 'netdev'), {
    kind: 'fwd',
    device: literal('eth1'),
    address: literal(0x01020304),
  })
  assert.deepEqual(read('last used 5s'), [])
  assert.deepEqual(read('xt match "comment" accept'), [{ kind: 'verdict', verdict: { kind: 'accept' } }])
})
