// SPDX-License-Identifier: Apache-2.0

import { FilterError } from '../../text/filterError.ts'
import { didYouMean } from '../../text/suggest.ts'
import { conditionsOf } from './conditions.ts'
import { EVERYTHING, type FlowFilter, type FlowQuery } from './filter.ts'
import { readFilterJson } from './filterJson.ts'
import type { Timestamp } from '../flow.ts'
import { FILTER_FLAGS, FLAGS_WITHOUT_VALUE, SHORT_FLAGS } from './flagNames.ts'
import { FlagTracker } from './flagTracker.ts'
import { parseMoment } from '../time.ts'

/** A word and where it begins. */
export interface FlagWord {
  readonly text: string
  readonly at: number
}

/**
 * Flags as `hubble observe` takes them, with its meaning of them together: different flags must all hold, values of one flag are
 * alternatives, `--not` moves the next flag to what is left out, and what is asked of "either end" is asked of one end at a time.
 * `hubble observe flows` in front is passed over, and so is what concerns the client alone (output, server, TLS).
 *
 * @throws FilterError; `at` counts from the first word, words joined by single spaces.
 */
export function parseHubbleFlags(words: readonly string[], now: Timestamp): FlowQuery {
  let at = 0
  return parseFlagWords(
    words.map((text) => {
      const word = { text, at }
      at += text.length + 1
      return word
    }),
    now,
  )
}

/** @throws FilterError */
export function parseFlagWords(words: readonly FlagWord[], now: Timestamp): FlowQuery {
  return new FlagReader(words, now).read()
}

class FlagReader {
  readonly #words: readonly FlagWord[]
  readonly #now: Timestamp
  readonly #allow = new FlagTracker()
  readonly #deny = new FlagTracker()
  readonly #rawAllow: FlowFilter[] = []
  readonly #rawDeny: FlowFilter[] = []
  readonly #ignored: string[] = []
  #query: FlowQuery = EVERYTHING
  #not: FlagWord | undefined
  #next = 0

  constructor(words: readonly FlagWord[], now: Timestamp) {
    this.#words = words
    this.#now = now
  }

  read(): FlowQuery {
    while (['hubble', 'observe', 'flows'].includes(this.#words[this.#next]?.text ?? '')) this.#next++
    for (let word = this.#take(); word !== undefined; word = this.#take()) this.#flag(word)
    if (this.#not !== undefined) throw new FilterError(this.#not.at, 'a flag is missing behind `--not`')
    const allow = [...this.#allow.filters(), ...this.#rawAllow]
    const deny = [...this.#deny.filters(), ...this.#rawDeny]
    // What only is wrong together: all values have been looked at one by one.
    explained(0, () => {
      for (const filter of [...allow, ...deny]) conditionsOf(filter)
    })
    return { ...this.#query, allow, deny, ignored: this.#ignored }
  }

  #flag(word: FlagWord): void {
    const { name, value } = nameOf(word)
    if (FILTER_FLAGS.includes(name)) this.#filter(name, word, value)
    else if (name === 'not') this.#negate(word)
    else this.#option(name, word, value)
  }

  #negate(word: FlagWord): void {
    if (this.#not !== undefined) throw new FilterError(word.at, '`--not` stands twice')
    this.#not = word
  }

  #filter(name: string, word: FlagWord, given: string | undefined): void {
    const at = given === undefined ? (this.#words[this.#next]?.at ?? word.at) : word.at
    const value = given ?? FLAGS_WITHOUT_VALUE[name] ?? this.#value(word)
    const tracker = this.#not === undefined ? this.#allow : this.#deny
    this.#not = undefined
    explained(at, () => {
      tracker.set(name, value)
      for (const filter of tracker.asked())
        for (const [field, values] of Object.entries(filter)) conditionsOf({ [field]: values })
    })
  }

  #option(name: string, word: FlagWord, given: string | undefined): void {
    if (name === 'follow' || name === 'all') {
      const on = given !== 'false'
      this.#query =
        name === 'follow' ? { ...this.#query, follow: on } : { ...this.#query, last: on ? Number.POSITIVE_INFINITY : null }
      return
    }
    const takesValue = CLIENT_FLAGS[name] ?? OPTIONS.includes(name)
    if (CLIENT_FLAGS[name] === undefined && !takesValue) {
      const known = [...FILTER_FLAGS, ...OPTIONS, 'not', 'follow', 'all']
      throw new FilterError(
        word.at,
        `\`${word.text}\` is no flag of \`hubble observe\` that can be used here${didYouMean(name, known)}`,
      )
    }
    const value = takesValue ? (given ?? this.#value(word)) : ''
    explained(word.at, () => this.#setOption(name, value))
  }

  #setOption(name: string, value: string): void {
    switch (name) {
      case 'since':
      case 'until':
        this.#query = { ...this.#query, [name]: parseMoment(value, this.#now) }
        return
      case 'first':
      case 'last':
        if (!/^\d{1,15}$/.test(value)) throw new Error(`\`${value}\` is no number of flows`)
        this.#query = { ...this.#query, [name]: Number(value) }
        return
      case 'allowlist':
        this.#rawAllow.push(rawFilter(value))
        return
      case 'denylist':
        this.#rawDeny.push(rawFilter(value))
        return
      default:
        this.#ignored.push(name)
    }
  }

  #value(flag: FlagWord): string {
    const word = this.#take()
    if (word === undefined) throw new FilterError(flag.at, `a value is missing behind \`${flag.text}\``)
    return word.text
  }

  #take(): FlagWord | undefined {
    return this.#words[this.#next++]
  }
}

const OPTIONS: readonly string[] = ['since', 'until', 'first', 'last', 'allowlist', 'denylist']

/** Flags about the client, and whether they take a value. */
const CLIENT_FLAGS: Readonly<Record<string, boolean>> = {
  output: true,
  'time-format': true,
  color: true,
  'print-node-name': false,
  'print-policy-names': false,
  'ip-translation': false,
  numeric: false,
  'basic-auth-password': true,
  'basic-auth-username': true,
  'kube-context': true,
  'kube-namespace': true,
  kubeconfig: true,
  'port-forward': false,
  'port-forward-port': true,
  'request-timeout': true,
  server: true,
  timeout: true,
  tls: false,
  'tls-allow-insecure': false,
  'tls-ca-cert-files': true,
  'tls-client-cert-file': true,
  'tls-client-key-file': true,
  'tls-server-name': true,
  'field-mask': true,
  'input-file': true,
  'print-raw-filters': false,
  'silent-errors': false,
  'use-default-field-masks': false,
  config: true,
  debug: false,
}

/** `--name=value`, `--name`, `-n value`, `-nvalue`. */
function nameOf({ text, at }: FlagWord): { readonly name: string; readonly value: string | undefined } {
  const long = /^--([^=]+)(?:=([\s\S]*))?$/.exec(text)
  if (long !== null) return { name: long[1] ?? '', value: long[2] }
  const short = /^-([A-Za-z0-9])=?([\s\S]*)$/.exec(text)
  const name = SHORT_FLAGS[short?.[1] ?? '']
  if (name === undefined) throw new FilterError(at, `\`${text}\` is no flag of \`hubble observe\``)
  return { name, value: short?.[2] === '' ? undefined : short?.[2] }
}

function rawFilter(text: string): FlowFilter {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new Error('a filter is not JSON')
  }
  const filter = readFilterJson(json)
  conditionsOf(filter)
  return filter
}

function explained(at: number, action: () => void): void {
  try {
    action()
  } catch (error) {
    throw new FilterError(at, error instanceof Error ? error.message : String(error))
  }
}
