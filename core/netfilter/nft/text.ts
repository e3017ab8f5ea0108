// SPDX-License-Identifier: Apache-2.0

import type { BaseChain, ParseProblem, Ruleset, TableFamily } from '../ruleset.ts'
import type { HookName } from '../traversal.ts'
import { type Expr, NftSyntaxError, type Stmt } from './ast.ts'
import {
  type ChainDraft,
  mapKind,
  namedPriority,
  namedTypes,
  ruleset,
  type SetDraft,
  setFlags,
  TableBuilder,
  typesOf,
} from './builder.ts'
import {
  acceptSymbol,
  acceptWord,
  describe,
  expectNumber,
  expectSymbol,
  expectWord,
  fail,
  isSymbol,
  isWord,
  parseSet,
  skipNewlines,
} from './grammar-expression.ts'
import { expression, parseStatement } from './grammar-statement.ts'
import { Lexer, type Token } from './lexer.ts'
import type { DataType } from './types.ts'

const FAMILIES = new Set<string>(['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'])

/** Reads `nft list ruleset`, with or without `-a`, `-n`, `-s`, `-S`, `-t`. Lines count from 1; nothing is thrown. */
export function parseNftText(text: string, file: string): Ruleset {
  return new TextParser(text, file).parse()
}

class TextParser {
  private readonly lexer: Lexer
  private readonly file: string
  private readonly problems: ParseProblem[] = []
  private readonly tables = new Map<string, TableBuilder>()

  constructor(text: string, file: string) {
    this.lexer = new Lexer(text)
    this.file = file
  }

  parse(): Ruleset {
    for (let token = this.peek(); token.kind !== 'end'; token = this.peek()) {
      if (token.kind === 'newline' || (token.kind === 'symbol' && token.text === ';')) this.lexer.next()
      else this.guard(() => this.table())
    }
    return ruleset([...this.tables.values()], this.problems)
  }

  /** Runs a reader; what it can't read becomes a problem, and reading goes on after its line. */
  private guard(read: () => void): void {
    const { line, start } = this.peek()
    try {
      read()
    } catch (error) {
      if (!(error instanceof NftSyntaxError)) throw error
      this.report(line, error.message, this.sourceLine(start))
      this.skipLine()
    }
  }

  private report(line: number, reason: string, text: string): void {
    this.problems.push({ position: { file: this.file, line }, reason, text: text.slice(0, 2000) })
  }

  /** The next token; an unreadable one counts as the end of its line. */
  private peek(): Token {
    for (;;) {
      try {
        return this.lexer.peek()
      } catch (error) {
        if (!(error instanceof NftSyntaxError)) throw error
      }
    }
  }

  private sourceLine(start: number): string {
    return this.lexer.restOfLine(start).trim()
  }

  /** To the end of the line. */
  private skipLine(): void {
    for (let token = this.peek(); token.kind !== 'newline' && token.kind !== 'end'; token = this.peek()) this.lexer.next()
  }

  private table(): void {
    const keyword = expectWord(this.lexer)
    if (keyword !== 'table') fail(`"table" was expected, not "${keyword}"`)
    const first = expectWord(this.lexer)
    const named = FAMILIES.has(first) && !isSymbol(this.lexer, '{')
    const family = named ? (first as TableFamily) : 'ip'
    const name = named ? expectWord(this.lexer) : first
    expectSymbol(this.lexer, '{')
    const key = `${family} ${name}`
    const table = this.tables.get(key) ?? new TableBuilder(family, name, this.file, this.problems)
    this.tables.set(key, table)
    this.block(`table ${key}`, () => this.tableItem(table))
  }

  /** Items up to the closing brace; each is guarded by itself. */
  private block(what: string, item: () => void): void {
    const { line } = this.peek()
    for (;;) {
      const token = this.peek()
      if (token.kind === 'end') {
        this.report(token.line, `the text ends inside ${what}, which began on line ${line}`, '')
        return
      }
      if (token.kind === 'newline' || (token.kind === 'symbol' && token.text === ';')) this.lexer.next()
      else if (token.kind === 'symbol' && token.text === '}') {
        this.lexer.next()
        return
      } else this.guard(item)
    }
  }

  private tableItem(table: TableBuilder): void {
    const { line } = this.peek()
    const word = expectWord(this.lexer)
    switch (word) {
      case 'flags':
        table.dormant = this.words().includes('dormant')
        return
      case 'comment':
        expectWord(this.lexer)
        return
      case 'chain':
        this.chain(table, line)
        return
      case 'set':
      case 'map':
      case 'meter':
        this.set(table, word, line)
        return
      case 'flowtable':
      case 'counter':
      case 'quota':
      case 'limit':
      case 'secmark':
      case 'synproxy':
      case 'tunnel':
        expectWord(this.lexer)
        this.ignoredBlock(word)
        return
      case 'ct':
        expectWord(this.lexer)
        expectWord(this.lexer)
        this.ignoredBlock('ct object')
        return
      default:
        fail(`"${word}" is not known in a table`)
    }
  }

