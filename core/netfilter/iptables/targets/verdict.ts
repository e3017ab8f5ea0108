// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../../net/address.ts'
import { value } from '../../elements.ts'
import type { Action } from '../../statement.ts'
import { type Extension, find, first, invalid, number, numberRange } from '../extension.ts'
import { directions } from '../matches/special.ts'

/** Targets that end a packet's way, hand it over, or only take note of it. */

function plain(action: Action): Extension {
  return { options: {}, build: () => [action] }
}

export const accept = plain({ kind: 'verdict', verdict: { kind: 'accept' } })
export const drop = plain({ kind: 'verdict', verdict: { kind: 'drop' } })
export const leave = plain({ kind: 'verdict', verdict: { kind: 'return' } })
export const queue = plain({ kind: 'verdict', verdict: { kind: 'queue', from: 0, to: 0, bypass: false } })
export const notrack = plain({ kind: 'notrack' })
export const trace = plain({ kind: 'trace' })

/** Other spellings of `--reject-with` to the canonical one (libipt_REJECT.c, libip6t_REJECT.c). */
const REJECT_NAMES: ReadonlyMap<string, string> = new Map([
  ['net-unreach', 'icmp-net-unreachable'],
  ['host-unreach', 'icmp-host-unreachable'],
  ['proto-unreach', 'icmp-proto-unreachable'],
  ['port-unreach', 'icmp-port-unreachable'],
  ['net-prohib', 'icmp-net-prohibited'],
  ['host-prohib', 'icmp-host-prohibited'],
  ['tcp-rst', 'tcp-reset'],
  ['admin-prohib', 'icmp-admin-prohibited'],
  ['no-route', 'icmp6-no-route'],
  ['adm-prohibited', 'icmp6-adm-prohibited'],
  ['addr-unreach', 'icmp6-addr-unreachable'],
])

export const reject: Extension = {
  options: { '--reject-with': 1 },
  build: (options, { family }) => {
    const given = find(options, '--reject-with')
    const fallback = family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'
    const name = given ? first(given) : fallback
    return [{ kind: 'reject', with: REJECT_NAMES.get(name) ?? name }]
  },
}

export const nfqueue: Extension = {
  options: { '--queue-num': 1, '--queue-balance': 1, '--queue-bypass': 0, '--queue-cpu-fanout': 0 },
  build: (options) => {
    const single = find(options, '--queue-num')
    const balance = find(options, '--queue-balance')
    const [from, to] = balance
      ? numberRange(balance, first(balance), 0xffff)
      : single
        ? numberRange(single, first(single), 0xffff)
        : [0, 0]
    return [{ kind: 'verdict', verdict: { kind: 'queue', from, to, bypass: find(options, '--queue-bypass') !== undefined } }]
  },
}

export const log: Extension = {
  options: {
    '--log-level': 1,
    '--log-prefix': 1,
    '--log-tcp-sequence': 0,
    '--log-tcp-options': 0,
    '--log-ip-options': 0,
    '--log-uid': 0,
    '--log-macdecode': 0,
  },
  build: (options) => {
    const prefix = find(options, '--log-prefix')
    return [{ kind: 'log', prefix: prefix ? first(prefix) : '' }]
  },
}

export const nflog: Extension = {
  options: { '--nflog-group': 1, '--nflog-prefix': 1, '--nflog-range': 1, '--nflog-size': 1, '--nflog-threshold': 1 },
  build: (options) => {
    const prefix = find(options, '--nflog-prefix')
    const group = find(options, '--nflog-group')
    return [{ kind: 'log', prefix: prefix ? first(prefix) : '', group: group ? number(group, first(group), 0xffff) : 0 }]
  },
}

export const ct: Extension = {
  options: {
    '--notrack': 0,
    '--helper': 1,
    '--timeout': 1,
    '--ctevents': 1,
    '--expevents': 1,
    '--zone': 1,
    '--zone-orig': 1,
    '--zone-reply': 1,
  },
  build: (options, context) => {
    if (find(options, '--notrack')) return [{ kind: 'notrack' }]
    const helper = find(options, '--helper')
    const zone = find(options, '--zone') ?? find(options, '--zone-orig')
    const fromMark = zone !== undefined && first(zone) === 'mark'
    return [
      {
        kind: 'ct-template',
        ...(helper && { helper: first(helper) }),
        ...(zone && !fromMark && { zone: number(zone, first(zone), 0xffff) }),
        ...(fromMark && { zoneFromMark: true }),
        text: context.text,
      },
    ]
  },
}

export const set: Extension = {
  options: {
    '--add-set': 2,
    '--del-set': 2,
    '--map-set': 2,
    '--exist': 0,
    '--timeout': 1,
    '--map-mark': 0,
    '--map-prio': 0,
    '--map-queue': 0,
  },
  build: (options) =>
    options.flatMap((option): Action[] => {
      const op =
        option.name === '--add-set'
          ? 'add'
          : option.name === '--del-set'
            ? 'del'
            : option.name === '--map-set'
              ? 'map'
              : undefined
      if (!op) return []
      return [{ kind: 'ipset-update', op, set: first(option), directions: directions(option, option.values[1] ?? '') }]
    }),
}

export const tee: Extension = {
  options: { '--gateway': 1, '--oif': 1 },
  build: (options) => {
    const gateway = find(options, '--gateway')
    const address = gateway && parseAddress(first(gateway))
    if (!gateway || !address) throw invalid(gateway ?? { name: '--gateway', negated: false, values: [''] })
    return [{ kind: 'dup', address: { kind: 'literal', value: value(address.value) } }]
  },
}

export const synproxy: Extension = {
  options: { '--sack-perm': 0, '--timestamp': 0, '--wscale': 1, '--mss': 1, '--ecn': 0 },
  build: () => [{ kind: 'synproxy' }],
}

/** Known, and without influence on where the packet goes. */
export function sideEffect(options: Readonly<Record<string, number>>): Extension {
  return { options, build: (_options, { name, text }) => [{ kind: 'side-effect', name, text }] }
}
