// SPDX-License-Identifier: Apache-2.0

import { type Address, parseAddress } from '../net/address.ts'
import { IPPROTO } from '../net/packet.ts'

/** One end of a question, as a person writes it. Names are not looked up yet. */
export type Place = PlaceTarget & {
  /** As written. */
  readonly text: string
  /** A number, or the name of a service's or container's port. */
  readonly port: number | string | undefined
  /** IP protocol number. */
  readonly protocol: number | undefined
}

export type PlaceTarget =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'pod' | 'service'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'host'; readonly node: string }

/** What is wrong with a place, in words for the person who wrote it. */
export class PlaceError extends Error {
  override readonly name = 'PlaceError'
}

const NUMBERED_PORTS: ReadonlySet<number> = new Set([IPPROTO.tcp, IPPROTO.udp, IPPROTO.sctp, IPPROTO.dccp, IPPROTO.udplite])

/** Whether packets of this IP protocol have ports. */
export function hasPorts(protocol: number): boolean {
  return NUMBERED_PORTS.has(protocol)
}

/**
 * Reads "10.0.0.5", "10.0.0.1:80/TCP", "[fd00::1]:80/TCP", "10.0.0.1/ICMP", "pod:shop/web", "pod:shop/db:5432/TCP",
 * "svc:shop/db:5432/TCP" or "host:node-a". Protocols are names or numbers. Throws PlaceError.
 */
export function parsePlace(text: string): Place {
  const kind = /^(pod|svc|service|host|node):/.exec(text)?.[1]
  if (kind === undefined) return parseAddressPlace(text)
  const rest = text.slice(kind.length + 1)
  if (kind === 'host' || kind === 'node') {
    const [, node, port, protocol] = /^([^:/]+)(?::([^:/]*))?(?:\/([^/]*))?$/.exec(rest) ?? []
    if (node === undefined || !isName(node)) throw new PlaceError(`\`${text}\` is not of the form host:NODE`)
    return { kind: 'host', node, text, ...details(text, port, protocol) }
  }
  const [, namespace, name, port, protocol] = /^([^:/]+)\/([^:/]+)(?::([^:/]*))?(?:\/([^/]*))?$/.exec(rest) ?? []
  if (namespace === undefined || name === undefined || !isName(namespace) || !isName(name)) {
    throw new PlaceError(`\`${text}\` is not of the form ${kind}:NAMESPACE/NAME${kind === 'pod' ? '' : ':PORT/PROTOCOL'}`)
  }
  return { kind: kind === 'pod' ? 'pod' : 'service', namespace, name, text, ...details(text, port, protocol) }
}

function parseAddressPlace(text: string): Place {
  const slash = text.indexOf('/')
  const end = slash < 0 ? text : text.slice(0, slash)
  const protocol = slash < 0 ? undefined : text.slice(slash + 1)
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(end)
  const [, ip = end, port] = bracketed ?? /^([^:]*):([^:]*)$/.exec(end) ?? []
  const address = parseAddress(ip)
  if (address === undefined)
    throw new PlaceError(`\`${text}\` is not an address, pod:NAMESPACE/NAME, svc:NAMESPACE/NAME:PORT/PROTOCOL or host:NODE`)
  return { kind: 'address', address, text, ...details(text, port, protocol, address) }
}

function details(
  text: string,
  port: string | undefined,
  protocol: string | undefined,
  address?: Address,
): Pick<Place, 'port' | 'protocol'> {
  const number = protocol === undefined ? undefined : parseProtocol(protocol, address)
  if (protocol !== undefined && number === undefined)
    throw new PlaceError(`\`${text}\` names an unknown protocol, \`${protocol}\``)
  if (port !== undefined && number !== undefined && !hasPorts(number)) {
    throw new PlaceError(`\`${text}\` gives a port, and protocol ${protocol} has none`)
  }
  return { port: port === undefined ? undefined : parsePort(text, port, address === undefined), protocol: number }
}

function parsePort(text: string, port: string, mayBeNamed: boolean): number | string {
  if (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535) return Number(port)
  if (mayBeNamed && /^[a-z0-9-]{1,63}$/.test(port) && /[a-z]/.test(port)) return port
  throw new PlaceError(`\`${text}\` has an invalid port, \`${port}\`: ports are 1 to 65535`)
}

/** Name or number of an IP protocol; "icmp" with an IPv6 address is ICMPv6. */
function parseProtocol(text: string, address: Address | undefined): number | undefined {
  const name = text.toLowerCase()
  if (name === 'icmp' && address?.family === 6) return IPPROTO.icmpv6
  if (/^\d{1,3}$/.test(name)) return Number(name) <= 255 ? Number(name) : undefined
  const known = { ...IPPROTO, 'ipv6-icmp': IPPROTO.icmpv6 }
  return Object.hasOwn(known, name) ? known[name as keyof typeof known] : undefined
}

/** DNS subdomain, as Kubernetes names are (RFC 1123). */
function isName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)
}
