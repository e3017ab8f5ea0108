// SPDX-License-Identifier: Apache-2.0

import type { Element, Scalar } from '../statement.ts'
import { isScalar, type Value } from './value.ts'

/**
 * Finds the element that holds a value, for sets and maps of any size: exact keys in a hash table, ranges by binary search,
 * and what is neither (concatenations with ranges, interface wildcards) one by one.
 */
export class ElementIndex<T> {
  readonly #exact = new Map<Scalar, T>()
  readonly #ranges: { readonly from: Scalar; readonly to: Scalar; readonly item: T; reach: Scalar }[] = []
  readonly #others: { readonly key: Element; readonly item: T }[] = []
  readonly #all: readonly { readonly key: Element; readonly item: T }[]
  #fallback: T | undefined

  constructor(entries: readonly { readonly key: Element; readonly item: T }[]) {
    this.#all = entries
    for (const { key, item } of entries) this.#add(key, item)
    this.#ranges.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))
    let reach: Scalar | undefined
    for (const range of this.#ranges) {
      if (reach !== undefined && reach > range.reach) range.reach = reach
      reach = range.reach
    }
  }

  #add(key: Element, item: T): void {
    const exact = exactKey(key)
    if (exact !== undefined) {
      if (!this.#exact.has(exact)) this.#exact.set(exact, item)
    } else if (key.kind === 'any') this.#fallback ??= item
    else if (key.kind === 'range') this.#ranges.push({ from: key.from, to: key.to, item, reach: key.to })
    else this.#others.push({ key, item })
  }

  /** All elements, for values that are not plain scalars. */
  get entries(): readonly { readonly key: Element; readonly item: T }[] {
    return this.#all
  }

  /** Of a scalar, or of a concatenation whose parts are all scalars. Undefined: none holds it. */
  find(value: Scalar | readonly Scalar[]): T | undefined {
    const exact = this.#exact.get(Array.isArray(value) ? concatKey(value) : (value as Scalar))
    if (exact !== undefined) return exact
    if (!Array.isArray(value)) {
      const range = this.#findRange(value as Scalar)
      if (range !== undefined) return range
    }
    for (const { key, item } of this.#others) if (holds(key, value as Scalar | readonly Scalar[])) return item
    return this.#fallback
  }

  /** The last range that begins at or before the value; earlier ones only as long as one of them reaches so far (overlaps). */
  #findRange(value: Scalar): T | undefined {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const range = this.#ranges[middle]
      if (range && range.from <= value) low = middle + 1
      else high = middle
    }
    for (let at = low - 1; at >= 0; at--) {
      const range = this.#ranges[at]
      if (!range || range.reach < value) return undefined
      if (range.to >= value) return range.item
    }
    return undefined
  }
}

function exactKey(element: Element): Scalar | undefined {
  if (element.kind === 'value') return element.value
  if (element.kind !== 'concat') return undefined
  const parts: Scalar[] = []
  for (const part of element.parts) {
    if (part.kind !== 'value') return undefined
    parts.push(part.value)
  }
  return concatKey(parts)
}

/** Begins with a character no interface name and no scalar begins with. */
function concatKey(parts: readonly Scalar[]): string {
  return `\0${parts.join('\0')}`
}

/** Whether one element holds a fully known value. */
export function holds(element: Element, value: Scalar | readonly Scalar[]): boolean {
  if (element.kind === 'any') return true
  if (element.kind === 'concat') {
    return (
      Array.isArray(value) && element.parts.length === value.length && element.parts.every((part, i) => holds(part, value[i]))
    )
  }
  if (Array.isArray(value)) return false
  const scalar = value as Scalar
  if (element.kind === 'value') return element.value === scalar
  if (element.kind === 'wildcard') return typeof scalar === 'string' && scalar.startsWith(element.prefix)
  return typeof scalar === typeof element.from && scalar >= element.from && scalar <= element.to
}

/** Whether one element holds a value of which not everything is known. Undefined: can't be told; else `missing` was not needed. */
export function mayHold(element: Element, value: Value): boolean | string {
  if (isScalar(value)) return holds(element, value)
  switch (value.kind) {
    case 'absent':
      return false
    case 'unknown':
      return element.kind === 'any' ? true : value.missing
    case 'between': {
      const span = numericSpan(element)
      if (!span || span[1] < value.from || span[0] > value.to) return false
      return span[0] <= value.from && span[1] >= value.to ? true : value.missing
    }
    case 'parts': {
      if (element.kind === 'any') return true
      if (element.kind !== 'concat' || element.parts.length !== value.parts.length) return false
      let missing: string | undefined
      for (const [index, part] of element.parts.entries()) {
        const result = mayHold(part, value.parts[index] ?? '')
        if (result === false) return false
        if (result !== true) missing ??= result
      }
      return missing ?? true
    }
    default:
      return 'the value of a random choice'
  }
}

/** Both ends of an element of numbers. */
export function numericSpan(element: Element): [number, number] | undefined {
  if (element.kind === 'value' && typeof element.value === 'number') return [element.value, element.value]
  if (element.kind === 'range' && typeof element.from === 'number' && typeof element.to === 'number')
    return [element.from, element.to]
  if (element.kind === 'any') return [0, Number.MAX_SAFE_INTEGER]
  return undefined
}
