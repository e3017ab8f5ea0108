// SPDX-License-Identifier: Apache-2.0

import { type Family, parseAddress } from '../../../net/address.ts'
import { prefixElement, range, value } from '../../elements.ts'
import type { Action, Expression, NatFlags } from '../../statement.ts'
import { type Extension, find, first, type GivenOption, invalid, maskedNumber, numberRange, parseNumber } from '../extension.ts'
import { addressRange } from '../header.ts'

const NAT_FLAGS = { '--random': 0, '--random-fully': 0, '--persistent': 0 }

function natFlags(options: readonly GivenOption[]): NatFlags {
  return {
    random: find(options, '--random') !== undefined,
    fullyRandom: find(options, '--random-fully') !== undefined,
    persistent: find(options, '--persistent') !== undefined,
  }
}

function destination(op: 'dnat' | 'snat', optionName: string): Extension {
  return {
    options: { ...NAT_FLAGS, [optionName]: 1 },
    build: (options, { family }) => {
      const to = find(options, optionName)
      if (!to) throw invalid({ name: optionName, negated: false, values: [''] })
      return [{ kind: 'nat', op, ...endpoint(to, family), flags: natFlags(options) }]
    },
  }
}

export const dnat = destination('dnat', '--to-destination')
export const snat = destination('snat', '--to-source')

/** `addr[-addr][:port[-port][/base]]`; IPv6 addresses with a port stand in brackets. */
function endpoint(option: GivenOption, family: Family): { to?: Expression; port?: Expression; portBase?: number } {
  const text = first(option)
  const [addresses, ports] = splitEndpoint(text, family)
  const result: { to?: Expression; port?: Expression; portBase?: number } = {}
  if (addresses !== '') result.to = { kind: 'literal', value: addressRange(option, family, addresses) }
  if (ports !== undefined) {
    const [span = '', base] = ports.split('/')
    result.port = portExpression(option, span)
    if (base !== undefined) {
      const first = parseNumber(base)
      if (first === undefined || first > 65535) throw invalid(option)
      result.portBase = first
    }
  }
  if (result.to === undefined && result.port === undefined) throw invalid(option)
  return result
}

function splitEndpoint(text: string, family: Family): [addresses: string, ports: string | undefined] {
  if (family === 4) {
    const colon = text.indexOf(':')
    return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)]
  }
  if (!text.startsWith('[')) {
    // Only ports: ":80". A leading "::" is an address.
    return text.startsWith(':') && !text.startsWith('::') ? ['', text.slice(1)] : [text, undefined]
  }
  const close = text.lastIndexOf(']')
  const rest = text.slice(close + 1)
  return [text.slice(0, close + 1).replaceAll(/[[\]]/g, ''), rest.startsWith(':') ? rest.slice(1) : undefined]
}

function portExpression(option: GivenOption, text: string): Expression {
  const [from, to] = numberRange(option, text, 0xffff, '-')
  return { kind: 'literal', value: range(from, to) }
}

function portsOnly(op: 'masquerade' | 'redirect'): Extension {
  return {
    options: { ...NAT_FLAGS, '--to-ports': 1, '--to-port': 1 },
    build: (options) => {
      const to = find(options, '--to-ports') ?? find(options, '--to-port')
      return [{ kind: 'nat', op, ...(to && { port: portExpression(to, first(to)) }), flags: natFlags(options) }]
    },
  }
}

export const masquerade = portsOnly('masquerade')
export const redirect = portsOnly('redirect')

export const netmap: Extension = {
  options: { '--to': 1 },
  build: (options, { family }): Action[] => {
    const to = find(options, '--to')
    const [text = '', length] = first(to ?? { name: '--to', negated: false, values: [''] }).split('/')
    const address = parseAddress(text)
    const width = family === 4 ? 32 : 128
    const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
    if (!to || address?.family !== family || !(bits <= width)) throw invalid(to ?? { name: '--to', negated: false, values: [''] })
    return [{ kind: 'netmap', op: 'auto', to: { kind: 'literal', value: prefixElement(address, bits) } }]
  },
}

export const tproxy: Extension = {
  options: { '--on-port': 1, '--on-ip': 1, '--tproxy-mark': 1 },
  build: (options, { family }) => {
    const port = find(options, '--on-port')
    const ip = find(options, '--on-ip')
    const mark = find(options, '--tproxy-mark')
    const address = ip && parseAddress(first(ip))
    if (ip && address?.family !== family) throw invalid(ip)
    const unspecified = address === undefined || BigInt(address.value) === 0n
    return [
      {
        kind: 'tproxy',
        ...(!unspecified && { address: { kind: 'literal', value: value(address.value) } }),
        ...(port && first(port) !== '0' && { port: portExpression(port, first(port)) }),
        ...(mark && { mark: maskedNumber(mark) }),
      },
    ]
  },
}
