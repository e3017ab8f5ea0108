// SPDX-License-Identifier: Apache-2.0

import { type Device, isUp, type Netns, type Nexthop, type Route, type RoutingRule, SCOPE } from '../facts/netns.ts'
import { sameAddress } from '../net/address.ts'
import { prefixContains } from '../net/prefix.ts'
import { type Flow, hasDefaultRules, type RuleMatch, ruleMatches } from './rules.ts'
import { eitherSetting, globalSetting } from './settings.ts'
import { RT_TABLE, type RouteTable, tablesOf } from './tables.ts'

/** What routing tables say about a flow. */
export type Lookup =
  | {
      readonly kind: 'found'
      readonly route: Route
      /** Undefined where the kernel has no rules to walk. */
      readonly rule: RoutingRule | undefined
      /** Nexthops that may carry it; one, unless the route is multipath. Empty for local routes without device. */
      readonly nexthops: readonly Nexthop[]
    }
  | {
      readonly kind: 'error'
      readonly error: RouteError
      readonly route: Route | undefined
      readonly rule: RoutingRule | undefined
    }

/** `no-route`: nothing matched. The others are route or rule types. */
export type RouteError = 'no-route' | 'unreachable' | 'prohibit' | 'blackhole'

export interface LookupOptions {
  /** FIB_LOOKUP_IGNORE_LINKSTATE */
  readonly ignoreLinkState?: boolean
  /** RT6_LOOKUP_F_IFACE: the device is a must, not a wish. */
  readonly strictDevice?: boolean
}

/** One possible answer, and what would have to be known to be sure of it. */
export interface LookupBranch {
  readonly lookup: Lookup
  readonly missing: readonly string[]
}

/**
 * Walks policy rules and tables (fib_rules.c fib_rules_lookup; fib_trie.c fib_table_lookup; ip6 route.c fib6_table_lookup).
 * More than one branch only where a rule asks for something the facts don't tell.
 */
export function fibLookup(netns: Netns, flow: Flow, options: LookupOptions = {}): readonly LookupBranch[] {
  const rules = netns.rules.filter((rule) => rule.family === flow.family)
  if (flow.family === 4 && (rules.length === 0 || hasDefaultRules(netns, 4))) return [plainLookup(netns, flow, options)]
  return walkRules({ netns, flow, options, rules }, 0, [])
}

interface Walk {
  readonly netns: Netns
  readonly flow: Flow
  readonly options: LookupOptions
  readonly rules: readonly RoutingRule[]
}

/** IPv4 without configured rules (include/net/ip_fib.h fib_lookup): the merged trie, then the default table. */
function plainLookup(netns: Netns, flow: Flow, options: LookupOptions): LookupBranch {
  const tables = tablesOf(netns)
  for (const table of [tables.merged, tables.table(4, RT_TABLE.default)]) {
    const found = tableLookup(netns, table, flow, options, undefined)
    if (found !== undefined) return { lookup: found, missing: [] }
  }
  return { lookup: { kind: 'error', error: 'no-route', route: undefined, rule: undefined }, missing: [] }
}

function walkRules(walk: Walk, start: number, missing: readonly string[]): readonly LookupBranch[] {
  let index = start
  while (index < walk.rules.length) {
    const rule = walk.rules[index]
    if (rule === undefined) break
    const match: RuleMatch = ruleMatches(walk.netns, rule, walk.flow)
    if (typeof match === 'object') {
      const reason = [...missing, match.missing]
      return [...walkRules({ ...walk, rules: assume(walk.rules, index) }, index, reason), ...walkRules(walk, index + 1, reason)]
    }
    if (match && rule.action === 'goto') {
      // Without a rule of exactly that priority the goto is unresolved and does nothing.
      const target = walk.rules.findIndex((candidate, i) => i > index && candidate.priority === rule.gotoPriority)
      index = target < 0 ? index + 1 : target
      continue
    }
    const lookup = match ? applyRule(walk, rule) : undefined
    if (lookup !== undefined) return [{ lookup, missing }]
    index++
  }
  return [{ lookup: { kind: 'error', error: 'no-route', route: undefined, rule: undefined }, missing }]
}

/** The rules with one of them made unconditional. */
function assume(rules: readonly RoutingRule[], index: number): readonly RoutingRule[] {
  return rules.map((rule, i) =>
    i === index
      ? { ...rule, not: false, l3mdev: false, sportRange: undefined, dportRange: undefined, uidRange: undefined }
      : rule,
  )
}

/** Undefined: the walk goes on (EAGAIN). */
function applyRule(walk: Walk, rule: RoutingRule): Lookup | undefined {
  if (rule.action === 'nop' || rule.action === 'goto') return undefined
  if (rule.action !== 'lookup') return { kind: 'error', error: rule.action, route: undefined, rule }
  const table = tablesOf(walk.netns).table(walk.flow.family, rule.table ?? RT_TABLE.main)
  const found = tableLookup(walk.netns, table, walk.flow, walk.options, rule)
  const suppressed =
    found?.kind === 'found' && rule.suppressPrefixLength !== undefined && found.route.dst.bits <= rule.suppressPrefixLength
  return suppressed ? undefined : found
}

export function tableLookup(
  netns: Netns,
  table: RouteTable,
  flow: Flow,
  options: LookupOptions,
  rule: RoutingRule | undefined,
): Lookup | undefined {
  const ofPrefix = flow.family === 4 ? tryPrefix4 : tryPrefix6
  for (const routes of table.matching(flow.dst)) {
    const found = ofPrefix(netns, routes, flow, options)
    if (found === undefined) continue
    if (found.route.type === 'throw') return undefined
    const error = errorOf(found.route)
    return error === undefined ? { kind: 'found', rule, ...found } : { kind: 'error', error, route: found.route, rule }
  }
  return undefined
}

