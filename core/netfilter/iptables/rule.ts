// SPDX-License-Identifier: Apache-2.0

import type { Family } from '../../net/address.ts'
import type { ParseProblem, Position, Rule } from '../ruleset.ts'
import type { Statement } from '../statement.ts'
import { type ExtensionContext, type GivenOption, type LoadedExtension, OptionError } from './extension.ts'
import { MATCHES, OPAQUE_MATCHES, RATE_MATCHES, TARGETS } from './extensions.ts'
import { fragmentMatch, HEADER_OPTIONS, headerMatch } from './header.ts'
import { splitWords } from './tokens.ts'

/** What a rule must know about the table it stands in. */
export interface TableScope {
  readonly family: Family
  hasChain(name: string): boolean
}

/** One `-A` line: parts in order of appearance. */
interface Part {
  readonly kind: 'match' | 'target' | 'jump' | 'goto'
  readonly name: string
  readonly extension: LoadedExtension | undefined
  readonly options: GivenOption[]
  readonly from: number
  to: number
}

interface Parsed {
  readonly statements: readonly Statement[]
  readonly comment: string | undefined
  readonly problems: readonly ParseProblem[]
}

/**
 * A rule of an iptables-save file. Its words are taken apart when somebody first asks for them: reading a file with 100,000
 * rules to trace one packet needs few of them.
 */
export class SavedRule implements Rule {
  readonly handle: undefined
  readonly #scope: TableScope
  readonly #source: string
  readonly #start: number
  readonly #end: number
  readonly #file: string
  readonly #line: number
  readonly #counters: readonly [packets: number, bytes: number] | undefined
  #parsed: Parsed | undefined

  /** `start` and `end` enclose the line from `-A` on, without counters. */
  constructor(
    scope: TableScope,
    source: string,
    start: number,
    end: number,
    file: string,
    line: number,
    counters: readonly [packets: number, bytes: number] | undefined,
  ) {
    this.#scope = scope
    this.#source = source
    this.#start = start
    this.#end = end
    this.#file = file
    this.#line = line
    this.#counters = counters
  }

