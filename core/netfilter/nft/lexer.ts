// SPDX-License-Identifier: Apache-2.0

import { NftSyntaxError } from './ast.ts'

export type TokenKind = 'word' | 'string' | 'symbol' | 'newline' | 'end'

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  readonly line: number
  /** Offsets into the source: the whole token, quotes included. */
  readonly start: number
  readonly end: number
  /** Of a newline: the comment that stood before it, without "#". */
  readonly comment: string
}

/** Real rules nest three or four deep. */
const MAX_DEPTH = 40

const TAB = 9
const NEWLINE = 10
const RETURN = 13
const SPACE = 32
const QUOTE = 34
const HASH = 35
const BACKSLASH = 92

/** One for characters that stand alone: { } ( ) , ; = < > ! | & ^ */
const SYMBOLS = table('{}(),;=<>!|&^')
const WORD_ENDS = table('{}(),;=<>!|&^ \t\r\n"')

/** nft 1.0 says this after a constant whose type it lost (`ct original proto-dst { 80 }`). */
export const UNTYPED = ' [invalid type]'

function table(characters: string): Uint8Array {
  const result = new Uint8Array(128)
  for (const character of characters) result[character.charCodeAt(0)] = 1
  return result
}

/**
 * Tokens of `nft list` output, one ahead. Words are as generous as nft's own: "10.0.0.1:80", "80-90", "@set", "eth0/x",
 * "10.0.0.0/8". Newlines are tokens because they end rules.
 */
export class Lexer {
  readonly source: string
  private position = 0
  private line = 1
  private ahead: Token | undefined
  private depth = 0

  constructor(source: string) {
    this.source = source
  }

  peek(): Token {
    this.ahead ??= this.scan()
    return this.ahead
  }

  next(): Token {
    const token = this.peek()
    this.ahead = undefined
    return token
  }

  /** Reads something that may contain itself; hostile nesting is an error and not a full stack. */
  nested<T>(read: () => T): T {
    if (this.depth >= MAX_DEPTH) throw new NftSyntaxError('this is nested too deeply')
    this.depth++
    try {
      return read()
    } finally {
      this.depth--
    }
  }

  /** Continues in the middle of the token ahead, which is a word: ":2222" becomes "2222". */
  splitAhead(length: number): void {
    const token = this.peek()
    this.position = token.start + length
    this.ahead = undefined
  }

  /** Goes to an offset that lies in `line`. */
  seek(position: number, line: number): void {
    this.line = line
    this.position = position
    this.ahead = undefined
  }

  /** The line from an offset on. */
  restOfLine(from: number): string {
    const end = this.source.indexOf('\n', from)
    return this.source.slice(from, end < 0 ? this.source.length : end)
  }

  /** To the next line that holds nothing but a closing brace: the end of a set that can't be read. */
  skipToClosingLine(from: Token): void {
    const closing = /^[ \t]*\}[ \t]*(?:#.*)?$/gm
    closing.lastIndex = from.start
    const position = closing.exec(this.source)?.index ?? this.source.length
    let line = from.line
    for (let i = this.source.indexOf('\n', from.start); i >= 0 && i < position; i = this.source.indexOf('\n', i + 1)) line++
    this.seek(position, line)
  }

  private scan(): Token {
    const { source } = this
    let i = this.position
    let comment = ''
    for (;;) {
      const code = source.charCodeAt(i)
      if (code === SPACE || code === TAB || code === RETURN) i++
      else if (code === BACKSLASH && source.charCodeAt(i + 1) === NEWLINE) {
        this.line++
        i += 2
      } else if (code === HASH) {
        const end = source.indexOf('\n', i)
        comment = source.slice(i + 1, end < 0 ? source.length : end)
        i = end < 0 ? source.length : end
      } else break
    }
    if (i >= source.length) return this.token('end', '', i, i, comment)
    const code = source.charCodeAt(i)
    if (code === NEWLINE) {
      const token = this.token('newline', '\n', i, i + 1, comment)
      this.line++
      return token
    }
    if (code === QUOTE) return this.string(i)
    if (code < 128 && SYMBOLS[code] === 1) return this.symbol(i)
    return this.word(i)
  }

  private word(start: number): Token {
    let end = this.wordEnd(start)
    let text = this.source.slice(start, end)
    while (this.source.startsWith(UNTYPED, end)) {
      const from = end + UNTYPED.length
      end = this.source[from] === '-' ? this.wordEnd(from) : from
      text += this.source.slice(from, end)
    }
    return this.token('word', text, start, end, '')
  }

  private wordEnd(start: number): number {
    const { source } = this
    let end = start + 1
    for (let c = source.charCodeAt(end); end < source.length && (c >= 128 || WORD_ENDS[c] === 0); c = source.charCodeAt(end))
      end++
    return end
  }

  private string(start: number): Token {
    const close = this.source.indexOf('"', start + 1)
    const newline = this.source.indexOf('\n', start)
    if (close < 0 || (newline >= 0 && newline < close)) {
      this.position = newline < 0 ? this.source.length : newline
      throw new NftSyntaxError('a quoted string has no end')
    }
    return this.token('string', this.source.slice(start + 1, close), start, close + 1, '')
  }

  private symbol(start: number): Token {
    const pair = this.source.slice(start, start + 2)
    const length = pair === '==' || pair === '!=' || pair === '<=' || pair === '>=' || pair === '<<' || pair === '>>' ? 2 : 1
    return this.token('symbol', pair.slice(0, length), start, start + length, '')
  }

  private token(kind: TokenKind, text: string, start: number, end: number, comment: string): Token {
    this.position = end
    return { kind, text, line: this.line, start, end, comment }
  }
}
