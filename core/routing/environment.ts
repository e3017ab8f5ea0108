// SPDX-License-Identifier: Apache-2.0

import { type Netns, SCOPE } from '../facts/netns.ts'
import type { TupleFact } from '../facts/node.ts'
import { type Address, type Family, formatAddress, parseAddress } from '../net/address.ts'
import type { Tuple } from '../net/packet.ts'
import type { AddressType, ExistingConnection, HookEnvironment } from '../netfilter/traversal.ts'
import { fibLookup, tableLookup } from './lookup.ts'
import { addressFlow, routeOutput } from './output.ts'
import { hasDefaultRules } from './rules.ts'
import { isLimitedBroadcast, isMulticast, isOwnAddress, isZeronet, selectAddress4, selectAddress6 } from './source.ts'
import { RT_TABLE, tablesOf } from './tables.ts'
import { factEvidence } from './text.ts'

const DEFAULT_PORTS: readonly [number, number] = [32_768, 60_999]

/** What rules may ask about a namespace, answered from its snapshot. */
export class NetnsEnvironment implements HookEnvironment {
  readonly localPortRange: readonly [number, number]
  readonly #netns: Netns
  #connections: ReadonlyMap<string, ExistingConnection> | undefined

  constructor(netns: Netns) {
    this.#netns = netns
    const range = netns.sysctl('net.ipv4.ip_local_port_range')?.trim().split(/\s+/).map(Number)
    const [low, high] = range ?? []
    this.localPortRange = low !== undefined && high !== undefined && low <= high ? [low, high] : DEFAULT_PORTS
  }

  addressType(address: Address, device?: string): AddressType | undefined {
    if (this.#netns.routes.length === 0) {
      if (this.#netns.addresses.length === 0) return undefined
      return isOwnAddress(this.#netns, address) ? 'local' : 'unicast'
    }
    return address.family === 4 ? this.#type4(address, device) : this.#type6(address, device)
  }

  /** fib_frontend.c __inet_dev_addr_type: the local table alone. */
  #type4(address: Address, device: string | undefined): AddressType {
    if (isZeronet(address) || isLimitedBroadcast(address)) return 'broadcast'
    if (isMulticast(address)) return 'multicast'
    const tables = tablesOf(this.#netns)
    const table = hasDefaultRules(this.#netns, 4) ? tables.merged : tables.table(4, RT_TABLE.local)
    const found = tableLookup(this.#netns, table, addressFlow(address), {}, undefined)
    if (found?.kind !== 'found') return 'unicast'
    const owner = this.#netns.devices.nameOf(found.nexthops[0]?.ifindex)
    if (device !== undefined && owner !== device) return 'unicast'
    return typeOf(found.route.type)
  }

  /** xt_addrtype.c match_lookup_rt6: a whole route lookup. */
  #type6(address: Address, device: string | undefined): AddressType {
    if (isMulticast(address)) return 'multicast'
    const lookup = fibLookup(this.#netns, addressFlow(address))[0]?.lookup
    if (lookup?.kind !== 'found') return 'unreachable'
    const owner = this.#netns.devices.nameOf(lookup.nexthops[0]?.ifindex)
    const type = typeOf(lookup.route.type)
    return type === 'local' && device !== undefined && owner !== device ? 'unicast' : type
  }

  routeTo(
    address: Address,
    options: { mark: number; iif?: string; oif?: string },
  ): { oif: string; type: AddressType } | undefined {
    if (this.#netns.routes.length === 0) return undefined
    const flow = { ...addressFlow(address), mark: options.mark, iif: options.iif, oif: options.oif }
    const lookup = fibLookup(this.#netns, flow)[0]?.lookup
    if (lookup?.kind !== 'found') return { oif: '', type: 'unreachable' }
    return { oif: this.#netns.devices.nameOf(lookup.nexthops[0]?.ifindex) ?? 'lo', type: typeOf(lookup.route.type) }
  }

  masqueradeAddress(oif: string | undefined, destination: Address, family: Family): Address | undefined {
    const device = this.#netns.devices.named(oif)
    if (device === undefined) return undefined
    if (family === 6) return selectAddress6(this.#netns, device, destination)
    const [route] = routeOutput(this.#netns, { ...addressFlow(destination), oif })
    const gateway = route?.kind === 'routed' ? route.via : undefined
    return selectAddress4(this.#netns, device, gateway ?? destination, SCOPE.universe)
  }

  deviceAddress(device: string | undefined, family: Family): Address | undefined {
    const ifindex = this.#netns.devices.named(device)?.ifindex
    return this.#netns.addresses.find((entry) => entry.ifindex === ifindex && entry.family === family)?.address
  }

  /** Sockets are not among the facts. */
  hasSocket(): undefined {
    return undefined
  }

  connection(tuple: Tuple, zone: number): ExistingConnection | undefined {
    this.#connections ??= indexConnections(this.#netns)
    return this.#connections.get(keyOf(tuple, zone))
  }
}

function typeOf(type: string): AddressType {
  return type === 'throw' ? 'unicast' : (type as AddressType)
}

function indexConnections(netns: Netns): ReadonlyMap<string, ExistingConnection> {
  const index = new Map<string, ExistingConnection>()
  for (const [position, entry] of (netns.conntrack?.entries ?? []).entries()) {
    const original = toTuple(entry.protocol, entry.original)
    const reply = toTuple(entry.protocol, entry.reply)
    if (original === undefined || reply === undefined) continue
    const place = { file: `${netns.folder}/conntrack.json`, pointer: `/entries/${position}` }
    const { src, dst, sport, dport } = entry.original
    const evidence = factEvidence(place, `${src}:${sport ?? ''} -> ${dst}:${dport ?? ''}, replies from ${entry.reply.src}`)
    const tcpState = entry.tcpState === undefined ? {} : { tcpState: entry.tcpState }
    const common = { original, reply, status: entry.status, mark: entry.mark, ...tcpState, evidence }
    index.set(keyOf(original, entry.zone), { direction: 'original', ...common })
    const back = keyOf(reply, entry.zone)
    if (!index.has(back)) index.set(back, { direction: 'reply', ...common })
  }
  return index
}

function toTuple(protocol: number, fact: TupleFact): Tuple | undefined {
  const src = parseAddress(fact.src)
  const dst = parseAddress(fact.dst)
  if (src === undefined || dst === undefined) return undefined
  if (fact.icmpType === undefined) return { protocol, src, dst, sport: fact.sport, dport: fact.dport }
  return { protocol, src, dst, sport: fact.icmpId, dport: fact.icmpType * 256 + (fact.icmpCode ?? 0) }
}

/** A tuple with an unknown port is like no entry. */
function keyOf(tuple: Tuple, zone: number): string {
  const { protocol, src, dst, sport, dport } = tuple
  return [protocol, formatAddress(src), sport ?? '?', formatAddress(dst), dport ?? '?', zone].join('|')
}
