// SPDX-License-Identifier: Apache-2.0

import type { Flight } from '../../net/packet.ts'
import type { Expression, MapReference, Scalar, SetElement } from '../statement.ts'
import { spreadOut } from './arithmetic.ts'
import type { TableContext } from './context.ts'
import { type ElementIndex, mayHold, numericSpan } from './lookup.ts'
import { readExpression } from './read.ts'
import { ABSENT, type Choice, elementValue, isScalar, unknown, type Value } from './value.ts'

/** One possible result of a lookup; no element: the key is not there. */
export interface Hit {
  readonly element: SetElement | undefined
  readonly probability: number
  readonly key: string | undefined
  readonly values: readonly number[]
}

export type LookupOutcome =
  | { readonly kind: 'hits'; readonly hits: readonly Hit[] }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly missing: string }

/** Elements of a map; undefined when the table has no map of this name. */
export function mapElements(map: MapReference, context: TableContext): readonly SetElement[] | undefined {
  return map.kind === 'anonymous' ? map.elements : context.table.sets.get(map.name)?.elements
}

/** Looks a key up in a map or verdict map. Hits are in the elements' order, and their probabilities sum to 1. */
export function lookUp(key: Expression, map: MapReference, flight: Flight, context: TableContext): LookupOutcome {
  const elements = mapElements(map, context)
  if (!elements) return { kind: 'unknown', missing: `map @${map.kind === 'named' ? map.name : ''}, which is not in the table` }
  const value = readExpression(key, flight, context)
  return find(value, context.caches.elements(elements))
}

function find(value: Value, index: ElementIndex<SetElement>): LookupOutcome {
  const known = knownKey(value)
  if (known !== undefined) return { kind: 'hits', hits: [sure(index.find(known))] }
  if (isScalar(value)) return { kind: 'absent' }
  switch (value.kind) {
    case 'absent':
      return value
    case 'uniform':
      return { kind: 'hits', hits: uniformHits(value, index) }
    case 'choices':
      return choiceHits(value.choices, index)
    case 'parts':
      return partsHits(value.parts, index)
    default:
      return undecidedHits(value, index)
  }
}

function sure(element: SetElement | undefined): Hit {
  return { element, probability: 1, key: undefined, values: [] }
}

/** Of scalars and of concatenations that consist of scalars. */
export function knownKey(value: Value): Scalar | readonly Scalar[] | undefined {
  if (isScalar(value)) return value
  if (value.kind !== 'parts') return undefined
  return value.parts.every(isScalar) ? value.parts : undefined
}

/** How many of the equally likely values each element holds; the catch-all has those that are left. */
function uniformHits(value: Extract<Value, { kind: 'uniform' }>, index: ElementIndex<SetElement>): Hit[] {
  const hits: Hit[] = []
  let left = value.modulus
  let fallback: SetElement | undefined
  for (const { key, item } of index.entries) {
    if (key.kind === 'any') {
      fallback ??= item
      continue
    }
    const values = overlap(value, numericSpan(key))
    if (values.count === 0) continue
    left -= values.count
    hits.push({ element: item, probability: values.count / value.modulus, key: value.key, values: values.list })
  }
  if (left <= 0) return hits
  const probability = left / value.modulus
  if (fallback === undefined || left > MAX_LIST) return [...hits, { element: fallback, probability, key: undefined, values: [] }]
  const taken = new Set(hits.flatMap((hit) => hit.values))
  const { list } = overlap(value, [value.offset, value.offset + value.modulus - 1])
  return [...hits, { element: fallback, probability, key: value.key, values: list.filter((number) => !taken.has(number)) }]
}

/** Lists longer than this are counted, not kept. */
const MAX_LIST = 1024

export function overlap(
  value: Extract<Value, { kind: 'uniform' }>,
  span: [number, number] | undefined,
): { count: number; list: readonly number[] } {
  if (!span) return { count: 0, list: [] }
  const from = Math.max(span[0], value.offset)
  const to = Math.min(span[1], value.offset + value.modulus - 1)
  const count = Math.max(0, to - from + 1)
  const list = value.key === undefined || count > MAX_LIST ? [] : Array.from({ length: count }, (_, i) => from + i)
  return { count, list }
}

function choiceHits(choices: readonly Choice[], index: ElementIndex<SetElement>): LookupOutcome {
  const hits: Hit[] = []
  for (const choice of choices) {
    const outcome = find(choice.value, index)
    if (outcome.kind !== 'hits') return outcome
    for (const hit of outcome.hits) {
      hits.push({
        element: hit.element,
        probability: hit.probability * choice.probability,
        key: choice.key,
        values: choice.values,
      })
    }
  }
  return { kind: 'hits', hits: mergeHits(hits) }
}

function mergeHits(hits: readonly Hit[]): Hit[] {
  const merged = new Map<SetElement | undefined, Hit>()
  for (const hit of hits) {
    const other = merged.get(hit.element)
    merged.set(
      hit.element,
      other ? { ...other, probability: other.probability + hit.probability, values: [...other.values, ...hit.values] } : hit,
    )
  }
  return [...merged.values()]
}

/** A concatenation with a random part is spread out over that part. */
function partsHits(parts: readonly Value[], index: ElementIndex<SetElement>): LookupOutcome {
  for (const [at, part] of parts.entries()) {
    if (!isScalar(part) && part.kind === 'absent') return part
    const spread = spreadOut(part)
    if (spread) {
      return choiceHits(
        spread.map((choice) => ({ ...choice, value: { kind: 'parts', parts: parts.with(at, choice.value) } })),
        index,
      )
    }
  }
  return undecidedHits({ kind: 'parts', parts }, index)
}

/** Something about the key is not known; that may still leave only one answer. */
function undecidedHits(value: Value, index: ElementIndex<SetElement>): LookupOutcome {
  let missing: string | undefined
  for (const { key, item } of index.entries) {
    const result = mayHold(key, value)
    if (result === true && missing === undefined) return { kind: 'hits', hits: [sure(item)] }
    if (result !== false) missing ??= result === true ? 'part of the key' : result
  }
  return missing === undefined ? { kind: 'hits', hits: [sure(undefined)] } : { kind: 'unknown', missing }
}

/** A map used as a value. */
export function readMap(key: Expression, map: MapReference, flight: Flight, context: TableContext): Value {
  const outcome = lookUp(key, map, flight, context)
  if (outcome.kind === 'absent') return ABSENT
  if (outcome.kind === 'unknown') return unknown(outcome.missing)
  const [only] = outcome.hits
  if (only && outcome.hits.length === 1) return dataOf(only.element)
  return {
    kind: 'choices',
    choices: outcome.hits.map((hit) => ({
      value: dataOf(hit.element),
      probability: hit.probability,
      key: hit.key,
      values: hit.values,
    })),
  }
}

function dataOf(element: SetElement | undefined): Value {
  return element?.data ? elementValue(element.data) : ABSENT
}
