// SPDX-License-Identifier: Apache-2.0

import { type Address, type Family, parseAddress } from '../net/address.ts'
import { type Prefix, parsePrefix, prefixOf } from '../net/prefix.ts'
import {
  type Device,
  type DeviceAddress,
  type FactPlace,
  type Neighbour,
  type Nexthop,
  type Route,
  type RouteType,
  type RoutingRule,
  type RuleAction,
  SCOPE,
} from './netns.ts'
import type { ConntrackFact, ConntrackFile, TupleFact } from './node.ts'
import type { Shape } from './objectsShape.ts'

/** From a namespace's JSON files (shapes in core/facts/node.ts) to typed facts. A broken entry is reported and left out. */

export function parseLink(shape: Shape): Device | undefined {
  const ifindex = shape.field('ifindex').integer(1)
  const ifname = shape.field('ifname').text()
  if (ifindex === undefined || ifname === undefined) return shape.report('a link needs ifindex and ifname')
  return {
    place: placeOf(shape),
    ifindex,
    ifname,
    flags: shape
      .field('flags')
      .texts()
      .map((flag) => flag.toLowerCase()),
    mtu: shape.field('mtu').integer(0) ?? 1500,
    operstate: (shape.field('operstate').text() ?? 'unknown').toLowerCase(),
    kind: shape.field('kind').text() ?? '',
    ...optional('address', shape.field('address').text()),
    ...optional('master', shape.field('master').integer(1)),
    ...optional('peerIfindex', shape.field('peerIfindex').integer(1)),
    ...optional('peerNetns', shape.field('peerNetns').text()),
    altnames: shape.field('altnames').texts(),
    ...optional('vxlan', vxlan(shape.field('vxlan'))),
    ...optional('bridge', bridge(shape.field('bridge'))),
    ...optional('port', port(shape.field('port'))),
    fdb: shape
      .field('fdb')
      .items()
      .flatMap((entry) => fdbEntry(entry) ?? []),
  }
}

function vxlan(shape: Shape): Device['vxlan'] | undefined {
  if (!shape.present) return undefined
  return {
    id: shape.field('id').integer(0) ?? 0,
    port: shape.field('port').integer(0, 65_535) ?? 8472,
    ...optional('local', shape.field('local').text()),
    ...optional('group', shape.field('group').text()),
    learning: shape.field('learning').flag() ?? false,
    external: shape.field('external').flag() ?? false,
  }
}

function bridge(shape: Shape): Device['bridge'] | undefined {
  if (!shape.present) return undefined
  return {
    vlanFiltering: shape.field('vlanFiltering').flag() ?? false,
    nfCallIptables: shape.field('nfCallIptables').flag() ?? false,
    nfCallIp6tables: shape.field('nfCallIp6tables').flag() ?? false,
  }
}

function port(shape: Shape): Device['port'] | undefined {
  if (!shape.present) return undefined
  return {
    hairpin: shape.field('hairpin').flag() ?? false,
    isolated: shape.field('isolated').flag() ?? false,
    state: shape.field('state').integer(0) ?? 3,
  }
}

function fdbEntry(shape: Shape): NonNullable<Device['fdb']>[number] | undefined {
  const lladdr = shape.field('lladdr').text()?.toLowerCase()
  if (lladdr === undefined) return undefined
  return { lladdr, ...optional('dst', shape.field('dst').text()), ...optional('vlan', shape.field('vlan').integer(0)) }
}

export function parseDeviceAddress(shape: Shape): DeviceAddress | undefined {
  const ifindex = shape.field('ifindex').integer(1)
  const [ip, bits] = (shape.field('address').text() ?? '').split('/')
  const address = parseAddress(ip ?? '')
  const prefix = address && parsePrefix(bits === undefined ? (ip ?? '') : `${ip}/${bits}`)
  if (ifindex === undefined || address === undefined || prefix === undefined) {
    return shape.report('an address needs ifindex and an address with prefix length')
  }
  const peer = parseAddress((shape.field('peer').text() ?? '').split('/')[0] ?? '')
  return {
    place: placeOf(shape),
    ifindex,
    family: address.family,
    address,
    network: peer?.family === address.family ? prefixOf(peer, prefix.bits) : prefix,
    scope: scope(shape.field('scope')),
    flags: new Set(shape.field('flags').texts()),
  }
}

export function parseRoute(shape: Shape): Route | undefined {
  const family = familyOf(shape)
  const table = shape.field('table').integer(0)
  const dst = prefixField(shape.field('dst'), family)
  const type = choice(shape.field('type'), ROUTE_TYPES)
  if (table === undefined || dst === undefined || type === undefined) {
    return shape.report('a route needs family, table, dst and a known type')
  }
  return {
    place: placeOf(shape),
    family,
    table,
    dst,
    src: prefixField(shape.field('src'), family),
    type,
    scope: scope(shape.field('scope')),
    protocol: shape.field('protocol').text() ?? '',
    metric: shape.field('metric').integer(0) ?? 0,
    tos: shape.field('tos').integer(0, 255) ?? 0,
    prefsrc: addressField(shape.field('prefsrc')),
    mtu: shape.field('mtu').integer(0),
    nexthops: shape.field('nexthops').items().map(nexthop),
  }
}

const ROUTE_TYPES: readonly RouteType[] = [
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
]

function nexthop(shape: Shape): Nexthop {
  return {
    ifindex: shape.field('ifindex').integer(0) || undefined,
    via: addressField(shape.field('via')),
    weight: Math.max(1, shape.field('weight').integer(0) ?? 1),
    flags: new Set(shape.field('flags').texts()),
  }
}

