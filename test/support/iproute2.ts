// SPDX-License-Identifier: Apache-2.0

import type { AddressFact, LinkFact, NeighbourFact, RouteFact, RuleFact } from '../../core/facts/node.ts'

/** From what `ip -j -d …` prints to the files of a node's snapshot, so that tests read the kernel without an agent. */

type Json = Readonly<Record<string, unknown>>

export function linkFacts(links: readonly Json[]): readonly LinkFact[] {
  const indexOf = new Map(links.map((link) => [text(link['ifname']), number(link['ifindex'])]))
  return links.map((link) => {
    const info = record(link['linkinfo'])
    const data = record(info['info_data'])
    const slave = record(info['info_slave_data'])
    const kind = text(info['info_kind'])
    const peer = link['link_index'] ?? indexOf.get(text(link['link']))
    return {
      ifindex: number(link['ifindex']),
      ifname: text(link['ifname']),
      flags: list(link['flags']).map((flag) => text(flag).toLowerCase()),
      mtu: number(link['mtu']),
      operstate: text(link['operstate']).toLowerCase(),
      kind,
      ...(link['address'] === undefined ? {} : { address: text(link['address']) }),
      ...(link['master'] === undefined ? {} : { master: indexOf.get(text(link['master'])) ?? 0 }),
      ...(kind === 'veth' && peer !== undefined ? { peerIfindex: number(peer) } : {}),
      ...(kind === 'vxlan'
        ? {
            vxlan: {
              id: number(data['id']),
              port: number(data['port']),
              ...(data['local'] === undefined ? {} : { local: text(data['local']) }),
              learning: data['learning'] === true,
              external: data['external'] === true,
            },
          }
        : {}),
      ...(kind === 'bridge'
        ? {
            bridge: {
              vlanFiltering: number(data['vlan_filtering']) === 1,
              nfCallIptables: number(data['nf_call_iptables']) === 1,
              nfCallIp6tables: number(data['nf_call_ip6tables']) === 1,
            },
          }
        : {}),
      ...(info['info_slave_kind'] === 'bridge'
        ? { port: { hairpin: slave['hairpin'] === true, isolated: slave['isolated'] === true, state: 3 } }
        : {}),
    }
  })
}

export function addressFacts(links: readonly Json[]): readonly AddressFact[] {
  return links.flatMap((link) =>
    list(link['addr_info']).map((entry) => {
      const info = record(entry)
      const bits = number(info['prefixlen'])
      return {
        ifindex: number(link['ifindex']),
        family: info['family'] === 'inet6' ? 6 : 4,
        address: `${text(info['local'])}/${bits}`,
        ...(info['address'] === undefined ? {} : { peer: `${text(info['address'])}/${bits}` }),
        scope: text(info['scope']),
        flags: ADDRESS_FLAGS.filter((flag) => info[flag] === true),
      } as const
    }),
  )
}

const ADDRESS_FLAGS = ['secondary', 'temporary', 'deprecated', 'tentative', 'optimistic', 'noprefixroute']

const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254, local: 255 }

function table(value: unknown): number {
  return TABLES[text(value)] ?? Number(value)
}

export function routeFacts(routes: readonly Json[], family: 4 | 6, links: readonly LinkFact[]): readonly RouteFact[] {
  const indexOf = new Map(links.map((link) => [link.ifname, link.ifindex]))
  const hop = (value: Json) => ({
    ...(value['dev'] === undefined ? {} : { ifindex: indexOf.get(text(value['dev'])) ?? 0 }),
    ...(value['gateway'] === undefined ? {} : { via: text(value['gateway']) }),
    ...(value['via'] === undefined ? {} : { via: text(record(value['via'])['host']) }),
    weight: number(value['weight'] ?? 1),
    flags: list(value['flags']).map(text),
  })
  return routes.map((route) => {
    const single = route['dev'] === undefined ? [] : [hop(route)]
    return {
      family,
      table: table(route['table'] ?? 'main'),
      dst: prefix(route['dst'], family),
      ...(route['src'] === undefined ? {} : { src: prefix(route['src'], family) }),
      type: text(route['type'] ?? 'unicast'),
      scope: text(route['scope'] ?? 'global'),
      protocol: text(route['protocol'] ?? ''),
      metric: number(route['metric'] ?? 0),
      ...(route['tos'] === undefined ? {} : { tos: Number(route['tos']) }),
      ...(route['prefsrc'] === undefined ? {} : { prefsrc: text(route['prefsrc']) }),
      nexthops: route['nexthops'] === undefined ? single : list(route['nexthops']).map((entry) => hop(record(entry))),
    }
  })
}

