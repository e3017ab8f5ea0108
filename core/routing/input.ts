// SPDX-License-Identifier: Apache-2.0

import { isLoopback, type Netns } from '../facts/netns.ts'
import { type Address, formatAddress } from '../net/address.ts'
import { NOTHING_DECIDED, type RouteDecision, type RouteFailure, type Unrouted } from './decision.ts'
import { fibLookup, type Lookup, type LookupBranch } from './lookup.ts'
import { needsDevice6, spread } from './output.ts'
import { type Flow, hasDefaultRules } from './rules.ts'
import { eitherSetting, globalSetting, maxSetting, ownSetting, type Setting } from './settings.ts'
import { isLimitedBroadcast, isLoopbackAddress, isMulticast, isOwnAddress, isZeronet, unspecified } from './source.ts'
import { RT_TABLE } from './tables.ts'

/** A flow that came in by a device. */
export type InputFlow = Flow & { readonly iif: string; readonly src: Address }

/**
 * What becomes of a packet that came in: delivered here, forwarded, or refused (net/ipv4/route.c ip_route_input_slow,
 * fib_frontend.c fib_validate_source; net/ipv6/ip6_output.c ip6_forward).
 */
export function routeInput(netns: Netns, flow: InputFlow): readonly RouteDecision[] {
  return flow.family === 4 ? input4(netns, flow) : input6(netns, flow)
}

function input4(netns: Netns, flow: InputFlow): readonly RouteDecision[] {
  const { src, dst, iif } = flow
  if (isMulticast(src) || isLimitedBroadcast(src)) return [martianSource(flow, 'multicast and broadcast are no source')]
  if (isLimitedBroadcast(dst) || (isAny(src) && isAny(dst))) {
    const refused = isZeronet(src) ? undefined : validateSource(netns, asBroadcast(flow), undefined)
    return [refused ?? local(flow, 'broadcast')]
  }
  if (isZeronet(src)) return [martianSource(flow, '0.0.0.0/8 is no source')]
  if (isZeronet(dst)) return [martian('martian-destination', `${formatAddress(dst)} is no destination`)]
  if (isMulticast(dst)) return [notJoined(dst, iif)]
  const localnet = eitherSetting(netns, 4, iif, 'route_localnet')
  if (localnet.value === 0 && !isLoopback(netns.devices.named(iif))) {
    if (isLoopbackAddress(dst)) return [martian('martian-destination', notOverWire(dst, iif), localnet.key)]
    if (isLoopbackAddress(src)) return [martian('martian-source', notOverWire(src, iif), localnet.key)]
  }
  return fibLookup(netns, flow).flatMap((branch) => decide4(netns, flow, branch))
}

function decide4(netns: Netns, flow: InputFlow, { lookup, missing }: LookupBranch): readonly RouteDecision[] {
  const forwarding = ownSetting(netns, 4, flow.iif, 'forwarding')
  const decided = { route: lookup.route, rule: lookup.rule, missing, probability: missing.length > 0 ? null : 1 }
  if (lookup.kind === 'error') {
    return [{ ...(forwarding.value === 0 ? notForwarding(flow.iif, forwarding) : notFound(lookup, 4)), ...decided }]
  }
  const type = lookup.route.type
  if (type === 'local' || type === 'broadcast') {
    const refused = validateSource(netns, type === 'broadcast' ? asBroadcast(flow) : flow, undefined)
    return [refused ? { ...refused, ...decided } : { ...local(flow, type), ...decided }]
  }
  if (forwarding.value === 0) return [{ ...notForwarding(flow.iif, forwarding), ...decided }]
  if (type !== 'unicast') return [{ ...martian('martian-destination', `${formatAddress(flow.dst)} is ${type}`), ...decided }]
  return spread(netns, flow, lookup.nexthops).map(({ nexthop, share }): RouteDecision => {
    const probability = missing.length > 0 ? null : share
    const oif = netns.devices.nameOf(nexthop.ifindex) ?? 'lo'
    const refused = validateSource(netns, flow, oif)
    if (refused) return { ...refused, ...decided, probability }
    return { kind: 'routed', type: 'unicast', oif, via: nexthop.via, src: flow.src, ...decided, probability }
  })
}

/** Broadcasts are validated without their destination. */
function asBroadcast(flow: InputFlow): InputFlow {
  return { ...flow, dst: unspecified(4) }
}

/** Undefined: the source may come in by this device. */
function validateSource(netns: Netns, flow: InputFlow, oif: string | undefined): Unrouted | undefined {
  const { iif, src } = flow
  const filter = maxSetting(netns, 4, iif, 'rp_filter')
  const acceptLocal = eitherSetting(netns, 4, iif, 'accept_local')
  if (filter.value === 0) {
    if (acceptLocal.value !== 0) return undefined
    if (hasDefaultRules(netns, 4) && !hasCustomLocalRoutes(netns)) {
      const own = isOwnAddress(netns, src)
      return own ? martian('martian-source', `${formatAddress(src)} is this namespace's own address`, acceptLocal.key) : undefined
    }
  }
  return fullCheck(netns, flow, oif, filter, acceptLocal)
}

