// SPDX-License-Identifier: Apache-2.0

import type { Address } from '../../net/address.ts'
import { type Connection, type Flight, IPPROTO, type Packet, type Tuple } from '../../net/packet.ts'
import { CT_STATE, CT_STATUS, type Expression, type MetaKey, type PayloadSelector } from '../statement.ts'
import type { TableContext } from './context.ts'
import { computeBinary } from './arithmetic.ts'
import { readMap } from './maps.ts'
import { ABSENT, elementValue, isScalar, unknown, type Value } from './value.ts'

/** Reads what an expression yields for a packet. */
export function readExpression(expression: Expression, flight: Flight, context: TableContext): Value {
  switch (expression.kind) {
    case 'literal':
      return elementValue(expression.value)
    case 'payload':
      return readPayload(expression, flight, context)
    case 'meta':
      return readMeta(expression.key, flight, context)
    case 'ct':
      return readCt(expression, flight)
    case 'binary':
      return computeBinary(expression, (part) => readExpression(part, flight, context))
    case 'concat':
      return { kind: 'parts', parts: expression.parts.map((part) => readExpression(part, flight, context)) }
    case 'map':
      return readMap(expression.key, expression.map, flight, context)
    case 'fib':
      return readFib(expression, flight, context)
    case 'numgen':
      return { kind: 'uniform', offset: expression.offset, modulus: expression.modulus, key: undefined }
    case 'hash':
      if (expression.of.some((part) => isAbsent(readExpression(part, flight, context)))) return ABSENT
      return { kind: 'uniform', offset: expression.offset, modulus: expression.modulus, key: hashKey(expression) }
    case 'exthdr':
      return readExtensionHeader(expression)
    case 'raw':
      return unknown(`raw packet data (${expression.base} header, bit ${expression.offset})`)
    case 'field':
      return unknown(`field "${expression.name}" of the packet`)
    case 'rt':
      return expression.key === 'mtu' || expression.key === 'nexthop'
        ? unknown(`rt ${expression.key} of the chosen route`)
        : unknown(`rt ${expression.key}`)
    case 'socket':
      return context.environment.hasSocket(flight) === false ? ABSENT : unknown(`socket ${expression.key} of a local listener`)
    case 'osf':
      return unknown('operating system fingerprint of the sender')
    case 'unknown':
      return unknown(`expression "${expression.text}"`)
  }
}

/** Without a seed of its own every jhash expression draws one when it is loaded: two of them agree in nothing (nft_hash.c). */
function hashKey(expression: Extract<Expression, { kind: 'hash' }>): string | undefined {
  return expression.algorithm === 'jhash' && expression.seed === undefined ? undefined : stableKey(expression)
}

function isAbsent(value: Value): boolean {
  return !isScalar(value) && value.kind === 'absent'
}

/** Text that is the same for equal conditions; bigints have no JSON form. */
export function stableKey(condition: unknown): string {
  return JSON.stringify(condition, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value))
}

/** Ephemeral ports of the sender, and those a translation without a port range may choose. */
const FIRST_FREE_PORT = 1024
const LAST_PORT = 65535

function readPayload(selector: Extract<PayloadSelector, { kind: 'payload' }>, flight: Flight, context: TableContext): Value {
  const { packet } = flight
  switch (selector.protocol) {
    case 'ip':
      return packet.family === 4 ? readIp(selector.field, packet) : ABSENT
    case 'ip6':
      return packet.family === 6 ? readIp(selector.field, packet) : ABSENT
    case 'ether':
      return readEther(selector.field, flight, context)
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'dccp':
    case 'udplite':
      if (packet.protocol !== IPPROTO[selector.protocol]) return ABSENT
      return readTransport(selector.field, packet, context)
    case 'th':
      return hasPorts(packet.protocol) ? readTransport(selector.field, packet, context) : readPortBytes(selector.field, packet)
    case 'icmp':
    case 'icmpv6':
      return packet.protocol === IPPROTO[selector.protocol] ? readIcmp(selector.field, packet) : ABSENT
  }
}

export function hasPorts(protocol: number): boolean {
  return (
    protocol === IPPROTO.tcp ||
    protocol === IPPROTO.udp ||
    protocol === IPPROTO.sctp ||
    protocol === IPPROTO.dccp ||
    protocol === IPPROTO.udplite
  )
}

