// SPDX-License-Identifier: Apache-2.0

import { and, compare, range, value } from '../../elements.ts'
import { CT_STATE, CT_STATUS, type Expression, type Match } from '../../statement.ts'
import { type Extension, type ExtensionContext, first, type GivenOption, invalid, numberRange } from '../extension.ts'
import { addressMatch, protocolNumber } from '../header.ts'

/** conntrack and its predecessor, state (net/netfilter/xt_conntrack.c). */

const STATES: ReadonlyMap<string, number> = new Map(
  Object.entries(CT_STATE).map(([name, bit]): [string, number] => [name.toUpperCase(), bit]),
)
const STATE: Expression = { kind: 'ct', key: 'state' }
const STATUS: Expression = { kind: 'ct', key: 'status' }

/** SNAT and DNAT stand beside the states in one list although they are status bits: any of them is enough. */
function stateMatch(option: GivenOption): Match {
  const states: number[] = []
  let status = 0
  for (const name of first(option).split(',')) {
    const state = STATES.get(name.toUpperCase())
    if (state !== undefined) states.push(state)
    else if (name === 'SNAT') status |= CT_STATUS.snat
    else if (name === 'DNAT') status |= CT_STATUS.dnat
    else throw invalid(option)
  }
  if (status === 0) return compare(STATE, states.map(value), option.negated)
  const translated = compare(and(STATUS, status), [value(0)], true)
  return { kind: 'group', mode: 'any', negated: option.negated, of: [compare(STATE, states.map(value)), translated] }
}

export const state: Extension = {
  options: { '--state': 1 },
  build: (options) => options.map(stateMatch),
}

const ADDRESSES: ReadonlyMap<string, ['original' | 'reply', 'saddr' | 'daddr']> = new Map([
  ['--ctorigsrc', ['original', 'saddr']],
  ['--ctorigdst', ['original', 'daddr']],
  ['--ctreplsrc', ['reply', 'saddr']],
  ['--ctrepldst', ['reply', 'daddr']],
])

const PORTS: ReadonlyMap<string, ['original' | 'reply', 'proto-src' | 'proto-dst']> = new Map([
  ['--ctorigsrcport', ['original', 'proto-src']],
  ['--ctorigdstport', ['original', 'proto-dst']],
  ['--ctreplsrcport', ['reply', 'proto-src']],
  ['--ctrepldstport', ['reply', 'proto-dst']],
])

const STATUS_NAMES: ReadonlyMap<string, number> = new Map([
  ['NONE', 0],
  ['EXPECTED', CT_STATUS.expected],
  ['SEEN_REPLY', CT_STATUS['seen-reply']],
  ['ASSURED', CT_STATUS.assured],
  ['CONFIRMED', CT_STATUS.confirmed],
])

export const conntrack: Extension = {
  options: Object.fromEntries(
    ['--ctstate', '--ctproto', '--ctstatus', '--ctexpire', '--ctdir', ...ADDRESSES.keys(), ...PORTS.keys()].map((name) => [
      name,
      1,
    ]),
  ),
  build: (options, context) => options.map((option) => conntrackOption(option, context)),
}

function conntrackOption(option: GivenOption, { family }: ExtensionContext): Match {
  const text = first(option)
  const address = ADDRESSES.get(option.name)
  if (address) {
    const match = addressMatch(option, family, address[1], { kind: 'ct', key: address[1], direction: address[0] })
    if (match) return match
  }
  const port = PORTS.get(option.name)
  if (port) {
    const key: Expression = { kind: 'ct', key: port[1], direction: port[0] }
    return compare(key, [range(...numberRange(option, text, 0xffff))], option.negated)
  }
  switch (option.name) {
    case '--ctstate':
      return stateMatch(option)
    case '--ctproto': {
      const protocol = protocolNumber(text)
      if (protocol === undefined) throw invalid(option)
      return compare({ kind: 'ct', key: 'protocol' }, [value(protocol)], option.negated)
    }
    case '--ctstatus':
      return compare(and(STATUS, statusBits(option, text)), [value(0)], !option.negated)
    case '--ctexpire':
      return compare({ kind: 'ct', key: 'expiration' }, [range(...numberRange(option))], option.negated)
    case '--ctdir':
      if (text !== 'ORIGINAL' && text !== 'REPLY') throw invalid(option)
      return compare({ kind: 'ct', key: 'direction' }, [value(text === 'REPLY' ? 1 : 0)], option.negated)
  }
  throw invalid(option)
}

function statusBits(option: GivenOption, text: string): number {
  let bits = 0
  for (const name of text.split(',')) {
    const bit = STATUS_NAMES.get(name.toUpperCase())
    if (bit === undefined) throw invalid(option)
    bits |= bit
  }
  return bits
}

export const helper: Extension = {
  options: { '--helper': 1 },
  build: (options) =>
    options.map((option) =>
      first(option) === ''
        ? compare({ kind: 'ct', key: 'helper' }, [value('')], !option.negated)
        : compare({ kind: 'ct', key: 'helper' }, [value(first(option))], option.negated),
    ),
}
