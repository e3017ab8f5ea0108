// SPDX-License-Identifier: Apache-2.0

import { type Device, type DeviceAddress, type Netns, SCOPE } from '../facts/netns.ts'
import { type Address, formatAddress, parseAddress, sameAddress } from '../net/address.ts'
import { PrefixMap } from '../net/lpm.ts'
import { parsePrefix, prefixContains } from '../net/prefix.ts'
import { eitherSetting, ownSetting } from './settings.ts'

/**
 * IPv4 address a packet takes when leaving by a device towards `towards` (a gateway or the destination), of at most this
 * scope; net/ipv4/devinet.c inet_select_addr. Undefined: the namespace has none, and the kernel would use 0.0.0.0.
 */
export function selectAddress4(
  netns: Netns,
  device: Device | undefined,
  towards: Address | undefined,
  scope: number,
): Address | undefined {
  const own = primaries(netns, device)
  const nearest = device !== undefined && eitherSetting(netns, 4, device.ifname, 'route_localnet').value !== 0
  const limit = nearest ? SCOPE.link : SCOPE.host
  const eligible = own.filter((entry) => Math.min(entry.scope, limit) <= scope)
  const sameNetwork = towards && eligible.find((entry) => prefixContains(entry.network, towards))
  const local = sameNetwork ?? eligible[0]
  if (local !== undefined) return local.address
  for (const other of netns.devices) {
    const any = primaries(netns, other).find((entry) => entry.scope !== SCOPE.link && entry.scope <= scope)
    if (any !== undefined) return any.address
  }
  return undefined
}

function primaries(netns: Netns, device: Device | undefined): readonly DeviceAddress[] {
  if (device === undefined) return []
  return netns.addresses.filter(
    (entry) => entry.ifindex === device.ifindex && entry.family === 4 && !entry.flags.has('secondary'),
  )
}

/** RFC 6724 default policy table, as net/ipv6/addrlabel.c has it. */
const LABELS = new PrefixMap<number>()
for (const [text, label] of [
  ['::1/128', 0],
  ['::/0', 1],
  ['2002::/16', 2],
  ['::/96', 3],
  ['::ffff:0:0/96', 4],
  ['fc00::/7', 5],
  ['2001::/32', 6],
  ['2001:10::/28', 7],
  ['fec0::/10', 11],
  ['3ffe::/16', 12],
] as const) {
  const prefix = parsePrefix(text)
  if (prefix !== undefined) LABELS.set(prefix, label)
}

const SCOPE6 = { linkLocal: 2, siteLocal: 5, global: 14 } as const

/**
 * IPv6 source address towards a destination by a device (RFC 6724 section 5; net/ipv6/addrconf.c ipv6_dev_get_saddr).
 * Undefined: no candidate.
 */
export function selectAddress6(netns: Netns, device: Device | undefined, destination: Address): Address | undefined {
  const scope = scope6(destination)
  const onlyOwn =
    device !== undefined && (scope <= SCOPE6.linkLocal || ownSetting(netns, 6, device.ifname, 'use_oif_addrs_only').value !== 0)
  const candidates = [...netns.devices]
    .filter((candidate) => !onlyOwn || candidate.ifindex === device?.ifindex)
    .flatMap((candidate) => netns.addresses.filter((entry) => entry.ifindex === candidate.ifindex && isCandidate(entry)))
  let best: DeviceAddress | undefined
  for (const candidate of candidates) {
    if (best === undefined || prefer6(netns, candidate, best, device, destination)) best = candidate
  }
  return best?.address
}

function isCandidate(entry: DeviceAddress): boolean {
  return entry.family === 6 && (!entry.flags.has('tentative') || entry.flags.has('optimistic'))
}

/** Whether `a` beats `b`; on a tie the earlier one stays. */
function prefer6(netns: Netns, a: DeviceAddress, b: DeviceAddress, device: Device | undefined, destination: Address): boolean {
  for (const rule of preferences(netns, device, destination)) {
    const left = rule(a)
    const right = rule(b)
    if (left !== right) return left > right
  }
  return false
}

function preferences(
  netns: Netns,
  device: Device | undefined,
  destination: Address,
): readonly ((entry: DeviceAddress) => number)[] {
  const scope = scope6(destination)
  const temporaryPreferred = device === undefined ? 0 : ownSetting(netns, 6, device.ifname, 'use_tempaddr').value
  return [
    (entry) => Number(sameAddress(entry.address, destination)),
    (entry) => (scope6(entry.address) >= scope ? -scope6(entry.address) : scope6(entry.address) - 128),
    (entry) => Number(isLoopback6(entry.address) || (!entry.flags.has('deprecated') && !entry.flags.has('optimistic'))),
    (entry) => Number(device === undefined || entry.ifindex === device.ifindex),
    (entry) => Number(LABELS.longest(entry.address) === LABELS.longest(destination)),
    (entry) => Number(entry.flags.has('temporary') === temporaryPreferred >= 2),
    (entry) => Math.min(commonBits(entry.address, destination), entry.network.bits),
  ]
}

/** RFC 4291 scopes as ipv6_addr_src_scope gives them; loopback counts as link-local (RFC 6724 3.4). */
function scope6(address: Address): number {
  if (address.family === 4) return SCOPE6.global
  const head = address.value >> 112n
  if (head >> 8n === 0xffn) return Number(head & 0xfn)
  if (head >> 6n === 0xfe80n >> 6n || isLoopback6(address)) return SCOPE6.linkLocal
  return head >> 6n === 0xfec0n >> 6n ? SCOPE6.siteLocal : SCOPE6.global
}

function isLoopback6(address: Address): boolean {
  return address.family === 6 && address.value === 1n
}

function commonBits(a: Address, b: Address): number {
  if (a.family === 4 || b.family === 4) return 0
  return 128 - (a.value ^ b.value).toString(2).length + (a.value === b.value ? 1 : 0)
}

const LOOPBACK4 = parsePrefix('127.0.0.0/8')
const MULTICAST4 = parsePrefix('224.0.0.0/4')
const MULTICAST6 = parsePrefix('ff00::/8')
const LINKLOCAL6 = parsePrefix('fe80::/10')

export function isLoopbackAddress(address: Address): boolean {
  return (LOOPBACK4 !== undefined && prefixContains(LOOPBACK4, address)) || isLoopback6(address)
}

export function isMulticast(address: Address): boolean {
  const range = address.family === 4 ? MULTICAST4 : MULTICAST6
  return range !== undefined && prefixContains(range, address)
}

export function isLinkLocal6(address: Address): boolean {
  return LINKLOCAL6 !== undefined && prefixContains(LINKLOCAL6, address)
}

/** 0.0.0.0/8 of old: "this network". */
export function isZeronet(address: Address): boolean {
  return address.family === 4 ? address.value >>> 24 === 0 : address.value === 0n
}

export function isLimitedBroadcast(address: Address): boolean {
  return address.family === 4 && formatAddress(address) === '255.255.255.255'
}

/** An address assigned here (IPv4: a local route would do as well). */
export function isOwnAddress(netns: Netns, address: Address): boolean {
  return netns.addresses.some((entry) => sameAddress(entry.address, address))
}

/** The unspecified address, which a packet has when nothing could be selected. */
export function unspecified(family: 4 | 6): Address {
  return family === 4 ? { family: 4, value: 0 } : { family: 6, value: 0n }
}

/** 127.0.0.1 or ::1. */
export function loopbackAddress(family: 4 | 6): Address {
  return parseAddress(family === 4 ? '127.0.0.1' : '::1') ?? unspecified(family)
}
