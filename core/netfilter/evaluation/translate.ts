// SPDX-License-Identifier: Apache-2.0

import { type Address, compareAddresses, formatEndpoint, ipv4, ipv6, sameAddress } from '../../net/address.ts'
import type { Connection, Flight, Packet, Tuple } from '../../net/packet.ts'
import type { Element, NatFlags } from '../statement.ts'
import type { HookContext } from './context.ts'
import { jhash2, scale, swapBytes } from './jhash.ts'
import { hasPorts } from './read.ts'
import { describePacket, invertTuple, isIcmp, rewrite, sameTuple } from './tuple.ts'

/** What a nat rule asks for (struct nf_nat_range2). */
export interface NatRange {
  readonly addresses: { readonly from: Address; readonly to: Address } | undefined
  readonly ports: { readonly from: number; readonly to: number } | undefined
  readonly portBase: number | undefined
  readonly flags: NatFlags
  /** Host bits stay, network bits are replaced. */
  readonly netmap: boolean
}

export interface Translated {
  readonly flight: Flight
  readonly probability: number
  /** "to 10.0.0.1:80", for a person. */
  readonly text: string
}

/** More equally likely ports than this are summarised: the port is then not known. */
const MAX_PORT_CHOICES = 16

/**
 * Binds a new connection and rewrites its packet (nf_nat_setup_info, net/netfilter/nf_nat_core.c). One result, unless the
 * kernel picks a port at random.
 */
export function translate(
  flight: Flight,
  connection: Connection,
  manip: 'src' | 'dst',
  range: NatRange,
  context: HookContext,
): Translated[] {
  const current = invertTuple(connection.reply)
  if (manip === 'src' && fitsAlready(current, range) && !isUsed(current, connection, context)) {
    return [{ ...bind(flight, connection, manip, current, current), probability: 1 }]
  }
  const address = chooseAddress(current, connection, manip, range)
  const moved = withEnd(current, manip, address, portOf(current, manip))
  return choosePorts(moved, connection, manip, range, context).map(({ port, probability }) => {
    const tuple = withEnd(moved, manip, address, port)
    return { ...bind(flight, connection, manip, current, tuple), probability }
  })
}

/** A source that is in the range already is left alone (in_range). */
function fitsAlready(tuple: Tuple, { addresses, ports, flags, netmap }: NatRange): boolean {
  if (flags.random || flags.fullyRandom || netmap) return false
  if (addresses && (compareAddresses(tuple.src, addresses.from) < 0 || compareAddresses(tuple.src, addresses.to) > 0))
    return false
  return !ports || !hasPorts(tuple.protocol) || inRange(tuple.sport, ports)
}

function bind(
  flight: Flight,
  connection: Connection,
  manip: 'src' | 'dst',
  before: Tuple,
  tuple: Tuple,
): Omit<Translated, 'probability'> {
  const changed = !sameTuple(before, tuple)
  const bound: Connection = {
    ...connection,
    reply: invertTuple(tuple),
    ...(manip === 'dst'
      ? { dstNatDone: true, dstNat: connection.dstNat || changed }
      : { srcNatDone: true, srcNat: connection.srcNat || changed }),
  }
  const address = manip === 'dst' ? tuple.dst : tuple.src
  const packet = changed ? rewrite(flight.packet, manip, address, portOf(tuple, manip)) : flight.packet
  return { flight: { ...flight, packet, connection: bound }, text: `to ${formatEndpoint(address, shownPort(packet, manip))}` }
}

function shownPort(packet: Packet, manip: 'src' | 'dst'): number | undefined {
  return manip === 'dst' ? packet.dport : packet.sport
}

/** The part of a tuple that port translation works on: of ICMP it is the id, whichever end is rewritten. */
export function portOf(tuple: Tuple, manip: 'src' | 'dst'): number | undefined {
  if (isIcmp(tuple.protocol)) return tuple.sport
  return manip === 'dst' ? tuple.dport : tuple.sport
}

function withEnd(tuple: Tuple, manip: 'src' | 'dst', address: Address, port: number | undefined): Tuple {
  if (isIcmp(tuple.protocol)) return { ...tuple, [manip]: address, sport: port }
  return manip === 'dst' ? { ...tuple, dst: address, dport: port } : { ...tuple, src: address, sport: port }
}

/** find_best_ips_proto: an address of the range by a hash of both ends, or of the source alone when persistent. */
function chooseAddress(tuple: Tuple, connection: Connection, manip: 'src' | 'dst', range: NatRange): Address {
  const own = manip === 'dst' ? tuple.dst : tuple.src
  const { addresses } = range
  if (!addresses) return own
  const { from, to } = addresses
  if (range.netmap) return mapNetwork(own, from, to)
  if (sameAddress(from, to)) return from
  const source = tuple.src
  if (source.family === 4 && from.family === 4 && to.family === 4 && tuple.dst.family === 4) {
    const seed = range.flags.persistent ? 0 : (swapBytes(tuple.dst.value) ^ connection.zone) >>> 0
    const hash = jhash2([swapBytes(source.value), 0, 0, 0], seed)
    return ipv4(from.value + scale(hash, to.value - from.value + 1))
  }
  return chooseAddress6(tuple, connection, range)
}

