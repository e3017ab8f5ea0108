// SPDX-License-Identifier: Apache-2.0

import { type Address, type Family, prefixRange } from '../../net/address.ts'
import { type Flight, IPPROTO, type Packet } from '../../net/packet.ts'
import type { Position } from '../ruleset.ts'

/** What one dimension of a set looks at. `net` dimensions match the longest prefix first. */
export type Dimension = 'ip' | 'net' | 'port' | 'mac' | 'mark' | 'iface'

/** A member as text parts, one per dimension, in the form `keyOf` makes of a packet. */
export interface SetEntry {
  readonly parts: readonly EntryPart[]
  readonly nomatch: boolean
  readonly position: Position
}

export type EntryPart =
  | { readonly kind: 'address'; readonly address: Address; readonly bits: number }
  /** `protocol` undefined: bitmap:port, any of TCP and UDP. */
  | { readonly kind: 'port'; readonly protocol: number | undefined; readonly port: number }
  | { readonly kind: 'mac'; readonly mac: string }
  | { readonly kind: 'mark'; readonly mark: number }
  | { readonly kind: 'iface'; readonly name: string; readonly physical: boolean; readonly wildcard: boolean }

export interface SetOptions {
  readonly name: string
  readonly type: string
  readonly dimensions: readonly Dimension[]
  readonly family: Family
  /** Of `netmask`: addresses are cut to so many bits before they are looked up. */
  readonly netmask: number | undefined
  /** Of `markmask`. */
  readonly markMask: number
  readonly position: Position
}

export interface LookupResult {
  /** Undefined: the packet lacks a fact, named by `missing`. */
  readonly matched: boolean | undefined
  readonly entry?: SetEntry
  readonly missing?: string
}

const NO: LookupResult = { matched: false }

/** One set as `ipset save` printed it, ready to be asked (net/netfilter/ipset). */
export interface IpSet {
  readonly options: Pick<SetOptions, 'name' | 'type' | 'position'>
  /** @param returnNomatch `--return-nomatch`: exceptions count as matches, and only they do. */
  lookup(flight: Flight, directions: readonly ('src' | 'dst')[], returnNomatch: boolean): LookupResult
}

/** hash:… and bitmap:… sets: one hash table over all dimensions, asked once per prefix length in use. */
export class MemberSet implements IpSet {
  readonly options: SetOptions
  readonly #entries = new Map<string, SetEntry>()
  /** Per `net` dimension, the prefix lengths in use, longest first. */
  readonly #lengths: number[][]
  #interfaces = false

  constructor(options: SetOptions) {
    this.options = options
    this.#lengths = options.dimensions.map((dimension) =>
      dimension === 'net' ? [] : [options.netmask ?? (options.family === 4 ? 32 : 128)],
    )
  }

  get size(): number {
    return this.#entries.size
  }

  add(entry: SetEntry): void {
    for (const [index, part] of entry.parts.entries()) {
      const lengths = this.#lengths[index]
      if (part.kind === 'address' && lengths && !lengths.includes(part.bits)) {
        lengths.push(part.bits)
        lengths.sort((a, b) => b - a)
      }
      this.#interfaces ||= part.kind === 'iface'
    }
    this.#entries.set(this.#entryKey(entry.parts), entry)
  }

  delete(parts: readonly EntryPart[]): void {
    this.#entries.delete(this.#entryKey(parts))
  }

  #entryKey(parts: readonly EntryPart[]): string {
    return parts.map((part) => partKey(part)).join(',')
  }

  lookup(flight: Flight, directions: readonly ('src' | 'dst')[], returnNomatch: boolean): LookupResult {
    const { dimensions, family } = this.options
    if (directions.length < dimensions.length || this.#entries.size === 0) return NO
    if (flight.packet.family !== family && this.options.type !== 'bitmap:port' && this.options.type !== 'hash:mac') return NO
    const alternatives: string[][] = []
    let missing: string | undefined
    for (const [index, dimension] of dimensions.entries()) {
      const keys = this.#packetKeys(flight, dimension, directions[index] ?? 'src', index)
      if (keys === 'never') return NO
      if (typeof keys === 'string') missing ??= keys
      else alternatives.push(keys)
    }
    if (missing !== undefined) return { matched: undefined, missing }
    return this.#probe(alternatives, 0, '', returnNomatch) ?? NO
  }

  /** First dimension's longest prefix first, then the second's: the order the kernel tries them in. */
  #probe(alternatives: readonly string[][], at: number, prefix: string, returnNomatch: boolean): LookupResult | undefined {
    const keys = alternatives[at]
    if (keys === undefined) {
      const entry = this.#entries.get(prefix)
      return entry && { matched: entry.nomatch === returnNomatch, entry }
    }
    for (const key of keys) {
      const found = this.#probe(alternatives, at + 1, at === 0 ? key : `${prefix},${key}`, returnNomatch)
      if (found) return found
    }
    return undefined
  }

  /** Keys this packet could be listed under, or "never", or what is missing to tell. */
  #packetKeys(flight: Flight, dimension: Dimension, direction: 'src' | 'dst', index: number): string[] | 'never' | string {
    const { packet } = flight
    switch (dimension) {
      case 'ip':
      case 'net': {
        const address = direction === 'src' ? packet.src : packet.dst
        return (this.#lengths[index] ?? []).map((bits) => addressKey(address, bits))
      }
      case 'port':
        return portKeys(packet, direction, this.options.type === 'bitmap:port')
      case 'mac': {
        const mac = direction === 'src' ? packet.srcMac : packet.dstMac
        if (mac === undefined) return `${direction} MAC address of the packet`
        return this.options.type === 'bitmap:ip,mac' ? [mac.toLowerCase(), '*'] : [mac.toLowerCase()]
      }
      case 'mark':
        return [`m${(flight.mark & this.options.markMask) >>> 0}`]
      case 'iface':
        return interfaceKeys(flight, direction, this.#interfaceNames())
    }
  }

  /** Prefixes of wildcard members; few, and asked one by one. */
  #interfaceNames(): string[] {
    if (!this.#interfaces) return []
    const wildcards = new Set<string>()
    for (const entry of this.#entries.values()) {
      for (const part of entry.parts) if (part.kind === 'iface' && part.wildcard) wildcards.add(part.name)
    }
    return [...wildcards]
  }
}