function prefix(value: unknown, family: 4 | 6): string {
  return value === 'default' ? (family === 4 ? '0.0.0.0/0' : '::/0') : text(value)
}

const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, 'ipv6-icmp': 58, sctp: 132 }

export function ruleFacts(rules: readonly Json[], family: 4 | 6): readonly RuleFact[] {
  return rules.map((rule) => ({
    family,
    priority: number(rule['priority']),
    not: 'not' in rule,
    ...selectorPrefix(rule, 'src'),
    ...selectorPrefix(rule, 'dst'),
    ...(rule['iif'] === undefined ? {} : { iif: text(rule['iif']) }),
    ...(rule['oif'] === undefined ? {} : { oif: text(rule['oif']) }),
    ...(rule['fwmark'] === undefined ? {} : { fwmark: Number(rule['fwmark']) }),
    ...(rule['fwmask'] === undefined ? {} : { fwmask: Number(rule['fwmask']) }),
    ...(rule['tos'] === undefined ? {} : { tos: Number(rule['tos']) }),
    ...(rule['ipproto'] === undefined ? {} : { ipProtocol: PROTOCOLS[text(rule['ipproto'])] ?? Number(rule['ipproto']) }),
    ...selectorRange(rule, 'sport', 'sportRange'),
    ...selectorRange(rule, 'dport', 'dportRange'),
    ...selectorRange(rule, 'uid', 'uidRange'),
    ...(rule['suppress_prefixlen'] === undefined ? {} : { suppressPrefixLength: number(rule['suppress_prefixlen']) }),
    ...('l3mdev' in rule ? { l3mdev: true } : {}),
    ...action(rule),
  }))
}

function action(rule: Json): Pick<RuleFact, 'action' | 'table' | 'gotoPriority'> {
  if (rule['goto'] !== undefined) return { action: 'goto', gotoPriority: number(rule['goto']) }
  if ('nop' in rule) return { action: 'nop' }
  if (rule['action'] !== undefined) return { action: text(rule['action']) }
  return { action: 'lookup', table: table(rule['table']) }
}

function selectorPrefix(rule: Json, key: 'src' | 'dst'): Partial<Pick<RuleFact, 'src' | 'dst'>> {
  const value = rule[key]
  if (value === undefined || value === 'all') return {}
  const bits = rule[`${key}len`]
  return { [key]: bits === undefined ? text(value) : `${text(value)}/${number(bits)}` }
}

function selectorRange(rule: Json, key: string, name: 'sportRange' | 'dportRange' | 'uidRange'): Partial<RuleFact> {
  if (rule[key] !== undefined) return { [name]: [number(rule[key]), number(rule[key])] }
  if (rule[`${key}_start`] === undefined) return {}
  return { [name]: [number(rule[`${key}_start`]), number(rule[`${key}_end`])] }
}

export function neighbourFacts(neighbours: readonly Json[], links: readonly LinkFact[]): readonly NeighbourFact[] {
  const indexOf = new Map(links.map((link) => [link.ifname, link.ifindex]))
  return neighbours.map((neighbour) => ({
    ifindex: indexOf.get(text(neighbour['dev'])) ?? 0,
    family: text(neighbour['dst']).includes(':') ? 6 : 4,
    address: text(neighbour['dst']),
    ...(neighbour['lladdr'] === undefined ? {} : { lladdr: text(neighbour['lladdr']) }),
    state: text(list(neighbour['state'])[0] ?? '').toLowerCase(),
  }))
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function text(value: unknown): string {
  return String(value ?? '')
}

function number(value: unknown): number {
  return Number(value ?? 0)
}
