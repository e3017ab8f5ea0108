// SPDX-License-Identifier: Apache-2.0

import type { FlowFilter, FlowQuery } from './filter.ts'
import { filterJson } from './filterJson.ts'
import { END_FLAGS, FIELD_FLAGS, type FieldFlag, FLAGS_WITHOUT_VALUE } from './flagNames.ts'
import { parseHubbleFlags } from './hubbleFlags.ts'
import { formatTimestamp } from '../time.ts'

/**
 * A command of the hubble client that asks for the same: with flags a person would write where they mean exactly this, and with
 * filters in JSON (--allowlist, --denylist) where no flags do. Words and policies, which Hubble can't filter by, are left out.
 */
export function hubbleCommand(query: FlowQuery): string {
  const words = ['hubble', 'observe', ...options(query), ...side(query.allow, false), ...side(query.deny, true)]
  return words.map(shellWord).join(' ')
}

function options({ since, until, first, last, follow }: FlowQuery): readonly string[] {
  return [
    ...(since === null ? [] : ['--since', formatTimestamp(since)]),
    ...(until === null ? [] : ['--until', formatTimestamp(until)]),
    ...(first === null ? [] : ['--first', String(first)]),
    ...(last === null ? [] : last === Number.POSITIVE_INFINITY ? ['--all'] : ['--last', String(last)]),
    ...(follow ? ['--follow'] : []),
  ]
}

function side(filters: readonly FlowFilter[], deny: boolean): readonly string[] {
  if (filters.length === 0) return []
  const flags = filters.length <= 2 ? flagsOf(filters, deny) : undefined
  if (flags !== undefined && meansSame(flags, filters, deny)) return flags
  return filters.flatMap((filter) => [deny ? '--denylist' : '--allowlist', JSON.stringify(filterJson(filter))])
}

/** Undefined when there is a value no flag can say. */
function flagsOf(filters: readonly FlowFilter[], deny: boolean): readonly string[] | undefined {
  const [left = {}, right = left] = filters
  const words: string[] = []
  const done = new Set<string>()
  for (const field of Object.keys({ ...left, ...right }) as (keyof FlowFilter)[]) {
    if (done.has(field)) continue
    const ends =
      filters.length === 2 ? END_FLAGS.find((end) => [end.source.field, end.destination.field].includes(field)) : undefined
    const either = ends !== undefined && same(left[ends.source.field], right[ends.destination.field])
    const flag = either
      ? { ...ends.source, flag: ends.flag }
      : FIELD_FLAGS.find((each) => each.field === field && canWrite(each, left[field]))
    if (flag === undefined) return undefined
    for (const each of either ? [ends.source.field, ends.destination.field] : [field]) done.add(each)
    for (const value of left[flag.field] ?? []) {
      const text = flag.write(value as never)
      if (text === undefined) return undefined
      words.push(...(deny ? ['--not'] : []), `--${flag.flag}`, ...(flag.flag in FLAGS_WITHOUT_VALUE ? [] : [text]))
    }
  }
  return words
}

function canWrite(flag: FieldFlag, values: readonly unknown[] = []): boolean {
  return values.every((value) => flag.write(value as never) !== undefined)
}

/** The flags are read again: how the client combines them has rules of its own. */
function meansSame(words: readonly string[], filters: readonly FlowFilter[], deny: boolean): boolean {
  try {
    const query = parseHubbleFlags(words, { seconds: 0, nanos: 0 })
    return same((deny ? query.deny : query.allow).map(filterJson), filters.map(filterJson))
  } catch {
    return false
  }
}

function same(a: unknown, b: unknown): boolean {
  return spelled(a) === spelled(b)
}

function spelled(value: unknown): string | undefined {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))
}

/** Quoted for a POSIX shell where it must be. */
function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
