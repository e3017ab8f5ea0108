// SPDX-License-Identifier: Apache-2.0

import type { Expression, Scalar } from '../statement.ts'
import { type Choice, isScalar, unknown, type Value } from './value.ts'

type Binary = Extract<Expression, { kind: 'binary' }>

/** Values of a random choice that are computed with one by one. */
const MAX_VALUES = 4096
const MAX_RANDOM_BITS = 8

export function computeBinary(expression: Binary, read: (part: Expression) => Value): Value {
  // Packets asked about are whole: offset and more-fragments flag are zero, although the rest of the field is not known.
  if (expression.op === '&' && isFragmentTest(expression)) return 0
  const left = read(expression.left)
  const right = read(expression.right)
  return combine(expression.op, left, right)
}

function isFragmentTest({ left, right }: Binary): boolean {
  if (left.kind !== 'payload' || left.field !== 'frag-off' || right.kind !== 'literal') return false
  const mask = right.value.kind === 'value' ? Number(right.value.value) : 0xffff
  return (mask & ~0x3fff) === 0
}

function combine(op: Binary['op'], left: Value, right: Value): Value {
  if (isScalar(left) && isScalar(right)) return compute(op, left, right)
  if (op === '&' && !isScalar(left) && left.kind === 'uniform' && typeof right === 'number') {
    const bits = randomBits(left, right)
    if (bits) return bits
  }
  if (!isScalar(left)) {
    const spread = spreadOut(left)
    if (spread)
      return { kind: 'choices', choices: spread.map((choice) => ({ ...choice, value: combine(op, choice.value, right) })) }
    return left.kind === 'absent' || left.kind === 'unknown' ? left : unknown(missingOf(left))
  }
  const spread = isScalar(right) ? undefined : spreadOut(right)
  if (spread) return { kind: 'choices', choices: spread.map((choice) => ({ ...choice, value: combine(op, left, choice.value) })) }
  return isScalar(right) || right.kind === 'absent' || right.kind === 'unknown' ? right : unknown(missingOf(right))
}

/** Some bits of a random number whose every bit is: each combination is equally likely. */
function randomBits({ offset, modulus, key }: Extract<Value, { kind: 'uniform' }>, mask: number): Value | undefined {
  if (offset !== 0 || modulus !== 2 ** 32 || key !== undefined) return undefined
  const bits = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter((bit) => (mask & bit) !== 0)
  if (bits.length > MAX_RANDOM_BITS) return undefined
  const count = 2 ** bits.length
  const choices = Array.from({ length: count }, (_, index) => ({
    value: bits.reduce((sum, bit, place) => ((index >>> place) & 1 ? sum + bit : sum), 0),
    probability: 1 / count,
    key: undefined,
    values: [],
  }))
  return { kind: 'choices', choices }
}

function missingOf(value: Exclude<Value, Scalar>): string {
  return 'missing' in value ? value.missing : 'a value that is computed from a list'
}

/** A random value as its choices, if they are few enough. */
export function spreadOut(value: Value): readonly Choice[] | undefined {
  if (isScalar(value)) return undefined
  if (value.kind === 'choices') return value.choices
  if (value.kind !== 'uniform' || value.modulus > MAX_VALUES) return undefined
  const { key, modulus, offset } = value
  return Array.from({ length: modulus }, (_, index) => ({
    value: offset + index,
    probability: 1 / modulus,
    key,
    values: [offset + index],
  }))
}

function compute(op: Binary['op'], left: Scalar, right: Scalar): Value {
  if (typeof left === 'string' || typeof right === 'string') return unknown('arithmetic on names')
  if (typeof left === 'number' && typeof right === 'number' && left <= 0xffffffff && right <= 0xffffffff)
    return compute32(op, left, right)
  const wide = computeWide(op, BigInt(left), BigInt(right))
  return typeof left === 'bigint' ? wide : Number(wide)
}

function compute32(op: Binary['op'], left: number, right: number): number {
  switch (op) {
    case '&':
      return (left & right) >>> 0
    case '|':
      return (left | right) >>> 0
    case '^':
      return (left ^ right) >>> 0
    case '<<':
      return right > 31 ? 0 : (left << right) >>> 0
    case '>>':
      return right > 31 ? 0 : left >>> right
  }
}

function computeWide(op: Binary['op'], left: bigint, right: bigint): bigint {
  switch (op) {
    case '&':
      return left & right
    case '|':
      return left | right
    case '^':
      return left ^ right
    case '<<':
      return (left << right) & ((1n << 128n) - 1n)
    case '>>':
      return left >> right
  }
}
