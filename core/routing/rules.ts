// SPDX-License-Identifier: Apache-2.0

import type { Netns, RoutingRule } from '../facts/netns.ts'
import type { Address, Family } from '../net/address.ts'
import { formatPrefix, type Prefix, prefixContains } from '../net/prefix.ts'
import { RT_TABLE } from './tables.ts'

/** What the kernel asks its routing tables about (struct flowi4, flowi6). */
export interface Flow {
  readonly family: Family
  readonly dst: Address
  /** Undefined: not chosen yet. */
  readonly src: Address | undefined
  readonly mark: number
  /** DSCP bits in their place in the TOS byte. */
  readonly tos: number
  /** Undefined: made on this machine. */
  readonly iif: string | undefined
  /** A socket bound to a device, or the second lookup of loose reverse path filtering. */
  readonly oif: string | undefined
  readonly protocol: number
  readonly sport: number | undefined
  readonly dport: number | undefined
  /** Undefined: not known, which is every pod's case. */
  readonly uid: number | undefined
}

/** True or false, or the fact that is missing to tell. */
export type RuleMatch = boolean | { readonly missing: string }

/** net/core/fib_rules.c fib_rule_match, fib4_rule_match, fib6_rule_match. */
export function ruleMatches(netns: Netns, rule: RoutingRule, flow: Flow): RuleMatch {
  const plain = rule.family === flow.family && definite(netns, rule, flow)
  const open = plain ? missingFact(netns, rule, flow) : undefined
  if (open !== undefined) return { missing: open }
  return rule.not ? !plain : plain
}

/** Everything that can be decided from the facts. */
function definite(netns: Netns, rule: RoutingRule, flow: Flow): boolean {
  if (rule.iif !== undefined && !sameDevice(netns, rule.iif, flow.iif ?? 'lo')) return false
  if (rule.oif !== undefined && !sameDevice(netns, rule.oif, flow.oif)) return false
  if (rule.fwmark !== undefined && ((rule.fwmark ^ flow.mark) & rule.fwmask) !== 0) return false
  if (!prefixMatches(rule.src, flow.src) || !prefixMatches(rule.dst, flow.dst)) return false
  if (rule.tos !== 0 && rule.tos !== (flow.tos & 0xfc)) return false
  if (rule.ipProtocol !== undefined && rule.ipProtocol !== 0 && rule.ipProtocol !== flow.protocol) return false
  if (flow.sport !== undefined && !inRange(rule.sportRange, flow.sport)) return false
  if (flow.dport !== undefined && !inRange(rule.dportRange, flow.dport)) return false
  if (flow.uid !== undefined && !inRange(rule.uidRange, flow.uid)) return false
  return !rule.l3mdev || vrfOf(netns, flow.oif) !== undefined || vrfOf(netns, flow.iif) !== undefined
}

function missingFact(netns: Netns, rule: RoutingRule, flow: Flow): string | undefined {
  if (rule.sportRange !== undefined && flow.sport === undefined) return 'the source port'
  if (rule.dportRange !== undefined && flow.dport === undefined) return 'the destination port'
  if (rule.uidRange !== undefined && flow.uid === undefined && !everyUid(rule.uidRange))
    return 'the user id of the sending process'
  if (rule.l3mdev) return `the routing table of VRF ${vrfOf(netns, flow.oif) ?? vrfOf(netns, flow.iif)}`
  return undefined
}

/** A prefix of length 0 holds for a source that is not chosen yet; a longer one doesn't, as 0.0.0.0 is not in it. */
function prefixMatches(prefix: Prefix | undefined, address: Address | undefined): boolean {
  if (prefix === undefined || prefix.bits === 0) return true
  return address !== undefined && prefixContains(prefix, address)
}

function inRange(range: readonly [number, number] | undefined, value: number): boolean {
  return range === undefined || (value >= range[0] && value <= range[1])
}

function everyUid([low, high]: readonly [number, number]): boolean {
  return low === 0 && high >= 0xffff_fffe
}

function sameDevice(netns: Netns, ruled: string, actual: string | undefined): boolean {
  const device = netns.devices.named(ruled)
  if (actual === undefined || device === undefined) return false
  // A rule for a VRF also holds for packets that came in by its ports.
  return device.ifname === actual || vrfOf(netns, actual) === device.ifname
}

function vrfOf(netns: Netns, name: string | undefined): string | undefined {
  const device = netns.devices.named(name)
  const master = device?.kind === 'vrf' ? device : netns.devices.at(device?.master)
  return master?.kind === 'vrf' ? master.ifname : undefined
}

/** The kernel's rules in a namespace nobody configured. */
export function hasDefaultRules(netns: Netns, family: Family): boolean {
  const rules = netns.rules.filter((rule) => rule.family === family)
  const tables = family === 4 ? [RT_TABLE.local, RT_TABLE.main, RT_TABLE.default] : [RT_TABLE.local, RT_TABLE.main]
  return rules.length === tables.length && rules.every((rule, i) => rule.table === tables[i] && isPlain(rule))
}

function isPlain(rule: RoutingRule): boolean {
  return (
    rule.action === 'lookup' &&
    !rule.not &&
    !rule.l3mdev &&
    (rule.src?.bits ?? 0) === 0 &&
    (rule.dst?.bits ?? 0) === 0 &&
    [rule.iif, rule.oif, rule.fwmark, rule.ipProtocol, rule.sportRange, rule.dportRange, rule.uidRange].every(
      (selector) => selector === undefined,
    ) &&
    rule.suppressPrefixLength === undefined
  )
}

/** As `ip rule` prints it. */
export function ruleText(rule: RoutingRule): string {
  const words = [`${rule.priority}:`, rule.not ? 'not' : '', `from ${rule.src === undefined ? 'all' : prefixWord(rule.src)}`]
  if (rule.dst !== undefined) words.push(`to ${prefixWord(rule.dst)}`)
  if (rule.fwmark !== undefined)
    words.push(`fwmark ${hex(rule.fwmark)}${rule.fwmask === 0xffff_ffff ? '' : `/${hex(rule.fwmask)}`}`)
  if (rule.iif !== undefined) words.push(`iif ${rule.iif}`)
  if (rule.oif !== undefined) words.push(`oif ${rule.oif}`)
  if (rule.ipProtocol !== undefined) words.push(`ipproto ${rule.ipProtocol}`)
  if (rule.dportRange !== undefined) words.push(`dport ${rule.dportRange.join('-')}`)
  if (rule.sportRange !== undefined) words.push(`sport ${rule.sportRange.join('-')}`)
  if (rule.uidRange !== undefined) words.push(`uidrange ${rule.uidRange.join('-')}`)
  if (rule.action === 'lookup') words.push(`lookup ${tableName(rule.table ?? 0)}`)
  else words.push(rule.action === 'goto' ? `goto ${rule.gotoPriority}` : rule.action)
  if (rule.suppressPrefixLength !== undefined) words.push(`suppress_prefixlength ${rule.suppressPrefixLength}`)
  return words.filter((word) => word !== '').join(' ')
}

export function tableName(table: number): string {
  if (table === RT_TABLE.local) return 'local'
  if (table === RT_TABLE.main) return 'main'
  return table === RT_TABLE.default ? 'default' : String(table)
}

function prefixWord(prefix: Prefix): string {
  return prefix.bits === 0 ? 'all' : formatPrefix(prefix)
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}
