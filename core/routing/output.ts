// SPDX-License-Identifier: Apache-2.0

import { type Device, isLoopback, isUp, type Netns, type Nexthop, SCOPE } from '../facts/netns.ts'
import { type Address, formatAddress, sameAddress } from '../net/address.ts'
import { prefixContains } from '../net/prefix.ts'
import { NOTHING_DECIDED, type RouteDecision, type RouteFailure, type Unrouted } from './decision.ts'
import { fibLookup, type Lookup, type LookupBranch, type LookupOptions } from './lookup.ts'
import type { Flow } from './rules.ts'
import { eitherSetting, globalSetting } from './settings.ts'
import {
  isLimitedBroadcast,
  isLinkLocal6,
  isLoopbackAddress,
  isMulticast,
  isOwnAddress,
  isZeronet,
  loopbackAddress,
  selectAddress4,
  selectAddress6,
  unspecified,
} from './source.ts'

/**
 * Where a packet made in this namespace goes, and with which source address (net/ipv4/route.c
 * ip_route_output_key_hash_rcu, net/ipv6/ip6_output.c ip6_dst_lookup_tail).
 */
export function routeOutput(netns: Netns, flow: Flow): readonly RouteDecision[] {
  return flow.family === 4 ? output4(netns, flow) : output6(netns, flow)
}

function output4(netns: Netns, asked: Flow): readonly RouteDecision[] {
  const { src } = asked
  if (src !== undefined && (isMulticast(src) || isLimitedBroadcast(src) || isZeronet(src) || !isLocal(netns, src))) {
    return [refused('invalid-source', 'EINVAL', `${formatAddress(src)} is not an address of this namespace`)]
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

/** RTN_LOCAL by any table, as __ip_dev_find falls back to the FIB. */
function isLocal(netns: Netns, address: Address): boolean {
  if (isOwnAddress(netns, address)) return true
  return netns.routes.some((route) => route.type === 'local' && route.dst.bits > 0 && prefixContains(route.dst, address))
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
    return [{ kind: 'routed', type: 'local', oif: 'lo', via: undefined, src, probability: one(missing), route, rule, missing }]
  }
  const type = isLimitedBroadcast(flow.dst) ? 'broadcast' : isMulticast(flow.dst) ? 'multicast' : routedType(route.type)
  return spread(netns, flow, lookup.nexthops).map(({ nexthop, share }): RouteDecision => {
    const device = netns.devices.at(nexthop.ifindex)
    const oif = netns.devices.nameOf(nexthop.ifindex) ?? 'lo'
    const via = nexthop.via
    const towards = via?.family === 4 ? via : undefined
    const src = flow.src ?? route.prefsrc ?? selectAddress4(netns, device, towards, route.scope) ?? unspecified(4)
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
  const type = isLimitedBroadcast(flow.dst) ? 'broadcast' : isMulticast(flow.dst) ? 'multicast' : 'unicast'
  const src = flow.src ?? selectAddress4(netns, device, undefined, SCOPE.link) ?? unspecified(4)
  return [{ kind: 'routed', type, oif: device.ifname, via: undefined, src, ...NOTHING_DECIDED }]
}

function output6(netns: Netns, flow: Flow): readonly RouteDecision[] {
  const strict = isLinkLocal6(flow.dst) || isMulticast(flow.dst) || (flow.oif !== undefined && flow.src === undefined)
  return lookup6(netns, flow, { strictDevice: strict }).flatMap((branch) => decide6(netns, flow, branch))
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
  if (nexthops.length === 1 || flow.oif !== undefined) return [{ nexthop: first, share: 1 }]
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
  return { ...refused(error, ERRNO[error], text), route, rule, missing, probability: one(missing) }
}

function refused(failure: RouteFailure, answer: string | undefined, text: string, sysctl?: string): Unrouted {
  return { kind: 'unrouted', failure, answer, text, sysctl, ...NOTHING_DECIDED }
}

function one(missing: readonly string[]): number | null {
  return missing.length > 0 ? null : 1
}

function routedType(type: string): 'unicast' | 'local' | 'broadcast' | 'anycast' | 'multicast' {
  return type === 'local' || type === 'broadcast' || type === 'anycast' || type === 'multicast' ? type : 'unicast'
}

/** 224.0.0.0/24 never leaves the link. */
function isLinkLocalMulticast(address: Address): boolean {
  return address.family === 4 && address.value >>> 8 === 0xe00000
}
