// SPDX-License-Identifier: Apache-2.0

/** A trace as it was asked: in the words of the command line, so that it can be kept, shown and asked again. */

import { IPPROTO } from '../../core/net/packet.ts'
import { formatAddress } from '../../core/net/address.ts'
import { hasPorts, type Place, PlaceError, parsePlace } from '../../core/path/place.ts'

export interface AskedTrace {
  /** "pod:shop/web", "host:node-a", "10.0.0.5". */
  readonly from: string
  /** "svc:shop/db:5432/TCP", "10.0.0.5:80/TCP". */
  readonly to: string
}

export interface ParsedTrace {
  readonly from: Place
  readonly to: Place
  /** IP protocol number. */
  readonly protocol: number
}

/** Throws PlaceError with words for the person who asked. */
export function parseTrace({ from, to }: AskedTrace): ParsedTrace {
  const source = parsePlace(from)
  const destination = parsePlace(to)
  if (source.kind === 'service') throw new PlaceError(`\`${from}\` is a service; packets are sent by pods, hosts and addresses`)
  const protocol = destination.protocol ?? source.protocol ?? IPPROTO.tcp
  if (hasPorts(protocol) && destination.port === undefined) throw new PlaceError(`\`${to}\` names no port`)
  return { from: source, to: destination, protocol }
}

/** The other way round. A service can't send: its place is taken by the address the answer found behind it. */
export function reversed(asked: AskedTrace, destination: { readonly ip: string }, sourcePort: number | null): AskedTrace {
  const { from, to, protocol } = parseTrace(asked)
  const name = protocolName(protocol)
  const sender = to.kind === 'pod' ? `pod:${to.namespace}/${to.name}` : to.kind === 'host' ? `host:${to.node}` : destination.ip
  const end = nameOf(from, hasPorts(protocol))
  if (!hasPorts(protocol)) return { from: sender, to: `${end}/${name}` }
  // Answers go to a port the kernel chose; any one stands for it.
  return { from: sender, to: `${end}:${sourcePort ?? 40_000}/${name}` }
}

/** A place without port and protocol; an IPv6 address in brackets where a port is to follow. */
function nameOf(place: Place, beforePort: boolean): string {
  if (place.kind === 'host') return `host:${place.node}`
  if (place.kind !== 'address') return `pod:${place.namespace}/${place.name}`
  const ip = formatAddress(place.address)
  return beforePort && place.address.family === 6 ? `[${ip}]` : ip
}

export function protocolName(protocol: number): string {
  const known = Object.entries(IPPROTO).find(([, number]) => number === protocol)
  return known === undefined ? String(protocol) : known[0].toUpperCase()
}

/** The command that asks the same in a terminal. */
export function commandLine(
  asked: AskedTrace,
  source: { readonly kind: 'context' | 'bundle'; readonly place: string; readonly kubeconfig?: string },
): string {
  const facts = source.kind === 'bundle' ? ['--bundle', source.place] : ['--context', source.place]
  const config = source.kubeconfig === undefined ? [] : ['--kubeconfig', source.kubeconfig]
  const words = ['plumbline', 'trace', '--from', asked.from, '--to', asked.to, ...facts, ...config]
  return words.map(shellWord).join(' ')
}

/** Quoted for a POSIX shell where it must be. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
