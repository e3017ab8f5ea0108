// SPDX-License-Identifier: Apache-2.0

import { type BinaryOp, type Expr, type ExthdrKind, NftSyntaxError, type SetItem, type Stmt, type VerdictNode } from './ast.ts'
import { BARE_META_KEYS, CT_KEYS, EXTENSION_HEADERS, HEADERS, META_KEYS } from './headers.ts'
import type { Lexer, Token } from './lexer.ts'

/** Expressions of the nft language, as `nft list` writes them (nft(8), PRIMARY EXPRESSIONS and on). */

/** Statements inside set elements (`counter packets 1 bytes 2`, `limit rate …`) are read by grammar-statement.ts. */
export type StatementReader = (lexer: Lexer) => Stmt

const BINARY_WORDS: Readonly<Record<string, BinaryOp>> = { and: '&', or: '|', xor: '^', lshift: '<<', rshift: '>>' }

/** Loosest first, as in nft: `|`, `^`, `&`, shifts. */
const PRECEDENCE: readonly (readonly BinaryOp[])[] = [['|'], ['^'], ['&'], ['<<', '>>']]

/** A flag field has 128 bits at most. */
export const MAX_OPERATORS = 128

const OPTION_HEADERS = new Set(['tcp option', 'ip option', 'sctp chunk', 'dccp option'])

export function fail(reason: string): never {
  throw new NftSyntaxError(reason)
}

export function describe(token: Token): string {
  return token.kind === 'newline' || token.kind === 'end' ? 'the end of the line' : `"${token.text}"`
}

export function expectWord(lexer: Lexer): string {
  const token = lexer.next()
  if (token.kind !== 'word' && token.kind !== 'string') fail(`a word was expected, not ${describe(token)}`)
  return token.text
}

export function expectNumber(lexer: Lexer): number {
  const text = expectWord(lexer)
  const value = Number(text)
  if (text === '' || !Number.isFinite(value)) fail(`a number was expected, not "${text}"`)
  return value
}

export function isWord(lexer: Lexer, text: string): boolean {
  const token = lexer.peek()
  return token.kind === 'word' && token.text === text
}

export function acceptWord(lexer: Lexer, text: string): boolean {
  if (!isWord(lexer, text)) return false
  lexer.next()
  return true
}

export function isSymbol(lexer: Lexer, text: string): boolean {
  const token = lexer.peek()
  return token.kind === 'symbol' && token.text === text
}

export function acceptSymbol(lexer: Lexer, text: string): boolean {
  if (!isSymbol(lexer, text)) return false
  lexer.next()
  return true
}

export function expectSymbol(lexer: Lexer, text: string): void {
  if (!acceptSymbol(lexer, text)) fail(`"${text}" was expected, not ${describe(lexer.peek())}`)
}

/** "a,b c": words to the end of the line or the semicolon. */
export function readWords(lexer: Lexer): string[] {
  const result: string[] = []
  for (let token = lexer.peek(); ; token = lexer.peek()) {
    if (token.kind === 'word' || token.kind === 'string') result.push(token.text)
    else if (token.kind !== 'symbol' || token.text !== ',') return result
    lexer.next()
  }
}

export function skipNewlines(lexer: Lexer): void {
  while (lexer.peek().kind === 'newline') lexer.next()
}

/** `expr . expr`, perhaps looked up in a map. */
export function parseExpression(lexer: Lexer, statements: StatementReader): Expr {
  const key = parseConcat(lexer)
  return acceptWord(lexer, 'map') ? { kind: 'map', key, data: parseSetOrReference(lexer, statements) } : key
}

function parseConcat(lexer: Lexer): Expr {
  const first = parseBinary(lexer, 0)
  if (!isWord(lexer, '.')) return first
  const parts = [first]
  while (acceptWord(lexer, '.')) parts.push(parseBinary(lexer, 0))
  return { kind: 'concat', parts }
}

function parseBinary(lexer: Lexer, level: number): Expr {
  const operators = PRECEDENCE[level]
  if (operators === undefined) return parsePrimary(lexer)
  let left = parseBinary(lexer, level + 1)
  let count = 0
  for (let op = binaryAhead(lexer, operators); op !== undefined; op = binaryAhead(lexer, operators)) {
    lexer.next()
    left = { kind: 'binary', op, left, right: parseBinary(lexer, level + 1) }
    if (++count > MAX_OPERATORS) fail('too many operators in a row')
  }
  return left
}

function binaryAhead(lexer: Lexer, operators: readonly BinaryOp[]): BinaryOp | undefined {
  const token = lexer.peek()
  const op = token.kind === 'symbol' ? token.text : token.kind === 'word' ? BINARY_WORDS[token.text] : undefined
  return operators.find((candidate) => candidate === op)
}

