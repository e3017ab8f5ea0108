// SPDX-License-Identifier: Apache-2.0

import { type Address, type Family, ipv4, prefixRange, sameAddress } from '../net/address.ts'
import { type Prefix, prefixContains } from '../net/prefix.ts'
import type { AddressType, HookEnvironment } from './traversal.ts'

/** What is known about a machine of which only the rules are at hand. */
export interface LooseFacts {
  /** The machine's own addresses, with the device and prefix where they are known. */
  readonly addresses: readonly { readonly address: Address; readonly device?: string; readonly network?: Prefix }[]
  readonly localPortRange?: readonly [number, number]
}

/** Linux's default net.ipv4.ip_local_port_range. */
const DEFAULT_PORT_RANGE: readonly [number, number] = [32768, 60999]

/**
 * Answers the rules' questions from a list of the machine's own addresses. Without any address nothing is known about
 * address types; with some, every other unicast address is taken to be elsewhere. Routes, sockets and connections are unknown.
 */
export function looseEnvironment(facts: LooseFacts): HookEnvironment {
  const addressOf = (device: string | undefined, family: Family): Address | undefined => {
    const candidates = facts.addresses.filter(({ address }) => address.family === family && !isLoopback(address))
    const own = candidates.filter((candidate) => candidate.device !== undefined && candidate.device === device)
    // A machine with a single address has it on every device that matters.
    return (own[0] ?? (candidates.length === 1 && candidates[0]?.device === undefined ? candidates[0] : undefined))?.address
  }
  return {
    addressType: (address, device) => addressType(address, device, facts),
    routeTo: () => undefined,
    masqueradeAddress: (oif, destination, family) => addressOf(oif, family) ?? neighbourOf(destination, facts),
    deviceAddress: addressOf,
    hasSocket: () => undefined,
    localPortRange: facts.localPortRange ?? DEFAULT_PORT_RANGE,
    connection: () => undefined,
  }
}

/** The machine's own address in the network that the destination is in, too: the packet leaves there. */
function neighbourOf(destination: Address, { addresses }: LooseFacts): Address | undefined {
  const near = addresses.filter(({ network }) => network !== undefined && prefixContains(network, destination))
  return near.length === 1 ? near[0]?.address : undefined
}

function isLoopback(address: Address): boolean {
  return address.family === 4 ? address.value >>> 24 === 127 : address.value === 1n
}

function addressType(address: Address, device: string | undefined, facts: LooseFacts): AddressType | undefined {
  if (isMulticast(address)) return 'multicast'
  if (sameAddress(address, ipv4(0xffffffff))) return 'broadcast'
  if (isLoopback(address) && (device === undefined || device === 'lo')) return 'local'
  if (facts.addresses.length === 0) return undefined
  const own = facts.addresses.filter((each) => device === undefined || each.device === undefined || each.device === device)
  const match = own.find((each) => sameAddress(each.address, address))
  // Of several addresses, which device has this one is not known.
  if (match && device !== undefined && match.device === undefined && own.length > 1) return undefined
  if (match) return 'local'
  if (own.some(({ network }) => network && isBroadcastOf(network, address))) return 'broadcast'
  return 'unicast'
}

function isMulticast(address: Address): boolean {
  return address.family === 4 ? address.value >>> 28 === 0xe : address.value >> 120n === 0xffn
}

/** Last address of an IPv4 network; IPv6 has none. */
function isBroadcastOf({ address: network, bits }: Prefix, address: Address): boolean {
  return network.family === 4 && bits < 31 && sameAddress(prefixRange(network, bits)[1], address)
}
