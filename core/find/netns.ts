// SPDX-License-Identifier: Apache-2.0

import type { TupleFact } from '../facts/node.ts'
import type { Netns } from '../facts/netns.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import { formatPrefix } from '../net/prefix.ts'
import type { FindGroup, FindSink } from './found.ts'
import { type Mention, mentionsAddress, mentionsPrefix, type Wanted } from './wanted.ts'

/** Addresses, routes, routing rules, neighbours and tracked connections of a network namespace. */
export function findInNetns(netns: Netns, wanted: Wanted, sink: FindSink): void {
  const where = netns.id === 'host' ? '' : ` in ${netns.label}`
  const report = (group: FindGroup, place: string, text: string, mention: Mention | undefined, file: string, pointer: string) => {
    if (mention === undefined) return
    const within = mention.how === 'exact' ? undefined : mention.bits
    sink({ group, node: netns.node, place: `${place}${where}`, text, within, evidence: { kind: 'fact', file, pointer, text } })
  }
  const device = (ifindex: number | undefined) =>
    ifindex === undefined ? undefined : (netns.devices.at(ifindex)?.ifname ?? `interface ${ifindex}`)
  for (const { address, network, ifindex, place } of netns.addresses) {
    const text = `${formatAddress(address)}/${network.bits} dev ${device(ifindex)}`
    report('addresses', 'address', text, mentionsAddress(wanted, address), place.file, place.pointer)
  }
  for (const { dst, table, type, nexthops, prefsrc, place } of netns.routes) {
    const hops = nexthops.map((hop) => [
      hop.via && `via ${formatAddress(hop.via)}`,
      device(hop.ifindex) && `dev ${device(hop.ifindex)}`,
    ])
    const kind = type === 'unicast' ? [] : [type]
    const text = [...kind, formatPrefix(dst), ...hops.flat(), prefsrc && `src ${formatAddress(prefsrc)}`]
      .filter(Boolean)
      .join(' ')
    const through = nexthops.find(({ via }) => via !== undefined && mentionsAddress(wanted, via) !== undefined)
    const mention: Mention | undefined = through === undefined ? mentionsPrefix(wanted, dst) : { how: 'exact' }
    report('routes', `route in ${tableName(table)}`, text, mention, place.file, place.pointer)
  }
  for (const { src, dst, priority, table, place } of netns.rules) {
    const parts = [src && `from ${formatPrefix(src)}`, dst && `to ${formatPrefix(dst)}`, table && `lookup ${tableName(table)}`]
    const mention = [src, dst].flatMap((prefix) => (prefix && mentionsPrefix(wanted, prefix)) ?? [])[0]
    report('routes', `routing rule ${priority}`, parts.filter(Boolean).join(' '), mention, place.file, place.pointer)
  }
  for (const { address, ifindex, lladdr, state, place } of netns.neighbours) {
    const text = [formatAddress(address), `dev ${device(ifindex)}`, lladdr && `lladdr ${lladdr}`, state].filter(Boolean).join(' ')
    report('neighbours', 'neighbour', text, mentionsAddress(wanted, address), place.file, place.pointer)
  }
  for (const [index, { protocol, original, reply, tcpState }] of (netns.conntrack?.entries ?? []).entries()) {
    const named = [original.src, original.dst, reply.src, reply.dst].flatMap((text) => parseAddress(text) ?? [])
    if (!named.some((address) => mentionsAddress(wanted, address))) continue
    const text = [PROTOCOLS[protocol] ?? `protocol ${protocol}`, tcpState, `${tuple(original)}, reply ${tuple(reply)}`]
    const file = `${netns.folder}/conntrack.json`
    report('connections', 'conntrack', text.filter(Boolean).join(' '), { how: 'exact' }, file, `/entries/${index}`)
  }
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6', 132: 'SCTP' }

function tuple({ src, dst, sport, dport }: TupleFact): string {
  const end = (address: string, port: number | undefined) =>
    port === undefined ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`
  return `${end(src, sport)} → ${end(dst, dport)}`
}

function tableName(table: number): string {
  return { 255: 'table local', 254: 'table main', 253: 'table default' }[table] ?? `table ${table}`
}