  get position(): Position {
    return { file: this.#file, line: this.#line }
  }

  get text(): string {
    return this.#source.slice(this.#start, this.#end)
  }

  get statements(): readonly Statement[] {
    return this.#parse().statements
  }

  get comment(): string | undefined {
    return this.#parse().comment
  }

  /** What is not understood is asked of every rule of a file, and then few of them are evaluated: statements are not kept. */
  get problems(): readonly ParseProblem[] {
    return (this.#parsed ?? this.#read()).problems
  }

  #parse(): Parsed {
    this.#parsed ??= this.#read()
    return this.#parsed
  }

  #read(): Parsed {
    const { words, quoted, unterminated } = splitWords(this.#source, this.#start, this.#end)
    const reader = new RuleReader(words, quoted, this.#scope, this.#counters)
    if (unterminated) reader.reasons.push('unterminated quote')
    // `-I CHAIN number`: the number says where, not what.
    reader.read(/^\d+$/.test(words[2] ?? '') ? 3 : 2)
    const problems =
      reader.reasons.length === 0
        ? NO_PROBLEMS
        : reader.reasons.map((reason) => ({ position: this.position, reason, text: this.text }))
    const lost: readonly Statement[] = unterminated
      ? [{ kind: 'unknown-action', name: 'after an open quote', text: this.text }]
      : []
    return { statements: [...reader.statements, ...lost], comment: reader.comment, problems }
  }
}

const NO_PROBLEMS: readonly ParseProblem[] = []

/** The words are put together only for the few extensions that keep them. */
class PartContext implements ExtensionContext {
  readonly family: Family
  readonly #part: Part
  readonly #words: readonly string[]

  constructor(family: Family, part: Part, words: readonly string[]) {
    this.family = family
    this.#part = part
    this.#words = words
  }

  get name(): string {
    return this.#part.name
  }

  get text(): string {
    return this.#words.slice(this.#part.from, this.#part.to).join(' ')
  }
}

/** Reads the words of one rule. */
class RuleReader {
  readonly statements: Statement[] = []
  readonly reasons: string[] = []
  comment: string | undefined
  readonly #words: readonly string[]
  readonly #quoted: ReadonlySet<number>
  readonly #scope: TableScope
  readonly #counters: readonly [packets: number, bytes: number] | undefined
  readonly #parts: Part[] = []
  #protocol: string | undefined

  constructor(
    words: readonly string[],
    quoted: ReadonlySet<number>,
    scope: TableScope,
    counters: readonly [packets: number, bytes: number] | undefined,
  ) {
    this.#words = words
    this.#quoted = quoted
    this.#scope = scope
    this.#counters = counters
  }

  /** From the first word after the chain's name. */
  read(start: number): void {
    let at = start
    let negated = false
    while (at < this.#words.length) {
      if (this.#words[at] === '!' && !this.#quoted.has(at)) {
        negated = true
        at++
        continue
      }
      at = this.#option(at, negated)
      negated = false
    }
    for (const part of this.#parts) if (part.kind === 'match') this.#build(part)
    if (this.#counters) this.statements.push({ kind: 'counter', packets: this.#counters[0], bytes: this.#counters[1] })
    for (const part of this.#parts) if (part.kind !== 'match') this.#build(part)
  }

  /** Reads the option at this word and returns where the next one begins. */
  #option(at: number, negated: boolean): number {
    const word = this.#words[at] ?? ''
    switch (word) {
      case '-m':
      case '--match':
        return this.#startPart('match', MATCHES, at)
      case '-j':
      case '--jump':
        return this.#startPart('target', TARGETS, at)
      case '-g':
      case '--goto':
        return this.#startPart('goto', undefined, at)
      case '-f':
      case '--fragment':
        this.statements.push(fragmentMatch(negated))
        return at + 1
      case '-4':
      case '-6':
      case '--ipv4':
      case '--ipv6':
        return at + 1
      case '-c':
      case '--set-counters':
        return at + 3
    }
    // An opaque match may have options that are spelled like the header's.
    const last = this.#parts.at(-1)
    const header = last && !last.extension && word.startsWith('--') ? undefined : HEADER_OPTIONS.get(word)
    if (header && !(word.startsWith('--') && last?.extension?.arity.has(word))) {
      return this.#headerOption(header, at, negated)
    }
    return this.#extensionOption(word, at, negated)
  }

  #startPart(
    kind: 'match' | 'target' | 'goto',
    extensions: ReadonlyMap<string, LoadedExtension> | undefined,
    at: number,
  ): number {
    const name = this.#words[at + 1]
    if (name === undefined) {
      this.reasons.push(`${this.#words[at]} without a name`)
      return at + 1
    }
    const isChain = kind === 'goto' || (kind === 'target' && this.#scope.hasChain(name))
    this.#parts.push({
      kind: isChain && kind === 'target' ? 'jump' : kind,
      name,
      extension: isChain ? undefined : extensions?.get(name),
      options: [],
      from: at,
      to: at + 2,
    })
    return at + 2
  }

  #headerOption(name: string, at: number, negated: boolean): number {
    const inner = this.#words[at + 1] === '!' && !this.#quoted.has(at + 1) ? 1 : 0
    const value = this.#words[at + 1 + inner]
    if (value === undefined) {
      this.reasons.push(`${name} without a value`)
      this.#unknownMatch(name, at, at + 1)
      return at + 1
    }
    if (name === '-p') this.#protocol = value
    const option = { name, negated: negated || inner === 1, values: [value] }
    try {
      const match = headerMatch(option, this.#scope.family)
      if (match) this.statements.push(match)
    } catch (error) {
      this.#refuse(error)
      this.#unknownMatch(name, at, at + 2 + inner)
    }
    return at + 2 + inner
  }

  #extensionOption(word: string, at: number, negated: boolean): number {
    const part = this.#partFor(word)
    if (!part) {
      this.reasons.push(word.startsWith('-') ? `unknown option ${word}` : `unexpected "${word}"`)
      this.#unknownMatch(word, at, at + 1)
      return at + 1
    }
    const arity = part.extension?.arity.get(word)
    if (arity === undefined) {
      // Of a match or target nobody knows: its words are kept, not read.
      part.to = at + 1
      return at + 1
    }
    const inner = arity > 0 && this.#words[at + 1] === '!' && !this.#quoted.has(at + 1) ? 1 : 0
    const end = at + 1 + inner + arity
    if (end > this.#words.length) {
      this.reasons.push(`${word} without a value`)
      this.#unknownMatch(word, at, this.#words.length)
      return this.#words.length
    }
    part.options.push({ name: word, negated: negated || inner === 1, values: this.#words.slice(at + 1 + inner, end) })
    if (end > part.to) part.to = end
    return end
  }

  /** The match or target that takes this option: the latest one that knows it, else one implied by the protocol. */
  #partFor(word: string): Part | undefined {
    const last = this.#parts.at(-1)
    if (last && !last.extension && (last.kind === 'match' || last.kind === 'target')) return last
    if (!word.startsWith('-')) return undefined
    for (let i = this.#parts.length - 1; i >= 0; i--) {
      const part = this.#parts[i]
      if (part?.extension?.arity.has(word)) return part
    }
    const implied = this.#protocol === undefined ? undefined : MATCHES.get(this.#protocol)
    if (!implied?.arity.has(word)) return undefined
    const part: Part = { kind: 'match', name: this.#protocol ?? '', extension: implied, options: [], from: 0, to: 0 }
    this.#parts.unshift(part)
    return part
  }

  #build(part: Part): void {
    if (part.kind === 'jump' || part.kind === 'goto') {
      this.#jump(part.kind, part.name)
      return
    }
    if (part.name === 'comment' && part.kind === 'match') {
      this.comment = part.options[0]?.values[0]
      return
    }
    if (!part.extension) {
      this.#opaque(part)
      return
    }
    try {
      for (const statement of part.extension.build(part.options, new PartContext(this.#scope.family, part, this.#words)))
        this.statements.push(statement)
    } catch (error) {
      this.#refuse(error)
      this.statements.push({
        kind: part.kind === 'match' ? 'unknown-match' : 'unknown-action',
        name: part.name,
        text: this.#text(part),
      })
    }
  }

  #text({ from, to }: Part): string {
    return this.#words.slice(from, to).join(' ')
  }

  #jump(kind: 'jump' | 'goto', chain: string): void {
    if (!this.#scope.hasChain(chain)) this.reasons.push(`no chain "${chain}" in this table`)
    this.statements.push({ kind: 'verdict', verdict: { kind, chain } })
  }

  #opaque(part: Part): void {
    const text = this.#text(part)
    if (part.kind === 'target') {
      this.reasons.push(`no chain or known target "${part.name}"`)
      this.statements.push({ kind: 'unknown-action', name: part.name, text })
    } else if (RATE_MATCHES.has(part.name)) {
      this.statements.push({ kind: 'rate', name: part.name, text })
    } else {
      if (!OPAQUE_MATCHES.has(part.name)) this.reasons.push(`unknown match "${part.name}"`)
      this.#unknownMatch(part.name, part.from, part.to)
    }
  }

  #unknownMatch(name: string, from: number, to: number): void {
    this.statements.push({ kind: 'unknown-match', name, text: this.#words.slice(from, to).join(' ') })
  }

  #refuse(error: unknown): void {
    if (!(error instanceof OptionError)) throw error
    this.reasons.push(error.message)
  }
}
