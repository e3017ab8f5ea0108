// SPDX-License-Identifier: Apache-2.0

import { type Address, ipv4, ipv6 } from '../../../core/net/address.ts'
import { IPPROTO, type Packet } from '../../../core/net/packet.ts'

/** Packets as bytes, with right checksums: connection tracking calls others invalid. */

/** @param tag Travels in the IPv4 identification or IPv6 flow label, which routers leave alone. */
export function encodePacket(packet: Packet, tag: number): Uint8Array {
  const body = transport(packet)
  return packet.family === 4 ? header4(packet, tag, body) : header6(packet, tag, body)
}

function header4(packet: Packet, tag: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(20 + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, 0x45)
  view.setUint8(1, (packet.dscp ?? 0) << 2)
  view.setUint16(2, bytes.length)
  view.setUint16(4, tag)
  view.setUint8(8, packet.ttl ?? 64)
  view.setUint8(9, packet.protocol)
  view.setUint32(12, Number(packet.src.value))
  view.setUint32(16, Number(packet.dst.value))
  view.setUint16(10, checksum(bytes.subarray(0, 20)))
  bytes.set(body, 20)
  return bytes
}

function header6(packet: Packet, tag: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40 + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, ((6 << 28) | ((packet.dscp ?? 0) << 22) | tag) >>> 0)
  view.setUint16(4, body.length)
  view.setUint8(6, packet.protocol)
  view.setUint8(7, packet.ttl ?? 64)
  bytes.set(addressBytes(packet.src), 8)
  bytes.set(addressBytes(packet.dst), 24)
  bytes.set(body, 40)
  return bytes
}

function transport(packet: Packet): Uint8Array {
  const { protocol } = packet
  if (protocol === IPPROTO.tcp) return tcp(packet)
  if (protocol === IPPROTO.udp) return udp(packet)
  if (protocol === IPPROTO.icmp || protocol === IPPROTO.icmpv6) return icmp(packet)
  return new Uint8Array(24)
}

function tcp(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(20)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, packet.sport ?? 0)
  view.setUint16(2, packet.dport ?? 0)
  view.setUint32(4, 1000)
  view.setUint32(8, (packet.tcpFlags ?? 0) & 16 ? 1001 : 0)
  view.setUint8(12, 5 << 4)
  view.setUint8(13, packet.tcpFlags ?? 2)
  view.setUint16(14, 64000)
  view.setUint16(16, transportChecksum(packet, bytes))
  return bytes
}

function udp(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, packet.sport ?? 0)
  view.setUint16(2, packet.dport ?? 0)
  view.setUint16(4, bytes.length)
  view.setUint16(6, transportChecksum(packet, bytes) || 0xffff)
  return bytes
}

function icmp(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, packet.icmp?.type ?? 8)
  view.setUint8(1, packet.icmp?.code ?? 0)
  view.setUint16(4, packet.icmp?.id ?? 0)
  view.setUint16(6, 1)
  view.setUint16(2, packet.family === 4 ? checksum(bytes) : transportChecksum(packet, bytes))
  return bytes
}

function transportChecksum(packet: Packet, body: Uint8Array): number {
  const pseudo = [
    ...addressBytes(packet.src),
    ...addressBytes(packet.dst),
    0,
    packet.protocol,
    body.length >>> 8,
    body.length & 255,
  ]
  return checksum(Uint8Array.from([...pseudo, ...body]))
}

function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function addressBytes(address: Address): Uint8Array {
  const size = address.family === 4 ? 4 : 16
  return Uint8Array.from({ length: size }, (_, i) => Number((BigInt(address.value) >> BigInt(8 * (size - 1 - i))) & 255n))
}

/** The tag a packet carries. */
export function tagOf(hex: string): number {
  return hex.startsWith('4') ? Number.parseInt(hex.slice(8, 12), 16) : Number.parseInt(hex.slice(3, 8), 16)
}

/** What was seen on the other side; fields that are not on the wire are undefined. */
export function decodePacket(hex: string): Packet {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
  const view = new DataView(bytes.buffer)
  const family = view.getUint8(0) >>> 4 === 4 ? 4 : 6
  const start = family === 4 ? (view.getUint8(0) & 15) * 4 : 40
  const protocol = view.getUint8(family === 4 ? 9 : 6)
  const hasPorts = protocol === IPPROTO.tcp || protocol === IPPROTO.udp
  const isIcmp = protocol === IPPROTO.icmp || protocol === IPPROTO.icmpv6
  return {
    family,
    protocol,
    src: readAddress(view, family, family === 4 ? 12 : 8),
    dst: readAddress(view, family, family === 4 ? 16 : 24),
    sport: hasPorts ? view.getUint16(start) : undefined,
    dport: hasPorts ? view.getUint16(start + 2) : undefined,
    icmp: isIcmp ? { type: view.getUint8(start), code: view.getUint8(start + 1), id: view.getUint16(start + 4) } : undefined,
    tcpFlags: protocol === IPPROTO.tcp ? view.getUint8(start + 13) : undefined,
    length: family === 4 ? view.getUint16(2) : view.getUint16(4) + 40,
    ttl: view.getUint8(family === 4 ? 8 : 7),
    dscp: family === 4 ? view.getUint8(1) >>> 2 : (view.getUint16(0) >>> 6) & 63,
    srcMac: undefined,
    dstMac: undefined,
  }
}

function readAddress(view: DataView, family: 4 | 6, at: number): Address {
  if (family === 4) return ipv4(view.getUint32(at))
  return ipv6((view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8))
}