  /** Objects whose state no rule's outcome can be told from: counters, quotas, limits, helpers, flowtables. */
  private ignoredBlock(what: string): void {
    expectSymbol(this.lexer, '{')
    let depth = 1
    while (depth > 0) {
      const token = this.peek()
      if (token.kind === 'end') fail(`the text ends inside a ${what}`)
      this.lexer.next()
      if (token.kind === 'symbol') depth += token.text === '{' ? 1 : token.text === '}' ? -1 : 0
    }
  }

  /** "a,b c": words to the end of the line or the semicolon. */
  private words(): string[] {
    const result: string[] = []
    for (let token = this.lexer.peek(); ; token = this.lexer.peek()) {
      if (token.kind === 'word' || token.kind === 'string') result.push(token.text)
      else if (token.kind !== 'symbol' || token.text !== ',') return result
      this.lexer.next()
    }
  }

  private chain(table: TableBuilder, line: number): void {
    const chain = table.chain(expectWord(this.lexer), line)
    expectSymbol(this.lexer, '{')
    this.block(`chain ${chain.name}`, () => this.chainItem(table, chain))
  }

  private chainItem(table: TableBuilder, chain: ChainDraft): void {
    if (chain.rules.length === 0) {
      if (acceptWord(this.lexer, 'type')) {
        chain.base = this.baseChain(table.family)
        return
      }
      if (acceptWord(this.lexer, 'policy')) {
        const policy = expectWord(this.lexer)
        if (chain.base !== undefined) chain.base = { ...chain.base, policy: policy === 'drop' ? 'drop' : 'accept' }
        return
      }
      if (acceptWord(this.lexer, 'comment') || (chain.base !== undefined && acceptWord(this.lexer, 'flags'))) {
        this.words()
        return
      }
    }
    this.rule(chain)
  }

  /** After "type": `filter hook ingress devices = { a, b } priority filter + 5`. */
  private baseChain(family: TableFamily): BaseChain {
    const type = expectWord(this.lexer)
    if (type !== 'filter' && type !== 'nat' && type !== 'route') fail(`"${type}" is not a chain type`)
    if (!acceptWord(this.lexer, 'hook')) fail(`"hook" was expected, not ${describe(this.lexer.peek())}`)
    const hook = expectWord(this.lexer)
    if (!isHook(hook)) fail(`"${hook}" is not a hook`)
    const devices = this.devices()
    if (!acceptWord(this.lexer, 'priority')) fail(`"priority" was expected, not ${describe(this.lexer.peek())}`)
    const priority = this.priority(family)
    return { type, hook, priority, devices, policy: 'accept' }
  }

  private devices(): string[] {
    if (acceptWord(this.lexer, 'device')) return [expectWord(this.lexer)]
    if (!acceptWord(this.lexer, 'devices')) return []
    expectSymbol(this.lexer, '=')
    expectSymbol(this.lexer, '{')
    const names: string[] = []
    for (skipNewlines(this.lexer); !acceptSymbol(this.lexer, '}'); skipNewlines(this.lexer)) {
      names.push(expectWord(this.lexer))
      skipNewlines(this.lexer)
      acceptSymbol(this.lexer, ',')
    }
    return names
  }

  /** "-100", "dstnat", "dstnat + 5", "filter - 1". */
  private priority(family: TableFamily): number {
    const word = expectWord(this.lexer)
    const base = /^-?\d+$/.test(word) ? Number(word) : namedPriority(family, word)
    if (base === undefined) fail(`"${word}" is not a priority`)
    if (acceptWord(this.lexer, '+')) return base + expectNumber(this.lexer)
    return acceptWord(this.lexer, '-') ? base - expectNumber(this.lexer) : base
  }

  private rule(chain: ChainDraft): void {
    const first = this.lexer.peek()
    const statements: Stmt[] = []
    let comment: string | undefined
    let at = first.start
    try {
      for (let token = this.lexer.peek(); !endsRule(token); token = this.lexer.peek()) {
        at = token.start
        if (acceptWord(this.lexer, 'comment')) comment = this.ruleComment()
        else statements.push(parseStatement(this.lexer))
      }
    } catch (error) {
      if (!(error instanceof NftSyntaxError)) throw error
      statements.push({ kind: 'unknown', text: this.sourceLine(at), reason: error.message })
      this.skipLine()
    }
    const end = this.peek()
    if (end.kind === 'end')
      statements.splice(0, statements.length, { kind: 'unknown', text: '', reason: 'the text ends within this rule' })
    const text = this.lexer.source.slice(first.start, end.start)
    const { text: shown, handle } = splitHandle(text, end)
    chain.rules.push({ position: { file: this.file, line: first.line }, text: shown, comment, handle, statements })
  }