const RULE_ACTIONS: readonly RuleAction[] = ['lookup', 'goto', 'nop', 'blackhole', 'unreachable', 'prohibit']

export function parseRule(shape: Shape): RoutingRule | undefined {
  const family = familyOf(shape)
  const priority = shape.field('priority').integer(0)
  const action = choice(shape.field('action'), RULE_ACTIONS)
  if (priority === undefined || action === undefined) return shape.report('a rule needs priority and a known action')
  const fwmark = shape.field('fwmark').integer(0)
  return {
    place: placeOf(shape),
    family,
    priority,
    not: shape.field('not').flag() ?? false,
    src: prefixField(shape.field('src'), family),
    dst: prefixField(shape.field('dst'), family),
    iif: shape.field('iif').text(),
    oif: shape.field('oif').text(),
    fwmark,
    fwmask: shape.field('fwmask').integer(0) ?? (fwmark === undefined ? 0 : 0xffff_ffff),
    tos: shape.field('tos').integer(0, 255) ?? 0,
    ipProtocol: shape.field('ipProtocol').integer(0, 255),
    sportRange: range(shape.field('sportRange')),
    dportRange: range(shape.field('dportRange')),
    uidRange: range(shape.field('uidRange')),
    suppressPrefixLength: shape.field('suppressPrefixLength').integer(0),
    l3mdev: shape.field('l3mdev').flag() ?? false,
    action,
    table: shape.field('table').integer(0),
    gotoPriority: shape.field('gotoPriority').integer(0),
  }
}

function range(shape: Shape): readonly [number, number] | undefined {
  const [low, high] = shape.items().map((item) => item.integer(0))
  return low === undefined || high === undefined ? undefined : [low, high]
}

export function parseNeighbour(shape: Shape): Neighbour | undefined {
  const ifindex = shape.field('ifindex').integer(1)
  const address = addressField(shape.field('address'))
  if (ifindex === undefined || address === undefined) return shape.report('a neighbour needs ifindex and address')
  return {
    place: placeOf(shape),
    ifindex,
    address,
    lladdr: shape.field('lladdr').text()?.toLowerCase(),
    state: shape.field('state').text() ?? '',
  }
}

export function parseConntrack(shape: Shape): ConntrackFile {
  return {
    count: shape.field('count').integer(0) ?? 0,
    max: shape.field('max').integer(0) ?? 0,
    omitted: shape.field('omitted').integer(0) ?? 0,
    entries: shape
      .field('entries')
      .items()
      .flatMap((entry) => conntrackEntry(entry) ?? []),
  }
}

function conntrackEntry(shape: Shape): ConntrackFact | undefined {
  const protocol = shape.field('protocol').integer(0, 255)
  const original = tuple(shape.field('original'))
  const reply = tuple(shape.field('reply'))
  if (protocol === undefined || original === undefined || reply === undefined) {
    return shape.report('a conntrack entry needs protocol, original and reply')
  }
  return {
    protocol,
    original,
    reply,
    status: shape.field('status').integer(0) ?? 0,
    mark: shape.field('mark').integer(0) ?? 0,
    zone: shape.field('zone').integer(0) ?? 0,
    ...optional('tcpState', shape.field('tcpState').text()),
    timeout: shape.field('timeout').integer(0) ?? 0,
  }
}

function tuple(shape: Shape): TupleFact | undefined {
  const src = shape.field('src').text()
  const dst = shape.field('dst').text()
  if (src === undefined || dst === undefined) return undefined
  return {
    src,
    dst,
    ...optional('sport', shape.field('sport').integer(0, 65_535)),
    ...optional('dport', shape.field('dport').integer(0, 65_535)),
    ...optional('icmpType', shape.field('icmpType').integer(0, 255)),
    ...optional('icmpCode', shape.field('icmpCode').integer(0, 255)),
    ...optional('icmpId', shape.field('icmpId').integer(0, 65_535)),
  }
}

function placeOf(shape: Shape): FactPlace {
  return { file: shape.file, pointer: shape.pointer }
}

function familyOf(shape: Shape): Family {
  return shape.field('family').integer() === 6 ? 6 : 4
}

function prefixField(shape: Shape, family: Family): Prefix | undefined {
  const text = shape.text()
  if (text === undefined || text === '') return undefined
  const prefix = text === 'default' ? parsePrefix(family === 4 ? '0.0.0.0/0' : '::/0') : parsePrefix(text)
  return prefix ?? shape.report(`${JSON.stringify(text.slice(0, 60))} is not a prefix`)
}

function addressField(shape: Shape): Address | undefined {
  const text = shape.text()
  if (text === undefined || text === '') return undefined
  return parseAddress(text) ?? shape.report(`${JSON.stringify(text.slice(0, 60))} is not an address`)
}

const SCOPES: ReadonlyMap<string, number> = new Map([
  ['global', SCOPE.universe],
  ['universe', SCOPE.universe],
  ['site', SCOPE.site],
  ['link', SCOPE.link],
  ['host', SCOPE.host],
  ['nowhere', SCOPE.nowhere],
])

function scope(shape: Shape): number {
  const text = shape.text() ?? 'global'
  return SCOPES.get(text) ?? (/^\d{1,3}$/.test(text) ? Number(text) : SCOPE.universe)
}

function choice<T extends string>(shape: Shape, allowed: readonly T[]): T | undefined {
  const text = shape.text()
  return allowed.find((candidate) => candidate === text)
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V })
}
