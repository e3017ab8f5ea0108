// SPDX-License-Identifier: Apache-2.0

import type { BaseChain, ParseProblem, Ruleset, TableFamily } from '../ruleset.ts'
import type { HookName } from '../traversal.ts'
import { NftSyntaxError, type Stmt } from './ast.ts'
import { type ChainDraft, namedPriority, ruleset, TableBuilder } from './builder.ts'
import {
  acceptSymbol,
  acceptWord,
  describe,
  expectNumber,
  expectSymbol,
  expectWord,
  fail,
  isSymbol,
  readWords,
  skipNewlines,
} from './grammar-expression.ts'
import { parseStatement } from './grammar-statement.ts'
import { Lexer, type Token } from './lexer.ts'
import { finishSet, newSet, readSetItem, type SetReading } from './text-set.ts'

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
      this.skipBlock()
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

  /** To the end of the line; where a block opens there, to the end of the block. */
  private skipBlock(): void {
    let depth = 0
    for (let token = this.peek(); token.kind !== 'end' && (token.kind !== 'newline' || depth > 0); token = this.peek()) {
      if (token.kind === 'symbol' && token.text === '{') depth++
      if (token.kind === 'symbol' && token.text === '}' && --depth < 0) return
      this.lexer.next()
    }
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
        const reason = `the text ends inside ${what}, which began on line ${line}`
        this.problems.push({ position: { file: this.file, line: token.line }, reason, text: '', cutOff: true })
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
        table.dormant = readWords(this.lexer).includes('dormant')
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
        readWords(this.lexer)
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
      statements.push({ kind: 'unknown', text: this.sourceLine(at), reason: error.message, match: false })
      this.skipLine()
    }
    const end = this.peek()
    if (end.kind === 'end')
      statements.splice(0, statements.length, {
        kind: 'unknown',
        text: '',
        reason: 'the text ends within this rule',
        match: false,
      })
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
    const draft = newSet(name, word, { file: this.file, line })
    this.block(`${word} ${name}`, () => this.setItem(draft))
    table.sets.set(name, finishSet(draft))
  }

  private setItem(draft: SetReading): void {
    const start = this.peek()
    try {
      readSetItem(this.lexer, draft)
    } catch (error) {
      if (!(error instanceof NftSyntaxError) || start.text !== 'elements') throw error
      draft.incomplete = true
      const { line, start: at } = this.peek()
      this.report(line, error.message, this.sourceLine(at))
      this.lexer.skipToClosingLine(start)
    }
  }
}

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