/** __fib_validate_source: looks up the way back to the source. */
function fullCheck(
  netns: Netns,
  flow: InputFlow,
  oif: string | undefined,
  filter: Setting,
  acceptLocal: Setting,
): Unrouted | undefined {
  const { iif, src } = flow
  const mark = eitherSetting(netns, 4, iif, 'src_valid_mark').value === 0 ? 0 : flow.mark
  const back: Flow = {
    ...flow,
    dst: src,
    src: flow.dst,
    mark,
    iif: oif,
    oif: undefined,
    sport: flow.dport,
    dport: flow.sport,
    uid: 0,
  }
  const lookup = fibLookup(netns, back)[0]?.lookup
  const noReturn = `the way back to ${formatAddress(src)} is not by ${iif}`
  const refuse = () => (filter.value === 0 ? undefined : martian('rp-filter', noReturn, filter.key))
  if (lookup === undefined || lookup.kind === 'error') return refuse()
  const { type } = lookup.route
  if (type !== 'unicast' && (type !== 'local' || acceptLocal.value === 0)) {
    return martian('martian-source', `${formatAddress(src)} is ${type} here`, type === 'local' ? acceptLocal.key : undefined)
  }
  const device = netns.devices.named(iif)
  const uses = lookup.route.nexthops.some((nexthop) => nexthop.ifindex === device?.ifindex)
  if (uses || (type === 'local' && isLoopback(device))) return undefined
  const noAddress = !netns.addresses.some((entry) => entry.family === 4 && entry.ifindex === device?.ifindex)
  return noAddress || filter.value === 1 ? refuse() : undefined
}

/** Local routes the kernel did not make for an address itself (net->ipv4.fib_has_custom_local_routes). */
function hasCustomLocalRoutes(netns: Netns): boolean {
  return netns.routes.some(
    (route) => route.family === 4 && route.type === 'local' && (route.table !== RT_TABLE.local || route.protocol !== 'kernel'),
  )
}

function input6(netns: Netns, flow: InputFlow): readonly RouteDecision[] {
  const { src, dst, iif } = flow
  const onLoopback = isLoopback(netns.devices.named(iif))
  if (isMulticast(src)) return [martianSource(flow, 'multicast is no source')]
  if (!onLoopback && isLoopbackAddress(dst)) return [martian('martian-destination', notOverWire(dst, iif))]
  if (!onLoopback && isLoopbackAddress(src)) return [martian('martian-source', notOverWire(src, iif))]
  if (isMulticast(dst)) return [notJoined(dst, iif)]
  const forwarding = globalSetting(netns, 'net.ipv6.conf.all.forwarding', 0)
  return fibLookup(netns, flow, { strictDevice: needsDevice6(dst) }).flatMap(({ lookup, missing }): readonly RouteDecision[] => {
    const decided = { route: lookup.route, rule: lookup.rule, missing, probability: missing.length > 0 ? null : 1 }
    if (lookup.kind === 'error') return [{ ...notFound(lookup, 6), ...decided }]
    const type = lookup.route.type
    if (type === 'local' || type === 'anycast') return [{ ...local(flow, 'local'), ...decided }]
    if (forwarding.value === 0) return [{ ...notForwarding(iif, forwarding), ...decided }]
    return spread(netns, flow, lookup.nexthops).map(({ nexthop, share }) => ({
      kind: 'routed',
      type: 'unicast',
      oif: netns.devices.nameOf(nexthop.ifindex) ?? 'lo',
      via: nexthop.via,
      src,
      ...decided,
      probability: missing.length > 0 ? null : share,
    }))
  })
}

function local(flow: InputFlow, type: 'local' | 'broadcast'): RouteDecision {
  return { kind: 'routed', type, oif: 'lo', via: undefined, src: flow.src, ...NOTHING_DECIDED }
}

function martianSource(flow: InputFlow, why: string): Unrouted {
  return martian('martian-source', `${formatAddress(flow.src)}: ${why}`)
}

function martian(failure: RouteFailure, text: string, sysctl?: string): Unrouted {
  return { kind: 'unrouted', failure, answer: undefined, text, sysctl, ...NOTHING_DECIDED }
}

/** net/ipv4/route.c ip_error, net/ipv6/route.c ip6_pkt_drop: blackholes are silent. */
const ICMP: Readonly<Record<4 | 6, Readonly<Record<string, string>>>> = {
  4: { 'no-route': 'icmp-net-unreachable', unreachable: 'icmp-host-unreachable', prohibit: 'icmp-admin-prohibited' },
  6: { 'no-route': 'icmp6-no-route', unreachable: 'icmp6-no-route', prohibit: 'icmp6-adm-prohibited' },
}

function notFound(lookup: Extract<Lookup, { kind: 'error' }>, family: 4 | 6): Unrouted {
  const { error, route } = lookup
  const text = error === 'no-route' ? 'no route to the destination' : `a route or rule of type ${error} ends its way`
  const answer = ICMP[family][error === 'unreachable' && route === undefined ? 'no-route' : error]
  return { ...martian(error, text), answer }
}

function notForwarding(iif: string, setting: Setting): Unrouted {
  const unsure = setting.known ? '' : ' (not among the facts; the kernel default is off)'
  return martian(
    'not-forwarding',
    `the destination is not here and ${iif} doesn't forward: ${setting.key} is 0${unsure}`,
    setting.key,
  )
}

/** Group membership is not among the facts. */
function notJoined(group: Address, device: string): Unrouted {
  const text = `${formatAddress(group)} is multicast: only members of the group on ${device} receive it`
  return { ...martian('martian-destination', text), probability: null, missing: [`the multicast groups joined on ${device}`] }
}

function notOverWire(address: Address, device: string): string {
  return `${formatAddress(address)} is a loopback address and can't come in by ${device}`
}

function isAny(address: Address): boolean {
  return BigInt(address.value) === BigInt(0)
}
