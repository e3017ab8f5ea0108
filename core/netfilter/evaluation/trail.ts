// SPDX-License-Identifier: Apache-2.0

/** A list that grows at its end and shares its beginning: branches of one traversal have most of their way in common. */
export type Trail<T> = { readonly last: T; readonly before: Trail<T>; readonly length: number } | undefined

export function append<T>(trail: Trail<T>, item: T): Trail<T> {
  return { last: item, before: trail, length: (trail?.length ?? 0) + 1 }
}

export function toArray<T>(trail: Trail<T>): T[] {
  const items = new Array<T>(trail?.length ?? 0)
  for (let at = trail; at; at = at.before) items[at.length - 1] = at.last
  return items
}

/** All of the first, then what only the second has. Items are the same when they are the same object. */
export function union<T>(first: Trail<T>, second: Trail<T>): Trail<T> {
  if (first === second || second === undefined) return first
  if (first === undefined) return second
  const known = new Set(toArray(first))
  let result: Trail<T> = first
  for (const item of toArray(second)) if (!known.has(item)) result = append(result, item)
  return result
}