function parsePrimary(lexer: Lexer): Expr {
  const token = lexer.next()
  if (token.kind === 'symbol' && token.text === '(') {
    const inner = lexer.nested(() => parseBinary(lexer, 0))
    expectSymbol(lexer, ')')
    return inner
  }
  if (token.kind === 'string') return { kind: 'constant', value: token.text }
  if (token.kind !== 'word') fail(`an expression was expected, not ${describe(token)}`)
  const primary = Object.hasOwn(PRIMARIES, token.text) ? PRIMARIES[token.text] : undefined
  if (primary !== undefined) return primary(lexer, token.text)
  if (Object.hasOwn(HEADERS, token.text)) return header(lexer, token.text)
  if (BARE_META_KEYS.has(token.text)) return { kind: 'meta', key: token.text }
  if (token.text.startsWith('@')) return rawPayload(lexer, token.text.slice(1))
  return constantWord(token.text)
}

/** "80", "10.0.0.0/8", "80-90", "fe80::1-fe80::9": a range only where both ends look like numbers or addresses. */
export function constantWord(text: string): Expr {
  const dash = text.indexOf('-')
  if (dash > 0 && looksNumeric(text, 0, dash) && looksNumeric(text, dash + 1, text.length)) {
    return { kind: 'range', from: constantWord(text.slice(0, dash)), to: constantWord(text.slice(dash + 1)) }
  }
  const slash = text.indexOf('/')
  if (slash > 0 && /^[0-9a-f.:]+\/\d+$/i.test(text)) {
    return { kind: 'prefix', address: { kind: 'constant', value: text.slice(0, slash) }, bits: Number(text.slice(slash + 1)) }
  }
  return { kind: 'constant', value: text }
}

function looksNumeric(text: string, start: number, end: number): boolean {
  if (start >= end) return false
  const code = text.charCodeAt(start)
  if (code >= 48 && code <= 57) return true
  const colon = text.indexOf(':', start)
  return colon >= 0 && colon < end
}

function header(lexer: Lexer, protocol: string): Expr {
  const field = lexer.peek()
  if (field.kind !== 'word') return { kind: 'constant', value: protocol }
  const option = `${protocol} ${field.text}`
  if (OPTION_HEADERS.has(option)) {
    lexer.next()
    return optionHeader(lexer, option as ExthdrKind)
  }
  if (protocol === 'arp' && (field.text === 'saddr' || field.text === 'daddr')) {
    lexer.next()
    return { kind: 'payload', protocol, field: `${field.text} ${expectWord(lexer)}` }
  }
  if (Object.hasOwn(HEADERS[protocol] ?? {}, field.text)) {
    lexer.next()
    return { kind: 'payload', protocol, field: field.text }
  }
  if ((protocol === 'vxlan' || protocol === 'geneve' || protocol === 'gre' || protocol === 'gretap') && field.text in HEADERS) {
    lexer.next()
    const inner = lexer.nested(() => header(lexer, field.text))
    if (inner.kind === 'payload') return { ...inner, tunnel: protocol }
  }
  // `meta l4proto tcp`: the protocol itself is the constant.
  return { kind: 'constant', value: protocol }
}

function optionHeader(lexer: Lexer, kind: ExthdrKind): Expr {
  const name = expectWord(lexer)
  if (name.startsWith('@')) return { kind: 'exthdr', header: kind, name: `${name},${rawNumber(lexer)},${rawNumber(lexer)}` }
  // `tcp option 253 exists` is one byte at offset 0, as the kernel and JSON have it.
  if (/^\d+$/.test(name)) return { kind: 'exthdr', header: kind, name: kind === 'tcp option' ? `@${name},0,8` : name }
  const field = lexer.peek()
  const fields = OPTION_FIELDS[kind] ?? ''
  if (field.kind !== 'word' || !fields.includes(` ${field.text} `)) return { kind: 'exthdr', header: kind, name }
  lexer.next()
  return { kind: 'exthdr', header: kind, name, field: field.text }
}

const OPTION_FIELDS: Readonly<Record<string, string>> = {
  'tcp option': ' kind length size count left right tsval tsecr subtype ',
  'ip option': ' type length ptr addr value ',
  'sctp chunk':
    ' type flags length tsn stream ssn ppid init-tag a-rwnd num-outbound-streams num-inbound-streams initial-tsn cum-tsn-ack num-gap-ack-blocks num-dup-tsns lowest-tsn seqno new-cum-tsn ',
}

function rawNumber(lexer: Lexer): number {
  expectSymbol(lexer, ',')
  return expectNumber(lexer)
}