interface Usable {
  readonly route: Route
  readonly nexthops: readonly Nexthop[]
}

function tryPrefix4(netns: Netns, routes: readonly Route[], flow: Flow, options: LookupOptions): Usable | undefined {
  for (const route of routes) {
    if (route.tos !== 0 && route.tos !== (flow.tos & 0xfc)) continue
    if (route.scope === SCOPE.nowhere) continue
    if (errorOf(route) !== undefined || route.type === 'throw') return { route, nexthops: [] }
    const nexthops = route.nexthops.filter((nexthop) => usable(netns, nexthop, flow, options))
    if (nexthops.length > 0 || route.nexthops.length === 0) return { route, nexthops }
  }
  return undefined
}

/** fib_trie.c fib_lookup_good_nhc */
function usable(netns: Netns, nexthop: Nexthop, flow: Flow, options: LookupOptions): boolean {
  const name = netns.devices.nameOf(nexthop.ifindex)
  if (isDead(netns, nexthop)) return false
  if (options.ignoreLinkState !== true && ignoredForLink(netns, nexthop, flow)) return false
  return flow.oif === undefined || flow.oif === name
}

/** The kernel drops routes of devices that are down; a snapshot may show them for a moment. */
function isDead(netns: Netns, nexthop: Nexthop): boolean {
  const device: Device | undefined = netns.devices.at(nexthop.ifindex)
  return nexthop.flags.has('dead') || (device !== undefined && !isUp(device))
}

function ignoredForLink(netns: Netns, nexthop: Nexthop, flow: Flow): boolean {
  const name = netns.devices.nameOf(nexthop.ifindex)
  if (!nexthop.flags.has('linkdown') || name === undefined) return false
  return eitherSetting(netns, flow.family, name, 'ignore_routes_with_linkdown').value !== 0
}

/**
 * IPv6 scores the routes of the lowest metric that has a usable one (route.c rt6_select, find_match, rt6_score_route). A wished
 * device gives two points, so that another device's route still wins over none.
 */
function tryPrefix6(netns: Netns, routes: readonly Route[], flow: Flow, options: LookupOptions): Usable | undefined {
  const applicable = routes.filter((route) => route.src === undefined || route.src.bits === 0 || sourceMatches(route, flow))
  const specific = Math.max(0, ...applicable.map((route) => route.src?.bits ?? 0))
  const candidates = applicable.filter((route) => (route.src?.bits ?? 0) === specific)
  for (const metric of new Set(candidates.map((route) => route.metric))) {
    const scored = candidates
      .filter((route) => route.metric === metric)
      .map((route) => ({ route, ...score(netns, route, flow, options) }))
      .filter((entry) => entry.points >= 0)
    const best = Math.max(...scored.map((entry) => entry.points))
    const winner = scored.find((entry) => entry.points === best)
    if (winner !== undefined) return { route: winner.route, nexthops: winner.nexthops }
  }
  return undefined
}

function sourceMatches(route: Route, flow: Flow): boolean {
  return route.src !== undefined && flow.src !== undefined && prefixContains(route.src, flow.src)
}

function score(
  netns: Netns,
  route: Route,
  flow: Flow,
  options: LookupOptions,
): { readonly points: number; readonly nexthops: readonly Nexthop[] } {
  // For packets that came in, the kernel passes their device where it passes the wished one for packets made here.
  const wished = flow.oif ?? flow.iif
  // Rejecting routes belong to the loopback device.
  const rejecting = errorOf(route) !== undefined || route.type === 'throw'
  if (rejecting) {
    const points = wished === undefined || wished === 'lo' ? 2 : options.strictDevice === true ? -1 : 0
    return { points, nexthops: [] }
  }
  const alive = route.nexthops
    .filter((nexthop) => !isDead(netns, nexthop) && !(options.ignoreLinkState !== true && ignoredForLink(netns, nexthop, flow)))
    .map((nexthop) => ({ nexthop, points: devicePoints(netns, nexthop, wished, options) }))
    .filter((entry) => entry.points >= 0)
    .map((entry) => ({ ...entry, points: entry.points + reachability(netns, entry.nexthop) }))
    .filter((entry) => entry.points >= 0)
  const points = Math.max(-1, ...alive.map((entry) => entry.points))
  return { points, nexthops: alive.map((entry) => entry.nexthop) }
}

function devicePoints(netns: Netns, nexthop: Nexthop, wished: string | undefined, options: LookupOptions): number {
  if (wished === undefined || netns.devices.nameOf(nexthop.ifindex) === wished) return 2
  return options.strictDevice === true ? -1 : 0
}

/** Hosts (not routers) avoid gateways that don't answer (rt6_check_neigh). */
function reachability(netns: Netns, nexthop: Nexthop): number {
  const { via } = nexthop
  if (via === undefined || globalSetting(netns, 'net.ipv6.conf.all.forwarding', 0).value !== 0) return 0
  const neighbour = netns.neighbours.find((entry) => entry.ifindex === nexthop.ifindex && sameAddress(entry.address, via))
  return neighbour?.state === 'failed' ? -1 : 0
}

function errorOf(route: Route): RouteError | undefined {
  return route.type === 'blackhole' || route.type === 'unreachable' || route.type === 'prohibit' ? route.type : undefined
}
