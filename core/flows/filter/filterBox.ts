// SPDX-License-Identifier: Apache-2.0

import { FilterError } from '../../text/filterError.ts'
import { didYouMean } from '../../text/suggest.ts'
import { ALIASES, BOX_KEYS, type BoxKey, END_KEYS, type End } from './boxKeys.ts'
import { combine } from './boxTerms.ts'
import { conditionsOf } from './conditions.ts'
import { EVERYTHING, type FlowFilter, type FlowQuery, type Word } from './filter.ts'
import type { Timestamp } from '../flow.ts'
import { type FlagWord, parseFlagWords } from './hubbleFlags.ts'
import { parseMoment } from '../time.ts'

/**
 * What is typed into the filter box: `pod:shop/web verdict:dropped port:5432 -ns:kube-system`.
 *
 *   box = { term } ; term = [ "-" ] ( KEY ":" VALUE | WORD ) ; VALUE and WORD stand in quotes where they have spaces
 *
 * Different keys must all hold; values of one key are alternatives (`port:80,443` or `port:80 port:443`). A key about ends asks
 * either end, with `from-` the source, with `to-` the destination. What stands behind `-` is left out, each term by itself. A WORD is
 * looked for in names and addresses. `since:` and `until:` take times as Hubble does. A text that begins with `--` or `hubble` is
 * read as flags of `hubble observe`.
 *
 * @throws FilterError that says where and why.
 */
export function parseFilterBox(text: string, now: Timestamp): FlowQuery {
  if (/^\s*(?:--|-[a-zA-Z0-9] |hubble(?:\s|$))/.test(text)) return parseFlagWords(shellWords(text), now)
  let query: FlowQuery = EVERYTHING
  const asked: Asked[] = []
  const words: Word[] = []
  for (const term of termsOf(text)) {
    if (term.key === undefined) words.push({ kind: 'anywhere', text: term.value, not: term.not })
    else if (term.key === 'policy') words.push({ kind: 'policy', text: term.value, not: term.not })
    else if (term.key === 'since' || term.key === 'until')
      query = { ...query, [term.key]: explained(term.valueAt, () => parseMoment(term.value, now)) }
    else asked.push(...askedBy(term))
  }
  const allow = combine(asked.filter(({ not }) => !not))
  const deny = asked.filter(({ not }) => not).flatMap(({ choices }) => choices)
  // What only is wrong together.
  explained(0, () => allow.forEach(conditionsOf))
  return { ...query, allow, deny, words }
}

/** What one value of a term asks: one of the choices must hold. */
export interface Asked {
  /** Values with the same name are alternatives. */
  readonly name: string
  readonly choices: readonly FlowFilter[]
  readonly not: boolean
  readonly at: number
}

interface Term {
  readonly at: number
  readonly not: boolean
  readonly key: string | undefined
  readonly value: string
  readonly valueAt: number
}

const TERM = /\s*(-?)(?:([A-Za-z][A-Za-z-]*):)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/y

function termsOf(text: string): readonly Term[] {
  const terms: Term[] = []
  const end = text.trimEnd().length
  for (let at = 0; at < end; ) {
    TERM.lastIndex = at
    const [whole = '', minus = '', key, quoted, bare = ''] = TERM.exec(text) ?? []
    const start = at + whole.length - whole.trimStart().length
    const valueAt = start + minus.length + (key === undefined ? 0 : key.length + 1)
    if (quoted === undefined && text[at + whole.length] === '"')
      throw new FilterError(at + whole.length, unquoted(text, at + whole.length))
    const value = quoted?.replace(/\\(.)/g, '$1') ?? bare
    if (value === '') throw new FilterError(valueAt, key === undefined ? '`-` stands alone' : `\`${key}:\` has no value`)
    // An IPv6 address begins like a key.
    const word = key !== undefined && quoted === undefined && /^[0-9a-f]{1,4}$/i.test(key) && /^[0-9a-f:./]*$/i.test(bare)
    terms.push(
      word
        ? { at: start, not: minus !== '', key: undefined, value: `${key}:${value}`, valueAt: start }
        : { at: start, not: minus !== '', key: key === undefined ? undefined : canonical(key), value, valueAt },
    )
    at += whole.length
  }
  return terms
}

function unquoted(text: string, at: number): string {
  return text.indexOf('"', at + 1) < 0 ? 'a quote is not closed' : 'a quote begins within a word'
}

function canonical(key: string): string {
  const lower = key.toLowerCase()
  const [, end = '', name = lower] = /^(from-|to-)?(.*)$/.exec(lower) ?? []
  return end + (ALIASES[name] ?? name)
}

/** Keys as they can be typed, with what asks for them. */
const KEYS = new Map<string, { readonly key: BoxKey; readonly ends: readonly End[] }>([
  ...[...BOX_KEYS, ...END_KEYS].map((key) => [key.name, { key, ends: key.ofEnds ? ENDS() : (['source'] as const) }] as const),
  ...BOX_KEYS.filter((key) => key.ofEnds).flatMap((key) => [
    [`from-${key.name}`, { key, ends: ['source'] as const }] as const,
    [`to-${key.name}`, { key, ends: ['destination'] as const }] as const,
  ]),
])

function ENDS(): readonly End[] {
  return ['source', 'destination']
}

/** All keys that can be typed. */
export const KEY_NAMES: readonly string[] = [...KEYS.keys(), 'policy', 'since', 'until']

function askedBy({ key: name = '', value, not, at, valueAt }: Term): readonly Asked[] {
  const known = KEYS.get(name)
  if (known === undefined) throw new FilterError(at, `\`${name}\` is no key of a filter${didYouMean(name, KEY_NAMES)}`)
  const { key, ends } = known
  const values = key.commas ? value.split(',').filter((each) => each !== '') : [value]
  return values.map((each) => {
    const choices = explained(valueAt, () => {
      const filters = ends.map((end) => key.ask(each, end))
      for (const filter of filters) conditionsOf(filter)
      return filters
    })
    return { name, choices, not, at }
  })
}

/** Words as a POSIX shell divides them, for flags that were copied from one. */
function shellWords(text: string): readonly FlagWord[] {
  const words: FlagWord[] = []
  const pattern = /\s*((?:'[^']*'|"(?:[^"\\]|\\[\s\S])*"|\\[\s\S]|[^\s'"\\])+)/y
  const end = text.trimEnd().length
  for (let at = 0; at < end; ) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) throw new FilterError(at + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0), 'a quote is not closed')
    const [whole, word = ''] = match
    words.push({ at: at + whole.length - word.length, text: unquotedWord(word) })
    at += whole.length
  }
  return words
}

function unquotedWord(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g,
    (_, single?: string, double?: string, escaped?: string) => single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? '',
  )
}

function explained<T>(at: number, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw new FilterError(at, error instanceof Error ? error.message : String(error))
  }
}
