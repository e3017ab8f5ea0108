// SPDX-License-Identifier: Apache-2.0

import { type Device, isLoopback, isUp, type Netns, type Nexthop, SCOPE } from '../facts/netns.ts'
import { type Address, formatAddress, sameAddress } from '../net/address.ts'
import { NOTHING_DECIDED, type RouteDecision, type Routed, type RouteFailure, type Unrouted } from './decision.ts'
import { fibLookup, type Lookup, type LookupBranch, type LookupOptions, tableLookup } from './lookup.ts'
import { type Flow, hasDefaultRules } from './rules.ts'
import { eitherSetting, globalSetting } from './settings.ts'
import {
  isLimitedBroadcast,
  isLinkLocal6,
  isLoopbackAddress,
  isMulticast,
  isZeronet,
  loopbackAddress,
  selectAddress4,
  selectAddress6,
  unspecified,
} from './source.ts'
import { RT_TABLE, tablesOf } from './tables.ts'

/**
 * Where a packet made in this namespace goes, and with which source address (net/ipv4/route.c
 * ip_route_output_key_hash_rcu, net/ipv6/ip6_output.c ip6_dst_lookup_tail).
 */
export function routeOutput(netns: Netns, flow: Flow, options: OutputOptions = {}): readonly RouteDecision[] {
  return flow.family === 4 ? output4(netns, flow, options) : output6(netns, flow, options)
}

export interface OutputOptions {
  /** Only the table lookup, as `ip -6 route get` does, without the second try with a selected source. */
  readonly lookupOnly?: boolean
  /** The source need not be an address of this namespace (FLOWI_FLAG_ANYSRC), as when rules changed a packet made here. */
  readonly anySource?: boolean
}

function output4(netns: Netns, asked: Flow, { anySource }: OutputOptions): readonly RouteDecision[] {
  const { src } = asked
  if (src !== undefined && anySource !== true) {
    const owner = isMulticast(src) || isLimitedBroadcast(src) || isZeronet(src) ? undefined : deviceOf(netns, src)
    if (owner === undefined) {
      return [refused('invalid-source', 'ENETUNREACH', `${formatAddress(src)} is not an address of this namespace`)]
    }
    if (asked.oif === undefined && (isMulticast(asked.dst) || isLimitedBroadcast(asked.dst))) return onLink4(netns, asked, owner)
  }
  if (asked.oif !== undefined) {
    const device = netns.devices.named(asked.oif)
    if (device === undefined) return [refused('no-device', 'ENODEV', `there is no device ${asked.oif}`)]
    if (!isUp(device)) return [refused('no-device', 'ENETUNREACH', `device ${asked.oif} is down`)]
    if (isLinkLocalMulticast(asked.dst) || isLimitedBroadcast(asked.dst)) return onLink4(netns, asked, device)
  }
  // Without a destination the kernel sends to itself.
  const toSelf = isZeronet(asked.dst) && asked.dst.value === 0
  const flow = toSelf ? { ...asked, dst: src ?? loopbackAddress(4) } : asked
  return fibLookup(netns, flow).flatMap((branch) => decide4(netns, flow, branch))
}

/** The device an address belongs to: assigned there, or of a local route (devinet.c __ip_dev_find). */
function deviceOf(netns: Netns, address: Address): Device | undefined {
  const assigned = netns.addresses.find((entry) => sameAddress(entry.address, address))
  if (assigned !== undefined) return netns.devices.at(assigned.ifindex)
  const tables = tablesOf(netns)
  const table = hasDefaultRules(netns, 4) ? tables.merged : tables.table(4, RT_TABLE.local)
  const found = tableLookup(netns, table, addressFlow(address), {}, undefined)
  return found?.kind === 'found' && found.route.type === 'local' ? netns.devices.at(found.nexthops[0]?.ifindex) : undefined
}

/** Asks about an address alone. */
export function addressFlow(dst: Address): Flow {
  return {
    family: dst.family,
    dst,
    src: undefined,
    mark: 0,
    tos: 0,
    iif: undefined,
    oif: undefined,
    protocol: 0,
    sport: 0,
    dport: 0,
    uid: 0,
  }
}

