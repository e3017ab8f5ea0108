// SPDX-License-Identifier: Apache-2.0

import type { Match } from '../../statement.ts'
import { type Extension, find, first, type GivenOption, invalid, number, numberRange } from '../extension.ts'

/** Matches whose semantics exist only in iptables: they keep a kind of their own in the rule model. */

export const comment: Extension = { options: { '--comment': 1 }, build: () => [] }

export const statistic: Extension = {
  options: { '--mode': 1, '--probability': 1, '--every': 1, '--packet': 1 },
  build: (options) => {
    const probability = find(options, '--probability')
    if (probability) {
      const chance = Number(first(probability))
      if (!(chance >= 0 && chance <= 1)) throw invalid(probability)
      return [{ kind: 'statistic', mode: 'random', probability: chance, negated: probability.negated }]
    }
    const every = find(options, '--every')
    if (!every) throw invalid({ name: '--mode', negated: false, values: [first(find(options, '--mode') ?? NOTHING)] })
    const packet = find(options, '--packet')
    const count = number(every)
    if (count === 0) throw invalid(every)
    return [{ kind: 'statistic', mode: 'nth', every: count, packet: packet ? number(packet) : 0, negated: every.negated }]
  },
}

const NOTHING: GivenOption = { name: '', negated: false, values: [''] }

const SET_STATE_OPTIONS = {
  '--packets-eq': 1,
  '--packets-lt': 1,
  '--packets-gt': 1,
  '--bytes-eq': 1,
  '--bytes-lt': 1,
  '--bytes-gt': 1,
}

export const set: Extension = {
  options: {
    '--match-set': 2,
    '--set': 2,
    '--return-nomatch': 0,
    '--update-counters': 0,
    '--update-subcounters': 0,
    ...SET_STATE_OPTIONS,
  },
  build: (options) =>
    options
      .filter((option) => option.name === '--match-set' || option.name === '--set')
      .map((option): Match => {
        return {
          kind: 'ipset',
          set: first(option),
          directions: directions(option, option.values[1] ?? ''),
          negated: option.negated,
          returnNomatch: find(options, '--return-nomatch') !== undefined,
          stateful: options.some((other) => other.name in SET_STATE_OPTIONS),
        }
      }),
}

export function directions(option: GivenOption, text: string): ('src' | 'dst')[] {
  return text.split(',').map((direction) => {
    if (direction !== 'src' && direction !== 'dst') throw invalid(option)
    return direction
  })
}

const ADDRESS_TYPES = new Set([
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
  'xresolve',
])

export const addrtype: Extension = {
  options: { '--src-type': 1, '--dst-type': 1, '--limit-iface-in': 0, '--limit-iface-out': 0 },
  build: (options) => {
    const source = addressTypes(find(options, '--src-type'))
    const destination = addressTypes(find(options, '--dst-type'))
    const limit = find(options, '--limit-iface-in') ? 'iif' : find(options, '--limit-iface-out') ? 'oif' : undefined
    return [{ kind: 'addrtype', ...(source && { source }), ...(destination && { destination }), ...(limit && { limit }) }]
  },
}

function addressTypes(option: GivenOption | undefined): { types: string[]; negated: boolean } | undefined {
  if (!option) return undefined
  const types = first(option).toLowerCase().split(',')
  if (!types.every((type) => ADDRESS_TYPES.has(type))) throw invalid(option)
  return { types, negated: option.negated }
}

export const owner: Extension = {
  options: { '--uid-owner': 1, '--gid-owner': 1, '--socket-exists': 0, '--suppl-groups': 0 },
  build: (options) => {
    const uid = ownerRange(find(options, '--uid-owner'))
    const gid = ownerRange(find(options, '--gid-owner'))
    const socket = find(options, '--socket-exists')
    return [{ kind: 'owner', ...(uid && { uid }), ...(gid && { gid }), ...(socket && { socketExists: !socket.negated }) }]
  },
}

function ownerRange(option: GivenOption | undefined): { from: number; to: number; negated: boolean } | undefined {
  if (!option) return undefined
  if (first(option) === 'root') return { from: 0, to: 0, negated: option.negated }
  const [from, to] = numberRange(option, first(option), 0xffffffff, '-')
  return { from, to, negated: option.negated }
}

export const rpfilter: Extension = {
  options: { '--loose': 0, '--validmark': 0, '--accept-local': 0, '--invert': 0 },
  build: (options) => [
    {
      kind: 'rpfilter',
      loose: find(options, '--loose') !== undefined,
      validMark: find(options, '--validmark') !== undefined,
      acceptLocal: find(options, '--accept-local') !== undefined,
      invert: find(options, '--invert') !== undefined,
    },
  ],
}

export const socket: Extension = {
  options: { '--transparent': 0, '--nowildcard': 0, '--restore-skmark': 0 },
  build: (options) => [
    {
      kind: 'socket-match',
      transparent: find(options, '--transparent') !== undefined,
      noWildcard: find(options, '--nowildcard') !== undefined,
      restoreMark: find(options, '--restore-skmark') !== undefined,
    },
  ],
}

export const policy: Extension = {
  options: {
    '--dir': 1,
    '--pol': 1,
    '--strict': 0,
    '--reqid': 1,
    '--spi': 1,
    '--proto': 1,
    '--mode': 1,
    '--tunnel-src': 1,
    '--tunnel-dst': 1,
    '--next': 0,
  },
  build: (options, context) => {
    const direction = find(options, '--dir')
    if (!direction || (first(direction) !== 'in' && first(direction) !== 'out')) throw invalid(direction ?? NOTHING)
    const given = find(options, '--pol')
    return [
      {
        kind: 'policy',
        direction: first(direction) === 'in' ? 'in' : 'out',
        policy: given && first(given) === 'none' ? 'none' : 'ipsec',
        text: context.text,
      },
    ]
  },
}

export const recent: Extension = {
  options: {
    '--set': 0,
    '--rcheck': 0,
    '--update': 0,
    '--remove': 0,
    '--seconds': 1,
    '--reap': 0,
    '--hitcount': 1,
    '--rttl': 0,
    '--name': 1,
    '--rsource': 0,
    '--rdest': 0,
    '--mask': 1,
  },
  build: (options) => {
    const mode = options.find((option) => ['--set', '--rcheck', '--update', '--remove'].includes(option.name))
    const name = find(options, '--name')
    return [
      {
        kind: 'recent',
        mode: (mode?.name.slice(2) ?? 'rcheck') as 'set' | 'rcheck' | 'update' | 'remove',
        negated: mode?.negated ?? false,
        name: name ? first(name) : 'DEFAULT',
      },
    ]
  },
}
