// SPDX-License-Identifier: Apache-2.0

import { type Address, type Family, parseAddress } from '../../../core/net/address.ts'
import { IPPROTO, type Packet, TCP_FLAG } from '../../../core/net/packet.ts'
import type { Random } from '../../support/random.ts'
import type { Place } from './topology.ts'

export interface Question {
  readonly from: Place
  readonly packet: Packet
  readonly uid: number
  readonly gid: number
}

/** Addresses and ports that the rule sets talk about, and some they don't. */
const POOLS = {
  4: {
    client: [
      '10.1.0.2',
      '10.9.0.1',
      '10.9.0.2',
      '10.9.0.3',
      '10.9.0.4',
      '10.9.0.5',
      '10.9.0.6',
      '10.9.0.7',
      '10.9.0.9',
      '10.9.0.20',
      '10.9.1.2',
      '10.1.0.2',
    ],
    server: ['10.2.0.2', '10.2.0.3', '10.3.0.1'],
    node: ['10.1.0.1', '10.2.0.1', '127.0.0.1'],
    destinations: [
      '10.2.0.2',
      '10.2.0.2',
      '10.2.0.3',
      '10.2.0.200',
      '10.3.0.1',
      '10.3.5.1',
      '10.1.0.1',
      '10.2.0.1',
      '10.96.0.1',
      '10.96.0.1',
      '10.96.0.3',
      '10.96.0.9',
      '10.96.0.10',
      '10.99.0.1',
      '10.99.0.5',
      '10.60.0.1',
      '10.60.0.2',
      '10.60.0.3',
      '10.60.0.4',
      '10.60.0.5',
      '10.60.0.6',
      '10.50.0.77',
      '192.0.2.9',
    ],
  },
  6: {
    client: ['fd01::2', 'fd09::1', 'fd09::3', 'fd09::9', 'fd01::2'],
    server: ['fd02::2', 'fd02::3'],
    node: ['fd01::1', 'fd02::1'],
    destinations: ['fd02::2', 'fd02::3', 'fd96::1', 'fd96::1', 'fd60::1', 'fd50::77', 'fd01::1', 'fd02::1', '2001:db8::1'],
  },
} as const

/** Destinations with the port and protocol that rules translate: drawn often, because chance meets them rarely. */
const SERVICES: Readonly<Record<Family, readonly [address: string, port: number, protocol: number][]>> = {
  4: [
    ['10.96.0.1', 80, IPPROTO.tcp],
    ['10.96.0.1', 80, IPPROTO.tcp],
    ['10.96.0.3', 443, IPPROTO.tcp],
    ['10.96.0.9', 80, IPPROTO.tcp],
    ['10.96.0.10', 53, IPPROTO.udp],
    ['10.99.0.1', 80, IPPROTO.tcp],
    ['10.99.0.5', 80, IPPROTO.tcp],
    ['10.1.0.1', 30080, IPPROTO.tcp],
    ['10.2.0.1', 30081, IPPROTO.tcp],
    ['10.1.0.1', 30443, IPPROTO.tcp],
    ['10.60.0.1', 80, IPPROTO.tcp],
    ['10.60.0.1', 53, IPPROTO.udp],
    ['10.60.0.2', 1500, IPPROTO.tcp],
    ['10.60.0.2', 3005, IPPROTO.tcp],
    ['10.60.0.3', 80, IPPROTO.tcp],
    ['10.60.0.5', 2004, IPPROTO.tcp],
    ['10.60.0.6', 2004, IPPROTO.tcp],
    ['10.2.0.3', 9090, IPPROTO.tcp],
    ['10.1.0.1', 8888, IPPROTO.tcp],
  ],
  6: [
    ['fd96::1', 80, IPPROTO.tcp],
    ['fd60::1', 80, IPPROTO.tcp],
    ['fd50::77', 443, IPPROTO.tcp],
    ['fd01::1', 8888, IPPROTO.tcp],
    ['fd02::2', 53, IPPROTO.udp],
  ],
}

const PORTS = [22, 53, 80, 80, 80, 81, 443, 443, 1500, 2004, 3005, 5353, 8080, 8080, 8443, 8888, 8888, 9090, 30080, 30081, 30443]
const FLAGS = [
  TCP_FLAG.syn,
  TCP_FLAG.syn,
  TCP_FLAG.syn,
  TCP_FLAG.syn,
  TCP_FLAG.ack,
  TCP_FLAG.rst,
  TCP_FLAG.fin,
  TCP_FLAG.syn | TCP_FLAG.ack,
]

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed) throw new Error(`no address: ${text}`)
  return parsed
}

/** A packet that begins something, or tries to. Source ports are never used twice. */
export function question(random: Random, family: Family, number: number): Question {
  const pool = POOLS[family]
  const from = random.pick<Place>(['client', 'client', 'client', 'client', 'node', 'server'])
  const protocol = random.pick([
    IPPROTO.tcp,
    IPPROTO.tcp,
    IPPROTO.tcp,
    IPPROTO.udp,
    IPPROTO.udp,
    family === 4 ? IPPROTO.icmp : IPPROTO.icmpv6,
  ])
  const dst = address(random.pick<string>(pool.destinations))
  const src = address(random.pick<string>(pool[from]))
  const unique = 20_000 + ((number * 7) % 40_000)
  const service = random.chance(35) ? random.pick(SERVICES[family]) : undefined
  if (service) return withService(random, from, src, unique, family, service)
  const isIcmp = protocol !== IPPROTO.tcp && protocol !== IPPROTO.udp
  const type = family === 4 ? random.pick([8, 8, 8, 13, 0]) : random.pick([128, 128, 129])
  const owner =
    from === 'node'
      ? random.pick([
          { uid: 0, gid: 0 },
          { uid: 1000, gid: 0 },
          { uid: 5, gid: 2000 },
        ])
      : { uid: 0, gid: 0 }
  return {
    from,
    ...owner,
    packet: {
      family,
      protocol,
      src,
      dst,
      sport: isIcmp ? undefined : unique,
      dport: isIcmp ? undefined : random.pick(PORTS),
      icmp: isIcmp ? { type, code: 0, id: unique } : undefined,
      tcpFlags: protocol === IPPROTO.tcp ? random.pick(FLAGS) : undefined,
      length: sizeOf(family, protocol),
      ttl: random.pick([64, 64, 64, 10, 128]),
      dscp: random.pick([0, 0, 0, 10, 46]),
      srcMac: undefined,
      dstMac: undefined,
    },
  }
}

function ownerOf(random: Random, from: Place): { uid: number; gid: number } {
  if (from !== 'node') return { uid: 0, gid: 0 }
  return random.pick([
    { uid: 0, gid: 0 },
    { uid: 1000, gid: 0 },
    { uid: 5, gid: 2000 },
  ])
}

/** The beginning of a connection to a service. */
function withService(
  random: Random,
  from: Place,
  src: Address,
  sport: number,
  family: Family,
  [dst, dport, protocol]: readonly [string, number, number],
): Question {
  const packet: Packet = {
    family,
    protocol,
    src,
    dst: address(dst),
    sport,
    dport,
    icmp: undefined,
    tcpFlags: protocol === IPPROTO.tcp ? TCP_FLAG.syn : undefined,
    length: sizeOf(family, protocol),
    ttl: 64,
    dscp: 0,
    srcMac: undefined,
    dstMac: undefined,
  }
  return { from, ...ownerOf(random, from), packet }
}

/** As wire.ts writes them. */
export function sizeOf(family: Family, protocol: number): number {
  return (family === 4 ? 20 : 40) + (protocol === IPPROTO.tcp ? 20 : 16)
}
