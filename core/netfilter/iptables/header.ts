// SPDX-License-Identifier: Apache-2.0

import { type Address, type Family, parseAddress } from '../../net/address.ts'
import { and, compare, prefixElement, range, value } from '../elements.ts'
import type { Element, Expression, Match } from '../statement.ts'
import { first, type GivenOption, invalid, parseDecimal, parseNumber } from './extension.ts'
import { PROTOCOLS } from './names.ts'

/** The part of a rule that is no extension: protocol, addresses, interfaces (struct ipt_ip, struct ip6t_ip6). */

/** Every spelling of an option to the one used here. */
export const HEADER_OPTIONS: ReadonlyMap<string, HeaderOption> = new Map<string, HeaderOption>([
  ['-p', '-p'],
  ['--protocol', '-p'],
  ['--proto', '-p'],
  ['-s', '-s'],
  ['--source', '-s'],
  ['--src', '-s'],
  ['-d', '-d'],
  ['--destination', '-d'],
  ['--dst', '-d'],
  ['-i', '-i'],
  ['--in-interface', '-i'],
  ['-o', '-o'],
  ['--out-interface', '-o'],
])

export type HeaderOption = '-p' | '-s' | '-d' | '-i' | '-o'

const L4PROTO: Expression = { kind: 'meta', key: 'l4proto' }
const IIFNAME: Expression = { kind: 'meta', key: 'iifname' }
const OIFNAME: Expression = { kind: 'meta', key: 'oifname' }

export function headerMatch(option: GivenOption, family: Family): Match | undefined {
  switch (option.name as HeaderOption) {
    case '-p':
      return protocolMatch(option)
    case '-s':
      return addressMatch(option, family, 'saddr')
    case '-d':
      return addressMatch(option, family, 'daddr')
    case '-i':
      return compare(IIFNAME, [interfaceElement(first(option))], option.negated)
    case '-o':
      return compare(OIFNAME, [interfaceElement(first(option))], option.negated)
  }
}

/** `-f`: second and later fragments. */
export function fragmentMatch(negated: boolean): Match {
  return compare(and({ kind: 'payload', protocol: 'ip', field: 'frag-off' }, 0x1fff), [value(0)], !negated)
}

export function protocolNumber(name: string): number | undefined {
  const known = PROTOCOLS.get(name) ?? PROTOCOLS.get(name.toLowerCase())
  if (known !== undefined) return known
  const numeric = parseNumber(name)
  return numeric === undefined || numeric > 255 ? undefined : numeric
}

function protocolMatch(option: GivenOption): Match | undefined {
  const protocol = protocolNumber(first(option))
  if (protocol === undefined) throw invalid(option)
  return protocol === 0 ? undefined : compare(L4PROTO, [value(protocol)], option.negated)
}

/** "eth0", "eth+" or "+". */
export function interfaceElement(name: string): Element {
  return name.endsWith('+') ? { kind: 'wildcard', prefix: name.slice(0, -1) } : value(name)
}

export function addressExpression(family: Family, field: 'saddr' | 'daddr'): Expression {
  return family === 4 ? { kind: 'payload', protocol: 'ip', field } : { kind: 'payload', protocol: 'ip6', field }
}

export function addressMatch(
  option: GivenOption,
  family: Family,
  field: 'saddr' | 'daddr',
  key: Expression = addressExpression(family, field),
): Match | undefined {
  const text = first(option)
  if (text.includes(',')) {
    return compare(
      key,
      text.split(',').map((part) => maskedAddress(option, family, part).element),
      option.negated,
    )
  }
  const { element, mask } = maskedAddress(option, family, text)
  if (mask === undefined) return compare(key, [element], option.negated)
  return compare(
    { kind: 'binary', op: '&', left: key, right: { kind: 'literal', value: value(mask) } },
    [element],
    option.negated,
  )
}

/** An address, a prefix, or an address with a mask that is no prefix: then the mask is returned, to be applied first. */
function maskedAddress(option: GivenOption, family: Family, text: string): { element: Element; mask?: number | bigint } {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined || address.family !== family) throw invalid(option)
  if (slash < 0) return { element: value(address.value) }
  const length = text.slice(slash + 1)
  const width = family === 4 ? 32 : 128
  const bits = parseDecimal(length)
  if (bits !== undefined) {
    if (bits > width) throw invalid(option)
    return { element: bits === width ? value(address.value) : prefixElement(address, bits) }
  }
  const mask = parseAddress(length)
  if (mask === undefined || mask.family !== family) throw invalid(option)
  const contiguous = prefixLength(mask)
  if (contiguous !== undefined) return { element: prefixElement(address, contiguous) }
  return { element: value(applyMask(address, mask)), mask: mask.value }
}

function applyMask(address: Address, mask: Address): number | bigint {
  if (address.family === 4 && mask.family === 4) return (address.value & mask.value) >>> 0
  return BigInt(address.value) & BigInt(mask.value)
}

/** Of a contiguous netmask; undefined when there is a hole. */
function prefixLength(mask: Address): number | undefined {
  const width = mask.family === 4 ? 32 : 128
  const bits = BigInt(mask.value).toString(2).padStart(width, '0')
  const zero = bits.indexOf('0')
  if (zero < 0) return width
  return bits.includes('1', zero) ? undefined : zero
}

/** "a-b" or "a", of one family. */
export function addressRange(option: GivenOption, family: Family, text: string): Element {
  const dash = text.indexOf('-')
  const from = parseAddress(dash < 0 ? text : text.slice(0, dash))
  const to = dash < 0 ? from : parseAddress(text.slice(dash + 1))
  if (from?.family !== family || to?.family !== family) throw invalid(option)
  return range(from.value, to.value)
}
