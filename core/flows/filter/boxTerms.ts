// SPDX-License-Identifier: Apache-2.0

import { FilterError } from '../../text/filterError.ts'
import type { FlowFilter } from './filter.ts'
import type { Asked } from './filterBox.ts'

type Filter = Readonly<Record<string, readonly unknown[]>>

/**
 * Filters of which one must match for all that is asked to hold. Values of one name are alternatives; what asks either end doubles
 * the filters, since Hubble's filters ask each end by itself.
 *
 * @throws FilterError when nothing can hold, or too many filters would be needed.
 */
export function combine(asked: readonly Asked[]): readonly FlowFilter[] {
  const groups = new Map<string, Asked[]>()
  for (const each of asked) groups.set(each.name, [...(groups.get(each.name) ?? []), each])
  let filters: readonly Filter[] = [{}]
  for (const [name, terms] of groups) {
    const choices = mergeEnds(terms)
    const both = filters.flatMap((filter) => choices.flatMap((choice) => intersection(filter, choice)))
    const at = terms[0]?.at ?? 0
    if (both.length === 0) throw new FilterError(at, `\`${name}\` contradicts what is asked before it: nothing could match`)
    if (both.length > MOST_FILTERS)
      throw new FilterError(at, 'this asks too many things of either end: say `from-` or `to-` for some')
    filters = both
  }
  return asked.length === 0 ? [] : (filters as readonly FlowFilter[])
}

const MOST_FILTERS = 64

/** Alternatives of one name: filters about the same field become one with all their values. */
function mergeEnds(terms: readonly Asked[]): readonly Filter[] {
  const merged = new Map<string, Filter>()
  for (const choice of terms.flatMap(({ choices }) => choices as readonly Filter[])) {
    const fields = Object.keys(choice).join()
    const known = merged.get(fields)
    const field = Object.keys(choice)[0] ?? ''
    merged.set(fields, known === undefined ? choice : { [field]: [...(known[field] ?? []), ...(choice[field] ?? [])] })
  }
  return [...merged.values()]
}

/** What holds when both hold; none when both can't. */
function intersection(a: Filter, b: Filter): readonly Filter[] {
  const result: Record<string, readonly unknown[]> = { ...a }
  for (const [field, values] of Object.entries(b)) {
    const before = result[field]
    if (before === undefined) result[field] = values
    else {
      const common = before.flatMap((one) => values.flatMap((other) => commonValue(field, one, other)))
      if (common.length === 0) return []
      result[field] = [...new Set(common)]
    }
  }
  return [result]
}

/** A value that asks what both ask; none when there is no such value. */
function commonValue(field: string, a: unknown, b: unknown): readonly unknown[] {
  if (/(?:Pod|Service)$/.test(field)) return commonName(String(a), String(b))
  if (/Label$/.test(field)) return [a === b ? a : `${a},${b}`]
  return JSON.stringify(a) === JSON.stringify(b) ? [a] : []
}

/** `NAMESPACE/PREFIX`; either may be empty. */
function commonName(a: string, b: string): readonly string[] {
  const [[namespaceA = '', nameA = ''], [namespaceB = '', nameB = '']] = [a.split('/'), b.split('/')]
  if (namespaceA !== '' && namespaceB !== '' && namespaceA !== namespaceB) return []
  if (!nameA.startsWith(nameB) && !nameB.startsWith(nameA)) return []
  return [`${namespaceA || namespaceB}/${nameA.length > nameB.length ? nameA : nameB}`]
}
