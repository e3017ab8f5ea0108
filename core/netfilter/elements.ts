// SPDX-License-Identifier: Apache-2.0

import { type Address, prefixRange } from '../net/address.ts'
import type { Element, Expression, Scalar } from './statement.ts'

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