function decide4(netns: Netns, flow: Flow, { lookup, missing }: LookupBranch): readonly RouteDecision[] {
  if (lookup.kind === 'error') {
    const device = netns.devices.named(flow.oif)
    // "Apparently, routing tables are wrong. Assume, that the destination is on link."
    if (device !== undefined) return onLink4(netns, flow, device)
    return [routeError(lookup, missing)]
  }
  const { route, rule } = lookup
  if (route.type === 'local') {
    const src = flow.src ?? route.prefsrc ?? flow.dst
    const type = typeOf(flow.dst, 'local')
    return [{ kind: 'routed', type, oif: 'lo', via: undefined, src, probability: one(missing), route, rule, missing }]
  }
  const type = typeOf(flow.dst, routedType(route.type))
  return spread(netns, flow, lookup.nexthops).map(({ nexthop, share }): RouteDecision => {
    const device = netns.devices.at(nexthop.ifindex)
    const oif = netns.devices.nameOf(nexthop.ifindex) ?? 'lo'
    // Broadcasts have no gateway, and multicast only one of a route made for it.
    const via = type === 'broadcast' || (type === 'multicast' && route.dst.bits < 4) ? undefined : nexthop.via
    const gateway = nexthop.via?.family === 4 ? nexthop.via : undefined
    const src = flow.src ?? route.prefsrc ?? selectAddress4(netns, device, gateway, route.scope) ?? unspecified(4)
    const probability = missing.length > 0 ? null : share
    if (isLoopbackAddress(src) && !isLoopback(device) && eitherSetting(netns, 4, oif, 'route_localnet').value === 0) {
      const text = `a loopback source can't leave by ${oif}: route_localnet is off there`
      const sysctl = `net.ipv4.conf.${oif}.route_localnet`
      return { ...refused('invalid-source', 'EINVAL', text, sysctl), probability, route, rule, missing }
    }
    return { kind: 'routed', type, oif, via, src, probability, route, rule, missing }
  })
}

function onLink4(netns: Netns, flow: Flow, device: Device): readonly RouteDecision[] {
  const type = typeOf(flow.dst, 'unicast')
  const src = flow.src ?? selectAddress4(netns, device, undefined, SCOPE.link) ?? unspecified(4)
  return [{ kind: 'routed', type, oif: device.ifname, via: undefined, src, ...NOTHING_DECIDED }]
}

function output6(netns: Netns, flow: Flow, { lookupOnly }: OutputOptions): readonly RouteDecision[] {
  const strict = needsDevice6(flow.dst) || (flow.oif !== undefined && flow.src === undefined)
  const branches = (lookupOnly === true ? fibLookup : lookup6)(netns, flow, { strictDevice: strict })
  return branches.flatMap((branch) => decide6(netns, flow, branch))
}

/** route.c rt6_need_strict */
export function needsDevice6(address: Address): boolean {
  return isLinkLocal6(address) || isMulticast(address) || isLoopbackAddress(address)
}

/** A failed lookup without source is repeated with the source that would be taken. */
function lookup6(netns: Netns, flow: Flow, options: LookupOptions): readonly LookupBranch[] {
  return fibLookup(netns, flow, options).flatMap((branch) => {
    if (branch.lookup.kind === 'found' || flow.src !== undefined) return [branch]
    const src = selectAddress6(netns, undefined, flow.dst)
    return src === undefined ? [branch] : fibLookup(netns, { ...flow, src }, options)
  })
}

function decide6(netns: Netns, flow: Flow, { lookup, missing }: LookupBranch): readonly RouteDecision[] {
  if (lookup.kind === 'error') return [routeError(lookup, missing)]
  const { route, rule } = lookup
  const stays = route.type === 'local' || route.type === 'anycast'
  return spread(netns, flow, lookup.nexthops).map(({ nexthop, share }) => {
    const device = netns.devices.at(nexthop.ifindex)
    const src = flow.src ?? route.prefsrc ?? selectAddress6(netns, device, flow.dst) ?? unspecified(6)
    return {
      kind: 'routed',
      type: isMulticast(flow.dst) ? 'multicast' : routedType(route.type),
      oif: stays ? 'lo' : (netns.devices.nameOf(nexthop.ifindex) ?? 'lo'),
      via: nexthop.via,
      src,
      probability: missing.length > 0 ? null : share,
      route,
      rule,
      missing,
    }
  })
}

