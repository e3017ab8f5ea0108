// SPDX-License-Identifier: Apache-2.0

import { and, compare, compareMasked, range, value } from '../../elements.ts'
import type { Expression, Match } from '../../statement.ts'
import { type Extension, first, type GivenOption, invalid, maskedNumber, number, numberRange } from '../extension.ts'
import { addressExpression, addressRange, interfaceElement } from '../header.ts'
import { DSCP_CLASSES } from '../names.ts'

/** Matches on the network and link headers and on what the kernel keeps beside the packet. */

export const iprange: Extension = {
  options: { '--src-range': 1, '--dst-range': 1 },
  build: (options, { family }) =>
    options.map((option) => {
      const key = addressExpression(family, option.name === '--src-range' ? 'saddr' : 'daddr')
      return compare(key, [addressRange(option, family, first(option))], option.negated)
    }),
}

export const mark: Extension = {
  options: { '--mark': 1 },
  build: (options) => options.map((option) => markMatch({ kind: 'meta', key: 'mark' }, option)),
}

export const connmark: Extension = {
  options: { '--mark': 1 },
  build: (options) => options.map((option) => markMatch({ kind: 'ct', key: 'mark' }, option)),
}

function markMatch(key: Expression, option: GivenOption): Match {
  const given = maskedNumber(option)
  return compareMasked(key, given.value, given.mask, option.negated)
}

export const mac: Extension = {
  options: { '--mac-source': 1 },
  build: (options) =>
    options.map((option) => {
      const hex = first(option).replaceAll(':', '')
      if (!/^[0-9a-f]{12}$/i.test(hex)) throw invalid(option)
      return compare({ kind: 'payload', protocol: 'ether', field: 'saddr' }, [value(Number.parseInt(hex, 16))], option.negated)
    }),
}

/** ttl and hl: `--ttl-eq`, `--ttl-lt`, `--ttl-gt`. */
function hops(prefix: 'ttl' | 'hl', key: Expression): Extension {
  const [eq, lt, gt] = [`--${prefix}-eq`, `--${prefix}-lt`, `--${prefix}-gt`]
  return {
    options: { [eq]: 1, [`--${prefix}`]: 1, [lt]: 1, [gt]: 1 },
    build: (options) =>
      options.map((option): Match => {
        const limit = number(option, first(option), 255)
        if (option.name === lt) return compare(key, limit === 0 ? [] : [range(0, limit - 1)])
        if (option.name === gt) return compare(key, limit === 255 ? [] : [range(limit + 1, 255)])
        return compare(key, [value(limit)], option.negated)
      }),
  }
}

export const ttl = hops('ttl', { kind: 'payload', protocol: 'ip', field: 'ttl' })
export const hl = hops('hl', { kind: 'payload', protocol: 'ip6', field: 'hoplimit' })

export const dscp: Extension = {
  options: { '--dscp': 1, '--dscp-class': 1 },
  build: (options, { family }) =>
    options.map((option) => {
      const code = option.name === '--dscp' ? number(option, first(option), 63) : DSCP_CLASSES.get(first(option).toLowerCase())
      if (code === undefined) throw invalid(option)
      return compare(dscpExpression(family), [value(code)], option.negated)
    }),
}

export function dscpExpression(family: 4 | 6): Expression {
  return { kind: 'payload', protocol: family === 4 ? 'ip' : 'ip6', field: 'dscp' }
}

export const tos: Extension = {
  options: { '--tos': 1 },
  build: (options, { family }) =>
    options.map((option) => {
      const given = maskedNumber(option, 0xff)
      return compare(and(tosExpression(family, (given.mask & 3) !== 0), given.mask), [value(given.value)], option.negated)
    }),
}

/** The whole TOS byte out of its two parts; without ECN where nobody looks at it. */
function tosExpression(family: 4 | 6, withEcn: boolean): Expression {
  const shifted: Expression = {
    kind: 'binary',
    op: '<<',
    left: dscpExpression(family),
    right: { kind: 'literal', value: value(2) },
  }
  if (!withEcn) return shifted
  return {
    kind: 'binary',
    op: '|',
    left: shifted,
    right: { kind: 'payload', protocol: family === 4 ? 'ip' : 'ip6', field: 'ecn' },
  }
}

export const length: Extension = {
  options: { '--length': 1 },
  build: (options) =>
    options.map((option) =>
      compare({ kind: 'meta', key: 'length' }, [range(...numberRange(option, first(option), 0xffff))], option.negated),
    ),
}

/** PACKET_* of linux/if_packet.h. */
const PACKET_TYPES: ReadonlyMap<string, number> = new Map([
  ['unicast', 0],
  ['broadcast', 1],
  ['multicast', 2],
])

export const pkttype: Extension = {
  options: { '--pkt-type': 1 },
  build: (options) =>
    options.map((option) => {
      const type = PACKET_TYPES.get(first(option))
      if (type === undefined) throw invalid(option)
      return compare({ kind: 'meta', key: 'pkttype' }, [value(type)], option.negated)
    }),
}

export const physdev: Extension = {
  options: { '--physdev-in': 1, '--physdev-out': 1, '--physdev-is-in': 0, '--physdev-is-out': 0, '--physdev-is-bridged': 0 },
  build: (options) =>
    options.map((option): Match => {
      const test = option.name.slice('--physdev-'.length)
      if (test === 'is-in' || test === 'is-out' || test === 'is-bridged')
        return { kind: 'physdev', test, negated: option.negated }
      return compare(
        { kind: 'meta', key: test === 'in' ? 'physin' : 'physout' },
        [interfaceElement(first(option))],
        option.negated,
      )
    }),
}

/** Addresses on a device group, by number. */
export const devgroup: Extension = {
  options: { '--src-group': 1, '--dst-group': 1 },
  build: (options) =>
    options.map((option) => {
      const given = maskedNumber(option)
      return compareMasked(
        { kind: 'meta', key: option.name === '--src-group' ? 'iifgroup' : 'oifgroup' },
        given.value,
        given.mask,
        option.negated,
      )
    }),
}
