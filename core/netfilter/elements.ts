// SPDX-License-Identifier: Apache-2.0

import { type Address, prefixRange } from '../net/address.ts'
import type { Element, Expression, Match, Scalar } from './statement.ts'

/** Builders for the rule model, shared by the iptables and nft parsers. */

export function value(scalar: Scalar): Element {
  return { kind: 'value', value: scalar }
}

export function range(from: Scalar, to: Scalar): Element {
  return from === to ? value(from) : { kind: 'range', from, to }
}

/** All addresses of a prefix, as one element. Host bits of `address` are ignored, as the kernel does. */
export function prefixElement(address: Address, bits: number): Element {
  const [from, to] = prefixRange(address, bits)
  return range(from.value, to.value)
}

export function literal(scalar: Scalar): Expression {
  return { kind: 'literal', value: value(scalar) }
}

/** Value sets from elements; "in" or, negated, "not in". */
export function compare(key: Expression, elements: readonly Element[], negated = false): Match {
  return { kind: 'compare', key, op: negated ? 'ne' : 'eq', value: { kind: 'literal', elements } }
}

export function and(left: Expression, mask: number): Expression {
  return { kind: 'binary', op: '&', left, right: literal(mask) }
}

/** `(key & mask) == value`, without the mask where it is all ones. */
export function compareMasked(key: Expression, scalar: number, mask: number, negated = false): Match {
  return compare(mask === 0xffffffff ? key : and(key, mask), [value(scalar)], negated)
}
