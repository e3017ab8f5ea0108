// SPDX-License-Identifier: Apache-2.0

import type { Expr, MatchOp, Stmt } from './ast.ts'
import {
  acceptSymbol,
  acceptWord,
  constantWord,
  describe,
  expectNumber,
  expectSymbol,
  expectWord,
  fail,
  isSymbol,
  isWord,
  parseExpression,
  parseSetOrReference,
  parseValue,
  skipNewlines,
  verdictAhead,
} from './grammar-expression.ts'
import { parseNat, parseTproxy } from './grammar-nat.ts'
import type { Lexer } from './lexer.ts'
import { duration, isBitmask } from './types.ts'
import { partType } from './typing.ts'

/** Statements of the nft language, as `nft list` writes them (nft(8), STATEMENTS). */
export function parseStatement(lexer: Lexer): Stmt {
  const token = lexer.peek()
  if (token.kind === 'word') {
    const reader = Object.hasOwn(READERS, token.text) ? READERS[token.text] : undefined
    if (reader !== undefined) {
      lexer.next()
      return reader(lexer, token.text)
    }
    const verdict = verdictAhead(lexer)
    if (verdict !== undefined) return { kind: 'verdict', verdict }
  }
  return isWord(lexer, 'ct') ? parseConntrack(lexer) : parseExpressionStatement(lexer, expression(lexer))
}

export function expression(lexer: Lexer): Expr {
  return parseExpression(lexer, parseStatement)
}

/** A match, an assignment or a verdict map, by what follows the expression. */
function parseExpressionStatement(lexer: Lexer, left: Expr): Stmt {
  if (left.kind === 'constant' || left.kind === 'set-reference') fail(`"${constantText(left)}" begins no statement known here`)
  if (acceptWord(lexer, 'vmap')) return { kind: 'vmap', key: left, data: parseSetOrReference(lexer, parseStatement) }
  if (acceptWord(lexer, 'set')) return { kind: 'mangle', key: left, value: assignedValue(lexer) }
  return parseMatch(lexer, left)
}

function constantText(expr: Expr): string {
  return expr.kind === 'constant' ? String(expr.value) : expr.kind === 'set-reference' ? `@${expr.name}` : expr.kind
}

function assignedValue(lexer: Lexer): Expr {
  const first = expression(lexer)
  if (!isSymbol(lexer, ',')) return first
  const items = [first]
  while (acceptSymbol(lexer, ',')) items.push(constantWord(expectWord(lexer)))
  return { kind: 'list', items }
}

const OPERATORS = new Set(['==', '!=', '<', '>', '<=', '>=', '!'])

function parseMatch(lexer: Lexer, left: Expr): Stmt {
  const token = lexer.peek()
  const op = token.kind === 'symbol' && OPERATORS.has(token.text) ? (lexer.next().text as MatchOp) : undefined
  const right = parseValue(lexer, parseStatement)
  if (acceptWord(lexer, '/')) {
    const mask = parseValue(lexer, parseStatement)
    return { kind: 'match', op: op ?? '==', left: { kind: 'binary', op: '&', left, right: mask }, right }
  }
  return { kind: 'match', op: op ?? implicitOp(left, right), left, right }
}

/** Without an operator, flag types are tested bit by bit; a value joined by `|` is compared as a whole. */
function implicitOp(left: Expr, right: Expr): MatchOp {
  const flags = (right.kind === 'constant' || right.kind === 'list') && left.kind !== 'binary' && isBitmask(partType(left))
  return flags ? 'in' : '=='
}

type Reader = (lexer: Lexer, word: string) => Stmt

