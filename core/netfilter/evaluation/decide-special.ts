// SPDX-License-Identifier: Apache-2.0

import type { Address } from '../../net/address.ts'
import type { Flight } from '../../net/packet.ts'
import type { IpSet } from '../ipset/set.ts'
import type { Match } from '../statement.ts'
import type { HookContext } from './context.ts'
import { cameIn, leaves, stableKey } from './read.ts'
import { type Decision, undecided } from './value.ts'

/** Matches whose semantics exist only in iptables. */

export function decideIpSet(match: Extract<Match, { kind: 'ipset' }>, flight: Flight, context: HookContext): Decision {
  const set = context.ipsets.get(match.set)
  const key = stableKey(['ipset', match.set, match.directions])
  if (!set) return undecided(`contents of ipset "${match.set}" (ipset save)`, key)
  if (match.stateful) return undecided(`counters of ipset "${match.set}"`)
  const device = unknownDevice(set, match.directions, flight, context)
  if (device !== undefined) return undecided(device, key)
  const { matched, missing } = set.lookup(flight, match.directions, match.returnNomatch)
  if (matched === undefined) return undecided(missing ?? `contents of ipset "${match.set}"`, key)
  return matched !== match.negated
}

/** Sets of interfaces ask for a device that the packet has here, and that may not be known. */
function unknownDevice(
  { options: { type } }: IpSet,
  directions: readonly ('src' | 'dst')[],
  { iif, oif }: Flight,
  { hook }: HookContext,
): string | undefined {
  if (!type.endsWith(',iface')) return undefined
  const source = directions[type.split(',').length - 1] === 'src'
  if (source) return iif === undefined && cameIn(hook) ? 'device the packet came in by' : undefined
  return oif === undefined && leaves(hook) ? 'device the packet leaves by' : undefined
}

type Owner = Extract<Match, { kind: 'owner' }>

/** net/netfilter/xt_owner.c: without a socket the match holds only where every condition is negated. */
export function decideOwner(match: Owner, flight: Flight, context: HookContext): Decision {
  if (cameIn(context.hook) || flight.iif !== undefined) return !wantsSocket(match)
  const { socket } = flight
  if (!socket) return undecided('socket that sends the packet')
  if (match.socketExists === false) return false
  for (const [range, id, what] of [
    [match.uid, socket.uid, 'user'],
    [match.gid, socket.gid, 'group'],
  ] as const) {
    if (!range) continue
    if (id === undefined)
      return undecided(`${what} that owns the sending socket`, stableKey(['owner', what, range.from, range.to]))
    const inside = id >= range.from && id <= range.to
    if (inside === range.negated) return false
  }
  return true
}

function wantsSocket({ uid, gid, socketExists }: Owner): boolean {
  return (uid !== undefined && !uid.negated) || (gid !== undefined && !gid.negated) || socketExists === true
}

/** net/netfilter/xt_addrtype.c. */
export function decideAddressType(match: Extract<Match, { kind: 'addrtype' }>, flight: Flight, context: HookContext): Decision {
  const device = match.limit === 'iif' ? flight.iif : match.limit === 'oif' ? flight.oif : undefined
  const sides: [typeof match.source, Address, string][] = [
    [match.source, flight.packet.src, 'source'],
    [match.destination, flight.packet.dst, 'destination'],
  ]
  let open: Decision | undefined
  for (const [wanted, address, side] of sides) {
    if (!wanted) continue
    const type = context.environment.addressType(address, device)
    // Remembered for one-sided tests only: of two sides, which one failed is not told.
    const key = match.source && match.destination ? undefined : stableKey(['addrtype', side, wanted.types, match.limit])
    if (type === undefined) open ??= undecided(`type of the ${side} address`, key)
    else if (wanted.types.includes(type) === wanted.negated) return false
  }
  return open ?? true
}

/** net/ipv4/netfilter/ipt_rpfilter.c. */
export function decideReversePath(match: Extract<Match, { kind: 'rpfilter' }>, flight: Flight, context: HookContext): Decision {
  if (flight.iif === 'lo') return !match.invert
  const route = context.environment.routeTo(flight.packet.src, { mark: match.validMark ? flight.mark : 0 })
  if (!route) return undecided("route back to the packet's source")
  const usable = route.type === 'unicast' || (route.type === 'local' && match.acceptLocal)
  if (usable && !match.loose && flight.iif === undefined) return undecided('device the packet came in by')
  return (usable && (match.loose || route.oif === flight.iif)) !== match.invert
}

/** net/netfilter/xt_socket.c: transparency and wildcard binding of a listener are not known. */
export function decideSocket(match: Extract<Match, { kind: 'socket-match' }>, flight: Flight, context: HookContext): Decision {
  const found = context.environment.hasSocket(flight)
  if (found === false) return false
  if (found && !match.transparent && match.noWildcard) return true
  return undecided('a local socket for the packet', stableKey(match))
}

/** net/netfilter/xt_physdev.c: packets that did not cross a bridge match only negated tests. */
export function decidePhysdev(match: Extract<Match, { kind: 'physdev' }>, flight: Flight): Decision {
  const holds = {
    'is-in': flight.physin !== undefined,
    'is-out': flight.physout !== undefined,
    'is-bridged': flight.physin !== undefined && flight.physout !== undefined,
  }
  return holds[match.test] !== match.negated
}