/** list:set: holds if one of its members does, in order. */
export class SetList implements IpSet {
  readonly options: Pick<SetOptions, 'name' | 'type' | 'position'>
  readonly #members: string[] = []
  readonly #sets: ReadonlyMap<string, IpSet>

  constructor(options: Pick<SetOptions, 'name' | 'type' | 'position'>, sets: ReadonlyMap<string, IpSet>) {
    this.options = options
    this.#sets = sets
  }

  add(name: string): void {
    this.#members.push(name)
  }

  lookup(flight: Flight, directions: readonly ('src' | 'dst')[], returnNomatch: boolean): LookupResult {
    let undecided: LookupResult | undefined
    for (const name of this.#members) {
      const member = this.#sets.get(name)
      // Lists of lists are refused by the kernel.
      if (!member || member instanceof SetList) continue
      const result = member.lookup(flight, directions, returnNomatch)
      if (result.matched) return undecided ?? result
      if (result.matched === undefined) undecided ??= result
    }
    return undecided ?? NO
  }
}

function partKey(part: EntryPart): string {
  switch (part.kind) {
    case 'address':
      return addressKey(part.address, part.bits)
    case 'port':
      return `${part.protocol ?? ''}:${part.port}`
    case 'mac':
      return part.mac
    case 'mark':
      return `m${part.mark}`
    case 'iface':
      return `${part.physical ? 'p' : 'i'}${part.wildcard ? '~' : '='}${part.name}`
  }
}

function addressKey(address: Address, bits: number): string {
  return `${prefixRange(address, bits)[0].value}/${bits}`
}

function portKeys(packet: Packet, direction: 'src' | 'dst', bitmap: boolean): string[] | 'never' | string {
  const { protocol } = packet
  if (protocol === IPPROTO.icmp || protocol === IPPROTO.icmpv6) {
    if (bitmap) return 'never'
    return packet.icmp ? [`${protocol}:${packet.icmp.type * 256 + packet.icmp.code}`] : 'ICMP type of the packet'
  }
  if (protocol !== IPPROTO.tcp && protocol !== IPPROTO.udp && protocol !== IPPROTO.sctp && protocol !== IPPROTO.udplite) {
    return bitmap ? 'never' : [`${protocol}:0`]
  }
  if (bitmap && protocol !== IPPROTO.tcp && protocol !== IPPROTO.udp) return 'never'
  const port = direction === 'src' ? packet.sport : packet.dport
  if (port === undefined) return `${direction === 'src' ? 'source' : 'destination'} port of the packet`
  return [`${bitmap ? '' : protocol}:${port}`]
}

function interfaceKeys(flight: Flight, direction: 'src' | 'dst', wildcards: readonly string[]): string[] {
  const names: [string, string | undefined][] = [
    ['i', direction === 'src' ? flight.iif : flight.oif],
    ['p', direction === 'src' ? flight.physin : flight.physout],
  ]
  return names.flatMap(([kind, name]) =>
    name === undefined
      ? []
      : [`${kind}=${name}`, ...wildcards.filter((prefix) => name.startsWith(prefix)).map((prefix) => `${kind}~${prefix}`)],
  )
}