const READERS: Readonly<Record<string, Reader>> = {
  counter: (lexer) => {
    if (acceptWord(lexer, 'name')) return { kind: 'object', type: 'counter', name: objectName(lexer) }
    const packets = acceptWord(lexer, 'packets') ? expectNumber(lexer) : 0
    const bytes = acceptWord(lexer, 'bytes') ? expectNumber(lexer) : 0
    return { kind: 'counter', packets, bytes }
  },
  limit: parseLimit,
  quota: parseQuota,
  last: (lexer) => {
    if (acceptWord(lexer, 'used')) expectWord(lexer)
    return { kind: 'last' }
  },
  log: parseLog,
  reject: parseReject,
  snat: nat,
  dnat: nat,
  masquerade: nat,
  redirect: nat,
  tproxy: (lexer) => parseTproxy(lexer, expression),
  notrack: () => ({ kind: 'notrack' }),
  queue: parseQueue,
  dup: (lexer) => {
    if (!acceptWord(lexer, 'to')) return { kind: 'dup' }
    const to = expression(lexer)
    return acceptWord(lexer, 'device') ? { kind: 'dup', address: to, device: expression(lexer) } : { kind: 'dup', address: to }
  },
  fwd: (lexer) => {
    const family = acceptWord(lexer, 'ip') ? 'ip' : acceptWord(lexer, 'ip6') ? 'ip6' : undefined
    if (!acceptWord(lexer, 'to')) fail(`"to" was expected, not ${describe(lexer.peek())}`)
    const to = expression(lexer)
    if (family === undefined) return { kind: 'fwd', device: to }
    if (!acceptWord(lexer, 'device')) fail(`"device" was expected, not ${describe(lexer.peek())}`)
    return { kind: 'fwd', family, address: to, device: expression(lexer) }
  },
  flow: (lexer) => {
    expectWord(lexer)
    return { kind: 'flow', flowtable: expectWord(lexer).replace(/^@/, '') }
  },
  add: setUpdate,
  update: setUpdate,
  delete: setUpdate,
  meter: (lexer) => lexer.nested(() => parseMeter(lexer)),
  synproxy: (lexer) => {
    if (acceptWord(lexer, 'name')) return { kind: 'object', type: 'synproxy', name: objectName(lexer) }
    const mss = acceptWord(lexer, 'mss') ? [`mss ${expectNumber(lexer)}`] : []
    const scale = acceptWord(lexer, 'wscale') ? [`wscale ${expectNumber(lexer)}`] : []
    const flags = ['timestamp', 'sack-perm'].filter((flag) => acceptWord(lexer, flag))
    return { kind: 'synproxy', text: ['synproxy', ...mss, ...scale, ...flags].join(' ') }
  },
  reset: (lexer) => ({ kind: 'reset', key: expression(lexer) }),
  xt: (lexer) => ({ kind: 'xt', type: expectWord(lexer), name: expectWord(lexer) }),
  secmark: (lexer) => {
    if (!acceptWord(lexer, 'name')) fail('"name" was expected')
    return { kind: 'object', type: 'secmark', name: objectName(lexer) }
  },
}

function nat(lexer: Lexer, word: string): Stmt {
  return parseNat(lexer, word, expression)
}

/** `"x"`, `x`, or `key map { … }`. */
function objectName(lexer: Lexer): Expr {
  return expression(lexer)
}

const CT_OBJECTS = new Set(['helper', 'timeout', 'expectation'])

function parseConntrack(lexer: Lexer): Stmt {
  const { start, line } = lexer.next()
  if (acceptWord(lexer, 'count')) {
    const over = acceptWord(lexer, 'over')
    return { kind: 'ct-count', count: expectNumber(lexer), over }
  }
  const { text } = lexer.peek()
  if (CT_OBJECTS.has(text)) {
    lexer.next()
    if (acceptWord(lexer, 'set')) return { kind: 'object', type: `ct ${text}`, name: objectName(lexer) }
  }
  lexer.seek(start, line)
  return parseExpressionStatement(lexer, expression(lexer))
}

const RATE = /^(\d+)\/(\w+)$/

function parseLimit(lexer: Lexer): Stmt {
  if (acceptWord(lexer, 'name')) return { kind: 'object', type: 'limit', name: objectName(lexer) }
  if (!acceptWord(lexer, 'rate')) fail(`"rate" was expected, not ${describe(lexer.peek())}`)
  const over = acceptWord(lexer, 'over')
  const first = expectWord(lexer)
  const packets = RATE.exec(first)
  const bytes = packets === null ? /^(\w+)\/(\w+)$/.exec(expectWord(lexer)) : null
  const rate = Number(packets?.[1] ?? first)
  const per = packets?.[2] ?? bytes?.[2]
  if (per === undefined || !Number.isFinite(rate)) fail(`"${first}" is not a rate`)
  const unit = bytes?.[1] ?? 'packets'
  const burst = acceptWord(lexer, 'burst')
    ? { burst: expectNumber(lexer), burstUnit: expectWord(lexer) }
    : { burst: unit === 'packets' ? 5 : 0, burstUnit: unit === 'packets' ? 'packets' : 'bytes' }
  return { kind: 'limit', rate, unit, per, over, ...burst }
}

export const BYTE_UNITS: Readonly<Record<string, number>> = { bytes: 1, kbytes: 1024, mbytes: 1024 * 1024 }

function parseQuota(lexer: Lexer): Stmt {
  if (acceptWord(lexer, 'name')) return { kind: 'object', type: 'quota', name: objectName(lexer) }
  const over = acceptWord(lexer, 'over')
  acceptWord(lexer, 'until')
  const bytes = byteAmount(lexer)
  if (acceptWord(lexer, 'used')) byteAmount(lexer)
  return { kind: 'quota', bytes, over }
}

function byteAmount(lexer: Lexer): number {
  const amount = expectNumber(lexer)
  const unit = expectWord(lexer)
  return amount * (BYTE_UNITS[unit] ?? fail(`"${unit}" is not a unit of bytes`))
}

