// SPDX-License-Identifier: Apache-2.0

import type { Expr, Stmt } from './ast.ts'
import { acceptSymbol, acceptWord, constantWord, expectWord, fail, isWord } from './grammar-expression.ts'
import type { Lexer } from './lexer.ts'

export type ExpressionReader = (lexer: Lexer) => Expr

const FLAGS = ['random', 'fully-random', 'persistent', 'netmap']

/** `dnat ip to 10.0.0.1-10.0.0.9:80-90 random,persistent`, `snat ip prefix to …`, `redirect to :2222`, `masquerade`. */
export function parseNat(lexer: Lexer, word: string, expression: ExpressionReader): Stmt {
  const op =
    word === 'snat' || word === 'dnat' || word === 'masquerade' || word === 'redirect' ? word : fail(`not a translation: ${word}`)
  const family = familyWord(lexer)
  const prefix = acceptWord(lexer, 'prefix')
  // Older listings: `dnat ip addr . port to`, `dnat ip interval to`.
  if (acceptWord(lexer, 'addr') && acceptWord(lexer, '.')) expectWord(lexer)
  acceptWord(lexer, 'interval')
  const target = acceptWord(lexer, 'to') ? parseTarget(lexer, expression) : {}
  const flags: string[] = []
  while (lexer.peek().kind === 'word' && FLAGS.includes(lexer.peek().text)) {
    flags.push(lexer.next().text)
    acceptSymbol(lexer, ',')
  }
  return { kind: 'nat', op, ...family, ...target, flags, prefix }
}

export function parseTproxy(lexer: Lexer, expression: ExpressionReader): Stmt {
  const family = familyWord(lexer)
  if (!acceptWord(lexer, 'to')) fail('"to" was expected')
  return { kind: 'tproxy', ...family, ...parseTarget(lexer, expression) }
}

function familyWord(lexer: Lexer): { family?: string } {
  return isWord(lexer, 'ip') || isWord(lexer, 'ip6') ? { family: lexer.next().text } : {}
}

/** `ADDRESS`, `ADDRESS:PORT`, `:PORT`; either may be an expression, and addresses in brackets are IPv6. */
function parseTarget(lexer: Lexer, expression: ExpressionReader): { address?: Expr; port?: Expr } {
  const token = lexer.peek()
  if (token.kind !== 'word') fail('an address or port was expected')
  const { text } = token
  if (text.startsWith(':')) return { port: parsePort(lexer, expression) }
  const length = addressLength(text)
  if (length === 0) {
    const address = expression(lexer)
    return portFollows(lexer) ? { address, port: parsePort(lexer, expression) } : { address }
  }
  lexer.splitAhead(length)
  const address = constantWord(text.slice(0, length).replaceAll(/[[\]]/g, ''))
  return portFollows(lexer) ? { address, port: parsePort(lexer, expression) } : { address }
}

/** Length of the address (or address range) a word begins with; 0: none. */
function addressLength(text: string): number {
  const bracketed = /^\[[^\]]*\](?:-\[[^\]]*\])?/.exec(text)
  if (bracketed !== null) return bracketed[0].length
  const v4 = /^[\d.]+(?:-[\d.]+|\/\d+)?(?=:|$)/.exec(text)
  if (v4?.[0].includes('.')) return v4[0].length
  return /^[0-9a-f:]*:[0-9a-f:.]*(?:-[0-9a-f:.]+|\/\d+)?$/i.test(text) ? text.length : 0
}

function portFollows(lexer: Lexer): boolean {
  const token = lexer.peek()
  return token.kind === 'word' && token.text.startsWith(':')
}

function parsePort(lexer: Lexer, expression: ExpressionReader): Expr {
  lexer.splitAhead(1)
  return expression(lexer)
}