function rawPayload(lexer: Lexer, base: string): Expr {
  if (base === 'll' || base === 'nh' || base === 'th' || base === 'ih') {
    return { kind: 'raw', base, offset: rawNumber(lexer), length: rawNumber(lexer) }
  }
  return { kind: 'set-reference', name: base }
}

type Primary = (lexer: Lexer, word: string) => Expr

const PRIMARIES: Readonly<Record<string, Primary>> = {
  meta: (lexer) => {
    const key = expectWord(lexer)
    if (!META_KEYS.has(key)) fail(`"meta ${key}" is not known`)
    return { kind: 'meta', key: key === 'secpath' ? 'ipsec' : key }
  },
  ct: conntrack,
  fib,
  rt: (lexer) => {
    const token = lexer.peek()
    if (token.kind === 'word' && Object.hasOwn(EXTENSION_HEADERS['rt'] ?? {}, token.text)) return extension(lexer, 'rt')
    const word = expectWord(lexer)
    return word === 'ip' || word === 'ip6' ? { kind: 'rt', key: expectWord(lexer), family: word } : { kind: 'rt', key: word }
  },
  hbh: extension,
  dst: extension,
  rt0: extension,
  rt2: extension,
  srh: extension,
  frag: extension,
  mh: extension,
  exthdr: (lexer) => ({ kind: 'exthdr', header: 'exthdr', name: expectWord(lexer) }),
  socket: (lexer) => {
    const key = expectWord(lexer)
    return acceptWord(lexer, 'level') ? { kind: 'socket', key, level: expectNumber(lexer) } : { kind: 'socket', key }
  },
  osf: (lexer) => {
    const ttl = acceptWord(lexer, 'ttl') ? expectWord(lexer) : undefined
    return { kind: 'osf', key: expectWord(lexer), ...(ttl !== undefined && { ttl }) }
  },
  ipsec: (lexer) => {
    const direction = expectWord(lexer)
    const spnum = acceptWord(lexer, 'spnum') ? expectNumber(lexer) : 0
    const word = expectWord(lexer)
    return word === 'ip' || word === 'ip6'
      ? { kind: 'ipsec', direction, spnum, key: expectWord(lexer), family: word }
      : { kind: 'ipsec', direction, spnum, key: word }
  },
  numgen: (lexer) => {
    const mode = expectWord(lexer)
    return { kind: 'numgen', mode, modulus: modulus(lexer), offset: offset(lexer) }
  },
  jhash: (lexer) => {
    const of = lexer.nested(() => parseConcat(lexer))
    const size = modulus(lexer)
    const seed = acceptWord(lexer, 'seed') ? expectNumber(lexer) : undefined
    return { kind: 'hash', algorithm: 'jhash', of, modulus: size, ...(seed !== undefined && { seed }), offset: offset(lexer) }
  },
  symhash: (lexer) => ({ kind: 'hash', algorithm: 'symhash', modulus: modulus(lexer), offset: offset(lexer) }),
  tunnel: (lexer) => ({ kind: 'opaque', text: `tunnel ${expectWord(lexer)}` }),
}

function extension(lexer: Lexer, name: string): Expr {
  const field = expectWord(lexer)
  return { kind: 'exthdr', header: 'exthdr', name, field }
}

function modulus(lexer: Lexer): number {
  if (!acceptWord(lexer, 'mod')) fail(`"mod" was expected, not ${describe(lexer.peek())}`)
  return expectNumber(lexer)
}

function offset(lexer: Lexer): number {
  return acceptWord(lexer, 'offset') ? expectNumber(lexer) : 0
}

function conntrack(lexer: Lexer): Expr {
  let word = expectWord(lexer)
  const direction = word === 'original' || word === 'reply' ? word : undefined
  if (direction !== undefined) word = expectWord(lexer)
  const key = word === 'ip' || word === 'ip6' ? `${word} ${expectWord(lexer)}` : word
  if (!CT_KEYS.has(key)) fail(`"ct ${key}" is not known`)
  return direction === undefined ? { kind: 'ct', key } : { kind: 'ct', key, direction }
}

function fib(lexer: Lexer): Expr {
  const flags = [expectWord(lexer)]
  while (acceptWord(lexer, '.')) flags.push(expectWord(lexer))
  return { kind: 'fib', flags, result: expectWord(lexer) }
}

/** What stands on the right: constants joined by `|`, a comma list, a set, `@name`. */
export function parseValue(lexer: Lexer, statements: StatementReader): Expr {
  if (isSymbol(lexer, '{')) return parseSet(lexer, statements)
  const first = parseConstants(lexer)
  if (!isSymbol(lexer, ',')) return first
  const items = [first]
  while (acceptSymbol(lexer, ',')) items.push(parseConstants(lexer))
  return { kind: 'list', items }
}