function parseLog(lexer: Lexer): Stmt {
  const options: { prefix?: string; group?: number; level?: string; snaplen?: number; threshold?: number } = {}
  const flags: string[] = []
  for (;;) {
    if (acceptWord(lexer, 'prefix')) options.prefix = expectWord(lexer)
    else if (acceptWord(lexer, 'group')) options.group = expectNumber(lexer)
    else if (acceptWord(lexer, 'level')) options.level = expectWord(lexer)
    else if (acceptWord(lexer, 'snaplen')) options.snaplen = expectNumber(lexer)
    else if (acceptWord(lexer, 'queue-threshold')) options.threshold = expectNumber(lexer)
    else if (acceptWord(lexer, 'flags')) flags.push(...logFlags(lexer))
    else return { kind: 'log', ...options, flags }
  }
}

/** "all", "skuid", "ether", "ip options", "tcp sequence,options". */
function logFlags(lexer: Lexer): string[] {
  const word = expectWord(lexer)
  if (word !== 'tcp' && word !== 'ip') return [word]
  const flags = [`${word} ${expectWord(lexer)}`]
  while (acceptSymbol(lexer, ',')) flags.push(`${word} ${expectWord(lexer)}`)
  return flags
}

function parseReject(lexer: Lexer): Stmt {
  if (!acceptWord(lexer, 'with')) return { kind: 'reject' }
  const type = expectWord(lexer)
  if (type === 'tcp') {
    expectWord(lexer)
    return { kind: 'reject', type: 'tcp reset' }
  }
  acceptWord(lexer, 'type')
  return { kind: 'reject', type, code: { kind: 'constant', value: expectWord(lexer) } }
}

function parseQueue(lexer: Lexer): Stmt {
  const flags: string[] = []
  const readFlags = () => {
    do flags.push(expectWord(lexer))
    while (acceptSymbol(lexer, ','))
  }
  if (acceptWord(lexer, 'flags')) readFlags()
  const numbered = acceptWord(lexer, 'to') || acceptWord(lexer, 'num')
  const number = numbered ? expression(lexer) : undefined
  // nft before 1.0 put the flags last.
  while (isWord(lexer, 'bypass') || isWord(lexer, 'fanout')) {
    readFlags()
    acceptSymbol(lexer, ',')
  }
  return { kind: 'queue', flags, ...(number !== undefined && { number }) }
}

function setUpdate(lexer: Lexer, op: string): Stmt {
  return lexer.nested(() => parseSetUpdate(lexer, op))
}

/** `add @s { ip saddr . tcp dport timeout 5s limit rate 10/second }`, and with `: data` for maps. */
function parseSetUpdate(lexer: Lexer, op: string): Stmt {
  const name = expectWord(lexer)
  if (!name.startsWith('@')) fail(`"@" and a set's name were expected, not "${name}"`)
  expectSymbol(lexer, '{')
  const statements: Stmt[] = []
  skipNewlines(lexer)
  const key = expression(lexer)
  let timeout = readUpdateAttributes(lexer, statements)
  const data = acceptWord(lexer, ':') ? expression(lexer) : undefined
  timeout ??= readUpdateAttributes(lexer, statements)
  skipNewlines(lexer)
  expectSymbol(lexer, '}')
  return {
    kind: 'set-update',
    op,
    set: name.slice(1),
    key,
    ...(data !== undefined && { data }),
    ...(timeout !== undefined && { timeout }),
    statements,
  }
}

function readUpdateAttributes(lexer: Lexer, statements: Stmt[]): number | undefined {
  let timeout: number | undefined
  for (let token = lexer.peek(); token.kind === 'word' && token.text !== ':'; token = lexer.peek()) {
    if (token.text === 'timeout' || token.text === 'expires') {
      lexer.next()
      const seconds = duration(expectWord(lexer))
      if (token.text === 'timeout') timeout = seconds
    } else if (token.text === 'comment') {
      lexer.next()
      expectWord(lexer)
    } else statements.push(parseStatement(lexer))
  }
  return timeout
}

/** `meter name size 65535 { ip saddr limit rate 10/second }`. */
function parseMeter(lexer: Lexer): Stmt {
  const name = expectWord(lexer)
  const size = acceptWord(lexer, 'size') ? expectNumber(lexer) : undefined
  expectSymbol(lexer, '{')
  const key = expression(lexer)
  const statements: Stmt[] = []
  readUpdateAttributes(lexer, statements)
  expectSymbol(lexer, '}')
  const [statement] = statements
  if (statement === undefined) fail('a meter without a statement')
  return { kind: 'meter', name, key, ...(size !== undefined && { size }), statement }
}
