// SPDX-License-Identifier: Apache-2.0

import type { Position } from '../ruleset.ts'
import { mapKind, namedTypes, type SetDraft, setFlags, typesOf } from './builder.ts'
import { acceptWord, expectSymbol, expectWord, isWord, parseSet, readWords } from './grammar-expression.ts'
import { expression, parseStatement } from './grammar-statement.ts'
import type { Lexer } from './lexer.ts'
import type { DataType } from './types.ts'

/** A set or map while its block is read. */
export type SetReading = { -readonly [K in keyof SetDraft]: SetDraft[K] } & { readonly flagWords: string[]; hasTimeout: boolean }

export function newSet(name: string, word: 'set' | 'map' | 'meter', position: Position): SetReading {
  const kind = word === 'map' ? 'map' : 'set'
  const empty = { keyTypes: [], dataTypes: [], flags: [], items: [], incomplete: false, flagWords: [], hasTimeout: false }
  return { name, kind, position, ...empty }
}

export function finishSet({ flagWords, hasTimeout, ...set }: SetReading): SetDraft {
  return { ...set, flags: setFlags(flagWords, hasTimeout) }
}

/** One line of the block: type, flags, elements, or what does not matter for a packet. */
export function readSetItem(lexer: Lexer, set: SetReading): void {
  switch (lexer.peek().text) {
    case 'type':
      lexer.next()
      readTypes(lexer, set)
      return
    case 'typeof':
      lexer.next()
      readTypeofs(lexer, set)
      return
    case 'flags':
      lexer.next()
      set.flagWords.push(...readWords(lexer))
      return
    case 'elements':
      lexer.next()
      expectSymbol(lexer, '=')
      parseSet(lexer, parseStatement, set.items)
      return
    case 'timeout':
      set.hasTimeout = true
      readWords(lexer)
      return
    case 'gc-interval':
    case 'size':
    case 'policy':
    case 'auto-merge':
    case 'comment':
      readWords(lexer)
      return
    default:
      // What new elements get: counter, limit, quota, ct count.
      parseStatement(lexer)
  }
}

/** `ipv4_addr . inet_service : verdict`. */
function readTypes(lexer: Lexer, set: SetReading): void {
  set.keyTypes = namedTypes(readTypeNames(lexer))
  if (!acceptWord(lexer, ':')) return
  acceptWord(lexer, 'interval')
  const names = readTypeNames(lexer)
  setData(set, names.join(' . '), namedTypes(names))
}

function readTypeNames(lexer: Lexer): string[] {
  const names: string[] = []
  do {
    const name = expectWord(lexer)
    names.push(name === 'ct' ? `ct ${expectWord(lexer)}` : name)
  } while (acceptWord(lexer, '.'))
  return names
}

/** `ip daddr . tcp dport : meta mark`. */
function readTypeofs(lexer: Lexer, set: SetReading): void {
  set.keyTypes = typesOf(expression(lexer))
  if (!acceptWord(lexer, ':')) return
  acceptWord(lexer, 'interval')
  if (isWord(lexer, 'verdict')) setData(set, expectWord(lexer), [])
  else setData(set, '', typesOf(expression(lexer)))
}

function setData(set: SetReading, name: string, types: readonly DataType[]): void {
  set.kind = mapKind(name)
  set.dataTypes = set.kind === 'map' ? types : []
}
