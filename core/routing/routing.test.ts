// SPDX-License-Identifier: Apache-2.0

/** Single decisions by hand; test/kernel/routing.test.ts holds thousands of random ones against the kernel. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryFiles } from '../facts/memory.ts'
import type { Netns } from '../facts/netns.ts'
import { loadNodeSnapshot } from '../facts/snapshot.ts'
import { type Address, formatAddress, parseAddress } from '../net/address.ts'
import type { RouteDecision } from './decision.ts'
import { NetnsEnvironment } from './environment.ts'
import { routeInput } from './input.ts'
import { addressFlow, routeOutput } from './output.ts'

const LINKS = ['lo', 'eth0', 'eth1'].map((ifname, i) => ({
  ifindex: i + 1,
  ifname,
  flags: ['up', ...(ifname === 'lo' ? ['loopback'] : [])],
  mtu: 1500,
  operstate: 'up',
  kind: '',
}))

const ADDRESSES = [
  { ifindex: 1, family: 4, address: '127.0.0.1/8', scope: 'host', flags: [] },
  { ifindex: 2, family: 4, address: '10.0.0.1/24', scope: 'global', flags: [] },
  { ifindex: 2, family: 4, address: '10.0.0.9/24', scope: 'global', flags: ['secondary'] },
  { ifindex: 3, family: 4, address: '10.1.0.1/24', scope: 'global', flags: [] },
]

const local = (dst: string, ifindex: number) => ({
  family: 4,
  table: 255,
  dst,
  type: 'local',
  scope: 'host',
  protocol: 'kernel',
  metric: 0,
  nexthops: [{ ifindex, weight: 1, flags: [] }],
})
const route = (dst: string, ifindex: number, extra: object = {}) => ({
  family: 4,
  table: 254,
  dst,
  type: 'unicast',
  scope: 'global',
  protocol: 'boot',
  metric: 0,
  nexthops: [{ ifindex, weight: 1, flags: [] }],
  ...extra,
})

const ROUTES: readonly object[] = [
  local('127.0.0.0/8', 1),
  local('10.0.0.1/32', 2),
  local('10.1.0.1/32', 3),
  route('10.0.0.0/24', 2, { scope: 'link', prefsrc: '10.0.0.1' }),
  route('10.1.0.0/24', 3, { scope: 'link', prefsrc: '10.1.0.1' }),
  route('0.0.0.0/0', 2, { nexthops: [{ ifindex: 2, via: '10.0.0.254', weight: 1, flags: [] }] }),
]

const rule = (priority: number, extra: object) => ({ family: 4, priority, not: false, action: 'lookup', ...extra })
const RULES = [rule(0, { table: 255 }), rule(32_766, { table: 254 }), rule(32_767, { table: 253 })]

function netns(
  sysctls: Readonly<Record<string, string>> = {},
  routes: readonly object[] = [],
  rules: readonly object[] = [],
): Netns {
  const files = {
    'links.json': LINKS,
    'addresses.json': ADDRESSES,
    'routes.json': [...ROUTES, ...routes],
    'rules.json': [...RULES, ...rules],
    'sysctl.json': { 'net.ipv4.conf.eth0.forwarding': '1', 'net.ipv4.conf.eth1.forwarding': '1', ...sysctls },
  }
  const contents = Object.entries(files).map(
    ([name, value]) => [`nodes/n/netns/host/${name}`, new TextEncoder().encode(JSON.stringify(value))] as const,
  )
  const { host, problems } = loadNodeSnapshot(memoryFiles('test', new Map(contents)), 'n')
  assert.ok(host)
  assert.deepEqual(host.routes.length + host.rules.length > 0 && problems, [])
  return host
}

function ip(text: string): Address {
  const address = parseAddress(text)
  assert.ok(address)
  return address
}

function out(space: Netns, dst: string, extra: object = {}): string {
  return routeOutput(space, { ...addressFlow(ip(dst)), ...extra })
    .map(words)
    .join(' | ')
}

function into(space: Netns, src: string, dst: string, iif: string, extra: object = {}): string {
  return routeInput(space, { ...addressFlow(ip(dst)), src: ip(src), iif, ...extra })
    .map(words)
    .join(' | ')
}

function words(decision: RouteDecision): string {
  const share = decision.probability === 1 ? '' : ` ${decision.probability}`
  if (decision.kind === 'unrouted') return `${decision.failure}${share}`
  return `${decision.type} ${decision.oif}${decision.via === undefined ? '' : ` via ${formatAddress(decision.via)}`} src ${formatAddress(decision.src)}${share}`
}

test('the longest prefix wins, and the source is the outgoing network’s', () => {
  assert.equal(out(netns(), '10.1.0.7'), 'unicast eth1 src 10.1.0.1')
  assert.equal(out(netns(), '192.0.2.1'), 'unicast eth0 via 10.0.0.254 src 10.0.0.1')
  assert.equal(out(netns(), '10.1.0.1'), 'local lo src 10.1.0.1')
})

test('several nexthops share by weight', () => {
  const nexthops = [
    { ifindex: 2, weight: 3, flags: [] },
    { ifindex: 3, weight: 1, flags: [] },
  ]
  assert.equal(
    out(netns({}, [route('10.9.0.0/16', 2, { nexthops })]), '10.9.0.1'),
    'unicast eth0 src 10.0.0.1 0.75 | unicast eth1 src 10.1.0.1 0.25',
  )
})

test('dead nexthops are left out, those without carrier only where the device says so', () => {
  const down = [route('10.9.0.0/16', 3, { nexthops: [{ ifindex: 3, weight: 1, flags: ['linkdown'] }] })]
  assert.equal(out(netns({}, down), '10.9.0.1'), 'unicast eth1 src 10.1.0.1')
  assert.equal(
    out(netns({ 'net.ipv4.conf.eth1.ignore_routes_with_linkdown': '1' }, down), '10.9.0.1'),
    'unicast eth0 via 10.0.0.254 src 10.0.0.1',
  )
})

test('rules: marks, inversion, goto, suppressed prefixes, and an end', () => {
  const routes = [route('10.9.0.0/16', 3, { table: 100 })]
  const withRule = (...rules: readonly object[]) => netns({}, routes, rules)
  assert.equal(
    out(withRule(rule(10, { fwmark: 4, fwmask: 4, table: 100 })), '10.9.0.1', { mark: 6 }),
    'unicast eth1 src 10.1.0.1',
  )
  assert.equal(
    out(withRule(rule(10, { not: true, fwmark: 4, fwmask: 4, table: 100 })), '10.9.0.1', { mark: 6 }),
    'unicast eth0 via 10.0.0.254 src 10.0.0.1',
  )
  assert.equal(
    out(withRule(rule(10, { table: 254, suppressPrefixLength: 0 }), rule(11, { action: 'prohibit' })), '192.0.2.1'),
    'prohibit',
  )
  assert.equal(
    out(
      withRule(rule(10, { action: 'goto', gotoPriority: 20 }), rule(11, { action: 'prohibit' }), rule(20, { table: 100 })),
      '10.9.0.1',
    ),
    'unicast eth1 src 10.1.0.1',
  )
  assert.equal(
    out(withRule(rule(10, { action: 'goto', gotoPriority: 21 }), rule(11, { action: 'prohibit' })), '10.9.0.1'),
    'prohibit',
    'an unresolved goto does nothing',
  )
})

test('a rule that asks for what nobody knows gives both ways', () => {
  const space = netns({}, [route('10.9.0.0/16', 3, { table: 100 })], [rule(10, { uidRange: [1000, 2000], table: 100 })])
  assert.equal(
    out(space, '10.9.0.1', { uid: undefined }),
    'unicast eth1 src 10.1.0.1 null | unicast eth0 via 10.0.0.254 src 10.0.0.1 null',
  )
  assert.equal(out(space, '10.9.0.1', { uid: 0 }), 'unicast eth0 via 10.0.0.254 src 10.0.0.1')
})

test('packets that came in: here, onward, or refused with the setting that decided', () => {
  assert.equal(into(netns(), '10.0.0.7', '10.1.0.7', 'eth0'), 'unicast eth1 src 10.0.0.7')
  assert.equal(into(netns(), '10.0.0.7', '10.0.0.1', 'eth0'), 'local lo src 10.0.0.7')
  assert.equal(into(netns({ 'net.ipv4.conf.eth0.forwarding': '0' }), '10.0.0.7', '10.1.0.7', 'eth0'), 'not-forwarding')
  assert.equal(into(netns(), '10.1.0.1', '10.0.0.1', 'eth0'), 'martian-source', 'its own address can’t come in')
  assert.equal(into(netns(), '10.0.0.7', '127.0.0.1', 'eth0'), 'martian-destination')
  assert.equal(into(netns({ 'net.ipv4.conf.all.route_localnet': '1' }), '10.0.0.7', '127.0.0.1', 'eth0'), 'local lo src 10.0.0.7')
})

test('reverse path: strict wants the same device, loose any; the greater of all and own counts', () => {
  const strict = netns({ 'net.ipv4.conf.eth1.rp_filter': '1' })
  assert.equal(into(strict, '10.0.0.7', '10.1.0.1', 'eth1'), 'rp-filter')
  assert.equal(into(strict, '10.1.0.7', '10.1.0.1', 'eth1'), 'local lo src 10.1.0.7')
  assert.equal(
    into(netns({ 'net.ipv4.conf.eth1.rp_filter': '1', 'net.ipv4.conf.all.rp_filter': '2' }), '10.0.0.7', '10.1.0.1', 'eth1'),
    'local lo src 10.0.0.7',
  )
  const [refused] = routeInput(strict, { ...addressFlow(ip('10.1.0.1')), src: ip('10.0.0.7'), iif: 'eth1' })
  assert.equal(refused?.kind === 'unrouted' ? refused.sysctl : '', 'net.ipv4.conf.eth1.rp_filter')
})

test('what rules ask: address types, the address to masquerade with, the way back', () => {
  const environment = new NetnsEnvironment(netns({ 'net.ipv4.ip_local_port_range': '1024\t2048' }))
  const types = ['10.0.0.1', '10.0.0.9', '192.0.2.1', '224.0.0.1', '255.255.255.255', '127.9.9.9'].map((text) =>
    environment.addressType(ip(text)),
  )
  assert.deepEqual(
    types,
    ['local', 'unicast', 'unicast', 'multicast', 'broadcast', 'local'],
    'by routes, as the kernel: 10.0.0.9 has none',
  )
  assert.equal(environment.addressType(ip('10.0.0.1'), 'eth1'), 'unicast', 'not an address of that device')
  const masquerade = environment.masqueradeAddress('eth1', ip('192.0.2.1'), 4)
  assert.equal(masquerade && formatAddress(masquerade), '10.1.0.1')
  assert.deepEqual(environment.routeTo(ip('10.1.0.7'), { mark: 0 }), { oif: 'eth1', type: 'unicast' })
  assert.deepEqual(environment.localPortRange, [1024, 2048])
})