/** Nexthops with their share of the traffic (fib_semantics.c fib_select_multipath, fib_rebalance). */
export function spread(
  netns: Netns,
  flow: Pick<Flow, 'family' | 'src' | 'iif' | 'oif'>,
  nexthops: readonly Nexthop[],
): readonly { readonly nexthop: Nexthop; readonly share: number }[] {
  const first = nexthops[0]
  if (first === undefined) return [{ nexthop: NO_NEXTHOP, share: 1 }]
  // With a device given, IPv4 keeps to the first nexthop on it; IPv6 spreads all the same.
  if (nexthops.length === 1 || (flow.family === 4 && flow.oif !== undefined)) return [{ nexthop: first, share: 1 }]
  const eligible = preferOwnSource(netns, flow, withoutFailed(netns, flow.family, nexthops))
  const total = eligible.reduce((sum, nexthop) => sum + nexthop.weight, 0)
  return eligible.map((nexthop) => ({ nexthop, share: nexthop.weight / total }))
}

const NO_NEXTHOP: Nexthop = { ifindex: undefined, via: undefined, weight: 1, flags: new Set() }

function withoutFailed(netns: Netns, family: 4 | 6, nexthops: readonly Nexthop[]): readonly Nexthop[] {
  if (family === 6 || globalSetting(netns, 'net.ipv4.fib_multipath_use_neigh', 0).value === 0) return nexthops
  const good = nexthops.filter((nexthop) => {
    const { via } = nexthop
    const neighbour =
      via && netns.neighbours.find((entry) => entry.ifindex === nexthop.ifindex && sameAddress(entry.address, via))
    return neighbour === undefined || !['failed', 'incomplete'].includes(neighbour.state)
  })
  return good.length === 0 ? nexthops.slice(0, 1) : good
}

/** From Linux 6.16 on, packets made here keep to the nexthop their source address belongs to. */
function preferOwnSource(
  netns: Netns,
  flow: Pick<Flow, 'family' | 'src' | 'iif'>,
  nexthops: readonly Nexthop[],
): readonly Nexthop[] {
  const { src } = flow
  if (flow.family === 6 || src === undefined || flow.iif !== undefined || !atLeast(netns.kernelRelease, 6, 16)) return nexthops
  const own = nexthops.filter((nexthop) => {
    const selected = selectAddress4(netns, netns.devices.at(nexthop.ifindex), nexthop.via, SCOPE.universe)
    return selected !== undefined && sameAddress(selected, src)
  })
  return own.length === 0 ? nexthops : own
}

function atLeast(release: string, major: number, minor: number): boolean {
  const match = /^(\d+)\.(\d+)/.exec(release)
  if (match === null) return false
  const [, left, right] = match.map(Number)
  return (left ?? 0) > major || (left === major && (right ?? 0) >= minor)
}

const ERRNO: Readonly<Record<string, string>> = {
  'no-route': 'ENETUNREACH',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  blackhole: 'EINVAL',
}

function routeError(lookup: Extract<Lookup, { kind: 'error' }>, missing: readonly string[]): Unrouted {
  const { error, route, rule } = lookup
  const text = error === 'no-route' ? 'no route to the destination' : `a route or rule of type ${error} ends its way`
  // A rule that says "unreachable" means the network, a route means the host.
  const answer = error === 'unreachable' && route === undefined ? 'ENETUNREACH' : ERRNO[error]
  return { ...refused(error, answer, text), route, rule, missing, probability: one(missing) }
}

function refused(failure: RouteFailure, answer: string | undefined, text: string, sysctl?: string): Unrouted {
  return { kind: 'unrouted', failure, answer, text, sysctl, ...NOTHING_DECIDED }
}

function one(missing: readonly string[]): number | null {
  return missing.length > 0 ? null : 1
}

/** __mkroute_output: the address says more than the route. */
function typeOf(dst: Address, type: Routed['type']): Routed['type'] {
  if (isLimitedBroadcast(dst)) return 'broadcast'
  return isMulticast(dst) ? 'multicast' : type
}

function routedType(type: string): Routed['type'] {
  return type === 'local' || type === 'broadcast' || type === 'anycast' || type === 'multicast' ? type : 'unicast'
}

/** 224.0.0.0/24 never leaves the link. */
function isLinkLocalMulticast(address: Address): boolean {
  return address.family === 4 && address.value >>> 8 === 0xe00000
}
