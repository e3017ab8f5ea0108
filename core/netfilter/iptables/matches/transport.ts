// SPDX-License-Identifier: Apache-2.0

import { and, compare, range, value } from '../../elements.ts'
import type { Element, Expression, Match } from '../../statement.ts'
import { type Extension, type ExtensionContext, first, type GivenOption, invalid, parseNumber } from '../extension.ts'
import { ICMP_NAMES, ICMPV6_NAMES, SERVICES, TCP_FLAGS } from '../names.ts'

/** Matches on the transport header: tcp, udp, sctp, dccp, udplite, icmp, icmp6, multiport. */

type Ports = 'tcp' | 'udp' | 'sctp' | 'dccp' | 'udplite' | 'th'

const PORT_OPTIONS = { '--sport': 1, '--source-port': 1, '--dport': 1, '--destination-port': 1 }

function portExpression(protocol: Ports, field: 'sport' | 'dport'): Expression {
  return protocol === 'tcp' || protocol === 'udp' ? { kind: 'payload', protocol, field } : { kind: 'payload', protocol, field }
}

const EXPRESSIONS = new Map<string, Expression>()
for (const protocol of ['tcp', 'udp', 'sctp', 'dccp', 'udplite', 'th'] as const) {
  for (const field of ['sport', 'dport'] as const) EXPRESSIONS.set(`${protocol}${field}`, portExpression(protocol, field))
}

function ports(option: GivenOption, protocol: Ports): Match | undefined {
  const field = option.name === '--sport' || option.name === '--source-port' ? 'sport' : 'dport'
  const key = EXPRESSIONS.get(`${protocol}${field}`)
  return key && compare(key, [portRange(option, first(option))], option.negated)
}

function portRange(option: GivenOption, text: string): Element {
  const colon = text.indexOf(':')
  if (colon < 0) return value(port(option, text))
  const from = colon === 0 ? 0 : port(option, text.slice(0, colon))
  const to = colon === text.length - 1 ? 65535 : port(option, text.slice(colon + 1))
  return range(from, to)
}

function port(option: GivenOption, text: string): number {
  const result = parseNumber(text) ?? SERVICES.get(text)
  if (result === undefined || result > 65535) throw invalid(option)
  return result
}

function portProtocol(protocol: 'udp' | 'udplite' | 'sctp' | 'dccp', opaque: Readonly<Record<string, number>> = {}): Extension {
  return {
    options: { ...PORT_OPTIONS, ...opaque },
    build: (options) =>
      options.map(
        (option) =>
          (option.name in PORT_OPTIONS ? ports(option, protocol) : undefined) ?? {
            kind: 'unknown-match',
            name: `${protocol} ${option.name}`,
            text: `${option.name} ${option.values.join(' ')}`,
          },
      ),
  }
}

export const udp = portProtocol('udp')
export const udplite = portProtocol('udplite')
export const sctp = portProtocol('sctp', { '--chunk-types': 2 })
export const dccp = portProtocol('dccp', { '--dccp-types': 1, '--dccp-option': 1 })

const FLAGS: Expression = { kind: 'payload', protocol: 'tcp', field: 'flags' }

export const tcp: Extension = {
  options: { ...PORT_OPTIONS, '--tcp-flags': 2, '--syn': 0, '--tcp-option': 1 },
  build: (options) => options.map(tcpOption),
}

function tcpOption(option: GivenOption): Match {
  switch (option.name) {
    case '--tcp-flags': {
      const mask = flags(option, first(option))
      return compare(and(FLAGS, mask), [value(flags(option, option.values[1] ?? ''))], option.negated)
    }
    case '--syn':
      return compare(and(FLAGS, 0x17), [value(0x02)], option.negated)
    case '--tcp-option':
      return compare({ kind: 'exthdr', header: 'tcp-option', name: first(option) }, [value(1)], option.negated)
  }
  const match = ports(option, 'tcp')
  if (!match) throw invalid(option)
  return match
}

function flags(option: GivenOption, text: string): number {
  let result = 0
  for (const name of text.split(',')) {
    const bit = TCP_FLAGS.get(name.toUpperCase()) ?? parseNumber(name)
    if (bit === undefined) throw invalid(option)
    result |= bit
  }
  return result
}

function icmpProtocol(protocol: 'icmp' | 'icmpv6', optionName: string, names: typeof ICMP_NAMES): Extension {
  return {
    options: { [optionName]: 1 },
    build: (options) =>
      options.flatMap((option) => {
        const text = first(option)
        if (text === 'any' || text.startsWith('255')) return []
        const [type, code] = names.get(text) ?? numericType(option, text)
        const matches = [compare({ kind: 'payload', protocol, field: 'type' }, [value(type)])]
        if (code !== undefined) matches.push(compare({ kind: 'payload', protocol, field: 'code' }, [value(code)]))
        return option.negated ? [{ kind: 'group', mode: 'all', negated: true, of: matches }] : matches
      }),
  }
}

function numericType(option: GivenOption, text: string): [number, number | undefined] {
  const slash = text.indexOf('/')
  const type = parseNumber(slash < 0 ? text : text.slice(0, slash))
  const code = slash < 0 ? undefined : parseNumber(text.slice(slash + 1))
  if (type === undefined || type > 255 || (slash >= 0 && code === undefined)) throw invalid(option)
  return [type, code]
}

export const icmp = icmpProtocol('icmp', '--icmp-type', ICMP_NAMES)
export const icmp6 = icmpProtocol('icmpv6', '--icmpv6-type', ICMPV6_NAMES)

export const multiport: Extension = {
  options: {
    '--sports': 1,
    '--source-ports': 1,
    '--dports': 1,
    '--destination-ports': 1,
    '--ports': 1,
  },
  build: (options: readonly GivenOption[], _context: ExtensionContext) => options.map(multiportOption),
}

function multiportOption(option: GivenOption): Match {
  const elements = first(option)
    .split(',')
    .map((text) => portRange(option, text))
  const side = (field: 'sport' | 'dport', negated: boolean) =>
    compare({ kind: 'payload', protocol: 'th', field }, elements, negated)
  if (option.name === '--ports') {
    return { kind: 'group', mode: 'any', negated: option.negated, of: [side('sport', false), side('dport', false)] }
  }
  return side(option.name === '--sports' || option.name === '--source-ports' ? 'sport' : 'dport', option.negated)
}