/** The same, word by word from the highest: once a word is below its limit, the following ones are free. */
function chooseAddress6(tuple: Tuple, connection: Connection, range: NatRange): Address {
  const words = (address: Address) =>
    Array.from({ length: 4 }, (_, i) => Number((BigInt(address.value) >> BigInt(96 - 32 * i)) & 0xffffffffn))
  const [from, to] = [words(range.addresses?.from ?? tuple.src), words(range.addresses?.to ?? tuple.src)]
  const seed = range.flags.persistent ? 0 : (swapBytes(words(tuple.dst)[3] ?? 0) ^ connection.zone) >>> 0
  let hash = jhash2(words(tuple.src).map(swapBytes), seed)
  let full = false
  let result = 0n
  for (let i = 0; i < 4; i++) {
    const low = full ? 0 : (from[i] ?? 0)
    const high = full ? 0xffffffff : (to[i] ?? 0)
    const word = (low + scale(hash, high - low + 1)) >>> 0
    if (word !== to[i]) full = true
    if (!range.flags.persistent) hash = (hash ^ swapBytes(words(tuple.dst)[i] ?? 0)) >>> 0
    result = (result << 32n) | BigInt(word)
  }
  return ipv6(result)
}

function mapNetwork(address: Address, from: Address, to: Address): Address {
  if (address.family === 4 && from.family === 4 && to.family === 4) {
    const host = (from.value ^ to.value) >>> 0
    return ipv4(((from.value & ~host) | (address.value & host)) >>> 0)
  }
  const host = BigInt(from.value) ^ BigInt(to.value)
  return ipv6((BigInt(from.value) & ~host) | (BigInt(address.value) & host))
}

interface PortChoice {
  readonly port: number | undefined
  readonly probability: number
}

/** get_unique_tuple and nf_nat_l4proto_unique_tuple. */
function choosePorts(
  tuple: Tuple,
  connection: Connection,
  manip: 'src' | 'dst',
  range: NatRange,
  context: HookContext,
): PortChoice[] {
  const current = portOf(tuple, manip)
  const keep = [{ port: current, probability: 1 }]
  const random = range.flags.random || range.flags.fullyRandom
  if (isIcmp(tuple.protocol)) return random ? [{ port: undefined, probability: 1 }] : keep
  if (!hasPorts(tuple.protocol)) return keep
  const used = isUsed(tuple, connection, context)
  if (!random) {
    if (!range.ports) {
      if (!used) return keep
    } else if (range.portBase === undefined && inRange(current, range.ports) && (range.ports.from === range.ports.to || !used))
      return keep
  }
  return newPorts(current, manip, range, random)
}

function inRange(port: number | undefined, range: { from: number; to: number }): boolean {
  return port !== undefined && port >= range.from && port <= range.to
}

/** Whether a connection exists already whose answers would look the same. */
function isUsed(tuple: Tuple, connection: Connection, context: HookContext): boolean {
  if (sameTuple(tuple, connection.original)) return false
  return context.environment.connection(invertTuple(tuple), connection.zone) !== undefined
}

function newPorts(current: number | undefined, manip: 'src' | 'dst', range: NatRange, random: boolean): PortChoice[] {
  if (!range.ports) {
    // A destination keeps its port; a source gets any of its class, which is too many to list.
    return [{ port: manip === 'dst' ? current : undefined, probability: 1 }]
  }
  const { from, to } = range.ports
  const size = to - from + 1
  if (range.portBase !== undefined) {
    const offset = current === undefined ? undefined : ((((current - range.portBase) & 0xffff) % size) + size) % size
    return [{ port: offset === undefined ? undefined : from + offset, probability: 1 }]
  }
  if (size === 1 || (manip === 'dst' && !random)) return [{ port: from, probability: 1 }]
  if (size > MAX_PORT_CHOICES) return [{ port: undefined, probability: 1 }]
  return Array.from({ length: size }, (_, index) => ({ port: from + index, probability: 1 / size }))
}

/** Ports and addresses of a rule as a range; undefined where the element is of another kind. */
export function addressesOf(element: Element, packet: Packet): NatRange['addresses'] | undefined {
  const make = (value: unknown): Address | undefined =>
    typeof value === 'number' && packet.family === 4
      ? ipv4(value)
      : typeof value === 'bigint' && packet.family === 6
        ? ipv6(value)
        : undefined
  const from = make(element.kind === 'range' ? element.from : element.kind === 'value' ? element.value : undefined)
  const to = make(element.kind === 'range' ? element.to : element.kind === 'value' ? element.value : undefined)
  return from && to ? { from, to } : undefined
}

export function describeChange(before: Packet, after: Packet): { before: string; after: string } {
  return { before: describePacket(before), after: describePacket(after) }
}

export const NO_FLAGS: NatFlags = { random: false, fullyRandom: false, persistent: false }