  /** nft doesn't escape quotes in comments: to the last quote of the line. */
  private ruleComment(): string {
    const token = this.lexer.next()
    if (token.kind !== 'string') return token.kind === 'word' ? token.text : fail('a comment was expected')
    if (/^\s*(?:[#;}].*)?$/.test(this.lexer.restOfLine(token.end))) return token.text
    const line = this.lexer.restOfLine(token.start)
    const close = line.lastIndexOf('"')
    this.lexer.seek(token.start + close + 1, token.line)
    return line.slice(1, close)
  }

  private set(table: TableBuilder, word: 'set' | 'map' | 'meter', line: number): void {
    const name = expectWord(this.lexer)
    expectSymbol(this.lexer, '{')
    const draft: Writable<SetDraft> & { words: string[]; timeout: boolean } = {
      name,
      kind: word === 'map' ? 'map' : 'set',
      keyTypes: [],
      dataTypes: [],
      flags: [],
      items: [],
      incomplete: false,
      position: { file: this.file, line },
      words: [],
      timeout: false,
    }
    this.block(`${word} ${name}`, () => this.setItem(draft))
    const { words, timeout, ...set } = draft
    table.sets.set(name, { ...set, flags: setFlags(words, timeout) })
  }

  private setItem(draft: Writable<SetDraft> & { words: string[]; timeout: boolean }): void {
    const word = this.lexer.peek().text
    switch (word) {
      case 'type':
        this.lexer.next()
        this.types(draft)
        return
      case 'typeof':
        this.lexer.next()
        this.typeofs(draft)
        return
      case 'flags':
        this.lexer.next()
        draft.words.push(...this.words())
        return
      case 'elements':
        this.lexer.next()
        expectSymbol(this.lexer, '=')
        this.elements(draft)
        return
      case 'timeout':
        draft.timeout = true
        this.words()
        return
      case 'gc-interval':
      case 'size':
      case 'policy':
      case 'auto-merge':
      case 'comment':
        this.words()
        return
      default:
        // What new elements get: counter, limit, quota, ct count.
        parseStatement(this.lexer)
    }
  }

  private elements(draft: Writable<SetDraft>): void {
    const start = this.lexer.peek()
    try {
      parseSet(this.lexer, parseStatement, draft.items)
    } catch (error) {
      if (!(error instanceof NftSyntaxError)) throw error
      draft.incomplete = true
      const { line, start: at } = this.peek()
      this.report(line, error.message, this.sourceLine(at))
      this.lexer.skipToClosingLine(start)
    }
  }

  /** `ipv4_addr . inet_service : verdict`. */
  private types(draft: Writable<SetDraft>): void {
    draft.keyTypes = namedTypes(this.typeNames())
    if (!acceptWord(this.lexer, ':')) return
    acceptWord(this.lexer, 'interval')
    const names = this.typeNames()
    this.data(draft, names.join(' . '), namedTypes(names))
  }

  private typeNames(): string[] {
    const names: string[] = []
    do {
      const name = expectWord(this.lexer)
      names.push(name === 'ct' ? `ct ${expectWord(this.lexer)}` : name)
    } while (acceptWord(this.lexer, '.'))
    return names
  }

  private typeofs(draft: Writable<SetDraft>): void {
    draft.keyTypes = typesOf(this.typeofExpression())
    if (!acceptWord(this.lexer, ':')) return
    acceptWord(this.lexer, 'interval')
    if (isWord(this.lexer, 'verdict')) this.data(draft, expectWord(this.lexer), [])
    else this.data(draft, '', typesOf(this.typeofExpression()))
  }

  private typeofExpression(): Expr {
    return expression(this.lexer)
  }

  private data(draft: Writable<SetDraft>, name: string, types: readonly DataType[]): void {
    draft.kind = mapKind(name)
    draft.dataTypes = draft.kind === 'map' ? types : []
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function isHook(word: string): word is HookName {
  return ['ingress', 'prerouting', 'input', 'forward', 'output', 'postrouting', 'egress'].includes(word)
}

function endsRule(token: Token): boolean {
  return (
    token.kind === 'newline' || token.kind === 'end' || (token.kind === 'symbol' && (token.text === ';' || token.text === '}'))
  )
}

/** The rule without what `-a` adds: "accept # handle 5". */
function splitHandle(text: string, end: Token): { text: string; handle: number | undefined } {
  const match = /^ handle (\d+)/.exec(end.comment)
  const shown = match === null ? text : text.replace(/\s*# handle \d+\s*$/, '')
  return { text: shown.trim(), handle: match === null ? undefined : Number(match[1]) }
}