function readIp(field: string, packet: Packet): Value {
  switch (field) {
    case 'saddr':
      return packet.src.value
    case 'daddr':
      return packet.dst.value
    case 'protocol':
    case 'nexthdr':
      return packet.protocol
    case 'ttl':
    case 'hoplimit':
      return packet.ttl ?? unknown('time to live of the packet')
    case 'dscp':
      return packet.dscp ?? unknown('DSCP of the packet')
    case 'version':
      return packet.family
    case 'length':
      if (packet.length === undefined) return unknown('length of the packet')
      return packet.family === 6 ? packet.length - 40 : packet.length
  }
  return unknown(`IP header field ${field} of the packet`)
}

function readTransport(field: string, packet: Packet, context: TableContext): Value {
  switch (field) {
    case 'sport': {
      if (packet.sport !== undefined) return packet.sport
      const from = Math.min(FIRST_FREE_PORT, context.environment.localPortRange[0])
      return { kind: 'between', from, to: LAST_PORT, missing: 'source port of the packet' }
    }
    case 'dport':
      return packet.dport ?? unknown('destination port of the packet')
    case 'flags':
      return packet.tcpFlags ?? unknown('TCP flags of the packet')
  }
  return unknown(`transport header field ${field} of the packet`)
}

/** `th` asks for no protocol: of a packet without ports it reads what stands there, for ICMP type and code, then the checksum. */
function readPortBytes(field: string, packet: Packet): Value {
  const { icmp } = packet
  if (field === 'sport' && icmp !== undefined) return icmp.type * 256 + icmp.code
  return unknown(`first bytes of the packet's transport header, which has no ports`)
}

function readIcmp(field: string, packet: Packet): Value {
  if (packet.icmp === undefined) return unknown('ICMP type of the packet')
  if (field === 'type') return packet.icmp.type
  if (field === 'code') return packet.icmp.code
  if (field === 'id' && packet.icmp.id !== undefined) return packet.icmp.id
  return unknown(`ICMP ${field} of the packet`)
}

const ETHERTYPE = { 4: 0x0800, 6: 0x86dd } as const

/** Locally made packets have no link header yet. */
function readEther(field: string, flight: Flight, context: TableContext): Value {
  if (field === 'type') return ETHERTYPE[flight.packet.family]
  const mac = field === 'saddr' ? flight.packet.srcMac : flight.packet.dstMac
  if (mac !== undefined) return Number.parseInt(mac.replaceAll(':', ''), 16)
  if (context.hook === 'output' && context.layer === 'ip') return ABSENT
  return unknown(`${field === 'saddr' ? 'source' : 'destination'} MAC address of the packet`)
}

/** Hooks a packet reaches only after it came in by some device. */
export function cameIn(hook: TableContext['hook']): boolean {
  return hook === 'prerouting' || hook === 'input' || hook === 'forward' || hook === 'ingress'
}

export function leaves(hook: TableContext['hook']): boolean {
  return hook === 'forward' || hook === 'output' || hook === 'postrouting' || hook === 'egress'
}

function readMeta(key: MetaKey, flight: Flight, context: TableContext): Value {
  const { packet } = flight
  switch (key) {
    case 'mark':
      return flight.mark
    case 'l4proto':
      return packet.protocol
    case 'nfproto':
      return packet.family === 4 ? 2 : 10
    case 'protocol':
      return ETHERTYPE[packet.family]
    case 'length':
      return packet.length ?? unknown('length of the packet')
    case 'iifname':
    case 'iif':
      return flight.iif ?? (cameIn(context.hook) ? unknown('device the packet came in by') : '')
    case 'oifname':
    case 'oif':
      return flight.oif ?? (leaves(context.hook) ? unknown('device the packet leaves by') : '')
    case 'physin':
      return flight.physin ?? ''
    case 'physout':
      return flight.physout ?? ''
    case 'skuid':
      return readOwner(flight, context, flight.socket?.uid, 'user')
    case 'skgid':
      return readOwner(flight, context, flight.socket?.gid, 'group')
    case 'pkttype':
      return packetType(packet, context)
    case 'priority':
      return flight.priority ?? unknown('priority of the packet')
    case 'nftrace':
      return 0
    case 'random':
      return { kind: 'uniform', offset: 0, modulus: 2 ** 32, key: undefined }
  }
  return unknown(`meta ${key}`)
}

/** Only packets made here have a socket. */
function readOwner(flight: Flight, context: TableContext, id: number | undefined, what: string): Value {
  if (id !== undefined) return id
  if (cameIn(context.hook) || flight.iif !== undefined) return ABSENT
  return unknown(`${what} that owns the sending socket`)
}