/** One constant, or several joined by `|`. */
function parseConstants(lexer: Lexer): Expr {
  let left = parseConstant(lexer)
  for (let count = 0; acceptSymbol(lexer, '|'); count++) {
    if (count > MAX_OPERATORS) fail('too many operators in a row')
    left = { kind: 'binary', op: '|', left, right: parseConstant(lexer) }
  }
  return left
}

function parseConstant(lexer: Lexer): Expr {
  const token = lexer.next()
  if (token.kind === 'symbol' && token.text === '(') {
    const inner = lexer.nested(() => parseConstants(lexer))
    expectSymbol(lexer, ')')
    return inner
  }
  if (token.kind === 'string') return stringConstant(lexer, token.text)
  if (token.kind !== 'word') fail(`a value was expected, not ${describe(token)}`)
  if (token.text.startsWith('@')) return { kind: 'set-reference', name: token.text.slice(1) }
  if (token.text === 'exists' || token.text === 'missing') return { kind: 'constant', value: token.text === 'exists' }
  return constantWord(token.text)
}

/** Strings make ranges of times: "17:00"-"19:00". */
function stringConstant(lexer: Lexer, text: string): Expr {
  if (!acceptWord(lexer, '-')) return { kind: 'constant', value: text }
  const to = lexer.next()
  if (to.kind !== 'string') fail(`a string was expected, not ${describe(to)}`)
  return { kind: 'range', from: { kind: 'constant', value: text }, to: { kind: 'constant', value: to.text } }
}

export function parseSetOrReference(lexer: Lexer, statements: StatementReader): Expr {
  if (isSymbol(lexer, '{')) return parseSet(lexer, statements)
  const name = expectWord(lexer)
  return name.startsWith('@')
    ? { kind: 'set-reference', name: name.slice(1) }
    : fail(`"@" and a name were expected, not "${name}"`)
}

/** `{ element, … }`, over any number of lines. What was read before an error is in `elements`. */
export function parseSet(lexer: Lexer, statements: StatementReader, elements: SetItem[] = []): Expr & { kind: 'set' } {
  expectSymbol(lexer, '{')
  for (;;) {
    skipNewlines(lexer)
    if (acceptSymbol(lexer, '}')) break
    elements.push(lexer.nested(() => parseElement(lexer, statements)))
    skipNewlines(lexer)
    if (acceptSymbol(lexer, ',')) continue
    expectSymbol(lexer, '}')
    break
  }
  return { kind: 'set', elements }
}

function parseElement(lexer: Lexer, statements: StatementReader): SetItem {
  const { line } = lexer.peek()
  const key = parseKey(lexer)
  const attributes: { comment?: string; readonly statements: Stmt[] } = { statements: [] }
  readAttributes(lexer, statements, attributes)
  if (!acceptWord(lexer, ':')) return { key, line, ...attributes }
  const verdict = verdictAhead(lexer)
  const data = verdict === undefined ? parseKey(lexer) : undefined
  readAttributes(lexer, statements, attributes)
  return { key, line, ...(data !== undefined && { data }), ...(verdict !== undefined && { verdict }), ...attributes }
}

function parseKey(lexer: Lexer): Expr {
  const parts = [parseConstants(lexer)]
  while (acceptWord(lexer, '.')) parts.push(parseConstants(lexer))
  const [first] = parts
  return parts.length === 1 && first !== undefined ? first : { kind: 'concat', parts }
}

function readAttributes(
  lexer: Lexer,
  statements: StatementReader,
  attributes: { comment?: string; readonly statements: Stmt[] },
): void {
  for (let token = lexer.peek(); token.kind === 'word' && token.text !== ':'; token = lexer.peek()) {
    if (token.text === 'timeout' || token.text === 'expires') {
      lexer.next()
      expectWord(lexer)
    } else if (token.text === 'comment') {
      lexer.next()
      attributes.comment = expectWord(lexer)
    } else attributes.statements.push(statements(lexer))
  }
}

const VERDICTS = new Set(['accept', 'drop', 'continue', 'return', 'queue', 'jump', 'goto'])

/** A verdict, taken if one is ahead. */
export function verdictAhead(lexer: Lexer): VerdictNode | undefined {
  const token = lexer.peek()
  if (token.kind !== 'word' || !VERDICTS.has(token.text)) return undefined
  lexer.next()
  const kind = token.text as VerdictNode['kind']
  return kind === 'jump' || kind === 'goto' ? { kind, target: expectWord(lexer) } : { kind }
}
