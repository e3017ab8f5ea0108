// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../net/address.ts'
import { prefixElement, range, value } from '../elements.ts'
import type { Element, Scalar } from '../statement.ts'
import { type Expr, NftSyntaxError } from './ast.ts'
import { printExpression } from './print.ts'
import { ANY, type DataType, resolveConstant } from './types.ts'

/** A constant: one value, a range, or a concatenation of them. */
export function lowerElement(expr: Expr, types: readonly DataType[]): Element {
  const type = types[0] ?? ANY
  switch (expr.kind) {
    case 'constant':
      return constant(expr.value, type)
    case 'range':
      return range(scalar(expr.from, type), scalar(expr.to, type))
    case 'prefix':
      return prefix(expr, type)
    case 'concat':
      return { kind: 'concat', parts: expr.parts.map((part, i) => lowerElement(part, [types[i] ?? ANY])) }
    case 'list':
    case 'binary':
      return value(combine(expr, type))
    default:
      throw new NftSyntaxError(`"${printExpression(expr)}" is not a constant`)
  }
}

function constant(text: string | number | boolean, type: DataType): Element {
  if (text === '*') return { kind: 'any' }
  if (type.name === 'ifname' && typeof text === 'string' && text.endsWith('*') && !text.endsWith('\\*')) {
    return { kind: 'wildcard', prefix: text.slice(0, -1) }
  }
  return value(resolveConstant(type, text))
}

function scalar(expr: Expr, type: DataType): Scalar {
  if (expr.kind !== 'constant') throw new NftSyntaxError(`"${printExpression(expr)}" is not a constant`)
  return resolveConstant(type, expr.value)
}

function prefix(expr: Expr & { kind: 'prefix' }, type: DataType): Element {
  const address = expr.address.kind === 'constant' ? parseAddress(String(expr.address.value)) : undefined
  if (address !== undefined) return prefixElement(address, expr.bits)
  const base = BigInt(scalar(expr.address, type))
  const host = (1n << BigInt(Math.max(type.bits - expr.bits, 0))) - 1n
  const ends = [base & ~host, base | host] as const
  return type.bits > 48 ? range(ends[0], ends[1]) : range(Number(ends[0]), Number(ends[1]))
}

/** `syn | ack` and `syn,ack` as one number. */
export function combine(expr: Expr, type: DataType): Scalar {
  if (expr.kind === 'constant') return resolveConstant(type, expr.value)
  const parts =
    expr.kind === 'list' ? expr.items : expr.kind === 'binary' && expr.op === '|' ? [expr.left, expr.right] : undefined
  if (parts === undefined || parts.length === 0) throw new NftSyntaxError(`"${printExpression(expr)}" is not a constant`)
  return parts.map((part) => combine(part, type)).reduce(either)
}

function either(a: Scalar, b: Scalar): Scalar {
  if (typeof a === 'string' || typeof b === 'string') throw new NftSyntaxError('words can not be combined with "|"')
  const bits = BigInt(a) | BigInt(b)
  return typeof a === 'bigint' || typeof b === 'bigint' ? bits : Number(bits)
}