/** PACKET_HOST 0, PACKET_BROADCAST 1, PACKET_MULTICAST 2. */
function packetType(packet: Packet, context: TableContext): Value {
  if (isMulticast(packet.dst)) return 2
  const type = context.environment.addressType(packet.dst)
  return type === 'broadcast' ? 1 : 0
}

function isMulticast(address: Address): boolean {
  return address.family === 4 ? address.value >>> 28 === 0xe : address.value >> 120n === 0xffn
}

/** Untracked and invalid packets have no connection tracking entry. */
export function entryOf(flight: Flight): Connection | undefined {
  const { connection } = flight
  return connection?.state === 'invalid' || connection?.state === 'untracked' ? undefined : connection
}

export function stateOf(flight: Flight): keyof typeof CT_STATE {
  return flight.connection?.state ?? (flight.notrack ? 'untracked' : 'invalid')
}

const CT_DONE = { srcNatDone: 128, dstNatDone: 256 }

function readCt({ key, direction, family }: Extract<Expression, { kind: 'ct' }>, flight: Flight): Value {
  if (key === 'state') return CT_STATE[stateOf(flight)]
  const connection = entryOf(flight)
  if (!connection) return ABSENT
  const tuple = (direction ?? connection.direction) === 'original' ? connection.original : connection.reply
  if (family !== undefined && tuple.src.family !== family) return ABSENT
  switch (key) {
    case 'direction':
      return connection.direction === 'original' ? 0 : 1
    case 'status':
      return statusBits(connection)
    case 'mark':
      return connection.mark
    case 'zone':
      return connection.zone
    case 'helper':
      return connection.helper ?? ''
    case 'l3proto':
      return tuple.src.family === 4 ? 2 : 10
    case 'protocol':
      return tuple.protocol
    case 'saddr':
      return tuple.src.value
    case 'daddr':
      return tuple.dst.value
    case 'proto-src':
      return tuplePort(tuple, 'sport', 'source')
    case 'proto-dst':
      return tuplePort(tuple, 'dport', 'destination')
  }
  return unknown(`ct ${key} of the connection`)
}

function tuplePort(tuple: Tuple, side: 'sport' | 'dport', name: string): Value {
  return tuple[side] ?? unknown(`${name} port of the connection`)
}

function statusBits(connection: Connection): number {
  return (
    (connection.state === 'related' ? CT_STATUS.expected : 0) |
    (connection.state === 'established' ? CT_STATUS['seen-reply'] : 0) |
    (connection.assured ? CT_STATUS.assured : 0) |
    (connection.confirmed ? CT_STATUS.confirmed : 0) |
    (connection.srcNat ? CT_STATUS.snat : 0) |
    (connection.dstNat ? CT_STATUS.dnat : 0) |
    (connection.srcNatDone ? CT_DONE.srcNatDone : 0) |
    (connection.dstNatDone ? CT_DONE.dstNatDone : 0)
  )
}

/** net/ipv4/netfilter/nft_fib_ipv4.c. No route is the empty device name, and so is a route to an address of the node's own. */
function readFib(expression: Extract<Expression, { kind: 'fib' }>, flight: Flight, context: TableContext): Value {
  const { packet } = flight
  const source = expression.selectors.includes('saddr')
  const address = source ? packet.src : packet.dst
  const onDevice = expression.selectors.includes('iif')
    ? flight.iif
    : expression.selectors.includes('oif')
      ? flight.oif
      : undefined
  const what = `fib ${expression.selectors.join(' . ')} ${expression.result}`
  if (expression.result === 'type') return context.environment.addressType(address, onDevice) ?? unknown(what)
  // nft_fib_can_skip: what came over loopback came the right way.
  if ((context.hook === 'prerouting' || context.hook === 'input') && flight.iif === 'lo') return 'lo'
  const route = context.environment.routeTo(address, {
    mark: expression.selectors.includes('mark') ? flight.mark : 0,
    ...(onDevice !== undefined && { iif: onDevice }),
  })
  if (!route) return unknown(what)
  if (route.type !== 'unicast' && route.type !== 'broadcast' && route.type !== 'multicast') return ''
  return onDevice !== undefined && route.oif !== onDevice ? '' : route.oif
}

/** Packets asked about are plain: no IP options and no IPv6 extension headers. TCP options are not known. */
function readExtensionHeader(expression: Extract<Expression, { kind: 'exthdr' }>): Value {
  if (expression.header === 'ip6' || expression.header === 'ip-option') return expression.field === undefined ? 0 : ABSENT
  return unknown(`${expression.header} ${expression.name} of the packet`)
}
