// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../net/address.ts'
import { type Prefix, parsePrefix, prefixContains } from '../../net/prefix.ts'
import { FilterError } from '../../text/filterError.ts'
import { didYouMean } from '../../text/suggest.ts'
import type { Cell, MapTable, TableColumn } from './table.ts'

/**
 * Filter expressions over a map's entries: `port=80 and address~10.96`.
 *
 *   expression = term { "or" term } ; term = factor { "and" factor }
 *   factor = "not" factor | "(" expression ")" | FIELD OPERATOR VALUE | VALUE
 *   OPERATOR = "=" | "!=" | "~" | "!~" | "<" | "<=" | ">" | ">="
 *
 * FIELD is a column, `key.` or `value.` in front where both sides have it. A VALUE alone is looked for in all columns. Values with
 * spaces or parentheses stand in double quotes. `=` compares with the value, its text or its name, and takes networks for
 * addresses; `~` looks for a part of either. Upper and lower case are the same.
 */
export type FilterExpression =
  | { readonly kind: 'and' | 'or'; readonly of: readonly FilterExpression[] }
  | { readonly kind: 'not'; readonly of: FilterExpression }
  | {
      readonly kind: 'compare'
      /** Where the field stands. */
      readonly at: number
      readonly field: string
      readonly operator: Operator
      readonly value: string
    }
  | { readonly kind: 'anywhere'; readonly value: string }

export type Operator = '=' | '!=' | '~' | '!~' | '<' | '<=' | '>' | '>='

interface Token {
  readonly at: number
  readonly text: string
  readonly kind: 'word' | 'quoted' | 'operator' | 'parenthesis'
}

const TOKEN = /\s*(?:"((?:[^"\\]|\\.)*)"|(!=|!~|<=|>=|=|~|<|>)|([()])|([^\s()"=~<>!]+))/y
const MAX_DEPTH = 50

/** @throws FilterError */
export function parseFilter(text: string): FilterExpression {
  return new Parser(tokens(text), text.length).parse()
}

function tokens(text: string): readonly Token[] {
  const list: Token[] = []
  const end = text.trimEnd().length
  for (let at = 0; at < end; ) {
    TOKEN.lastIndex = at
    const match = TOKEN.exec(text)
    if (match === null) {
      const here = at + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0)
      throw new FilterError(here, text[here] === '"' ? 'a quote is not closed' : `\`${text[here]}\` is not understood`)
    }
    const [whole, quoted, operator, parenthesis, word] = match
    const start = at + (/^\s*/.exec(whole)?.[0].length ?? 0)
    if (quoted !== undefined) list.push({ at: start, text: quoted.replace(/\\(.)/g, '$1'), kind: 'quoted' })
    else if (operator !== undefined) list.push({ at: start, text: operator, kind: 'operator' })
    else if (parenthesis !== undefined) list.push({ at: start, text: parenthesis, kind: 'parenthesis' })
    else list.push({ at: start, text: word ?? '', kind: 'word' })
    at += whole.length
  }
  return list
}

class Parser {
  readonly #tokens: readonly Token[]
  readonly #end: number
  #next = 0

  constructor(list: readonly Token[], end: number) {
    this.#tokens = list
    this.#end = end
  }

  parse(): FilterExpression {
    const expression = this.#chain('or', 0)
    const rest = this.#tokens[this.#next]
    if (rest !== undefined) throw new FilterError(rest.at, `\`and\` or \`or\` is missing before \`${rest.text}\``)
    return expression
  }

  #chain(kind: 'or' | 'and', depth: number): FilterExpression {
    const operand = () => (kind === 'or' ? this.#chain('and', depth) : this.#factor(depth))
    const first = operand()
    const of = [first]
    while (this.#word(kind)) of.push(operand())
    return of.length === 1 ? first : { kind, of }
  }

  #factor(depth: number): FilterExpression {
    const token = this.#take('a field or a value')
    if (depth > MAX_DEPTH) throw new FilterError(token.at, 'the expression is nested too deeply')
    if (token.kind === 'word' && token.text.toLowerCase() === 'not') return { kind: 'not', of: this.#factor(depth + 1) }
    if (token.kind === 'parenthesis' && token.text === '(') {
      const inner = this.#chain('or', depth + 1)
      const close = this.#take('`)`')
      if (close.text !== ')' || close.kind !== 'parenthesis')
        throw new FilterError(close.at, `\`)\` is missing before \`${close.text}\``)
      return inner
    }
    if (token.kind !== 'word' && token.kind !== 'quoted')
      throw new FilterError(token.at, `a field is missing before \`${token.text}\``)
    const operator = this.#tokens[this.#next]
    if (token.kind === 'quoted' || operator?.kind !== 'operator') return { kind: 'anywhere', value: token.text }
    this.#next++
    const value = this.#take(`a value after \`${operator.text}\``)
    if (value.kind !== 'word' && value.kind !== 'quoted')
      throw new FilterError(value.at, `a value is missing after \`${operator.text}\``)
    return { kind: 'compare', at: token.at, field: token.text, operator: operator.text as Operator, value: value.text }
  }

  #word(text: string): boolean {
    const token = this.#tokens[this.#next]
    if (token?.kind !== 'word' || token.text.toLowerCase() !== text) return false
    this.#next++
    return true
  }

  #take(what: string): Token {
    const token = this.#tokens[this.#next++]
    if (token === undefined) throw new FilterError(this.#end, `${what} is missing at the end`)
    return token
  }
}

/**
 * Makes a test of rows out of an expression.
 * @throws FilterError when the map has no such column.
 */
export function compileFilter(expression: FilterExpression, table: MapTable): (row: number) => boolean {
  switch (expression.kind) {
    case 'and': {
      const tests = expression.of.map((each) => compileFilter(each, table))
      return (row) => tests.every((test) => test(row))
    }
    case 'or': {
      const tests = expression.of.map((each) => compileFilter(each, table))
      return (row) => tests.some((test) => test(row))
    }
    case 'not': {
      const test = compileFilter(expression.of, table)
      return (row) => !test(row)
    }
    case 'anywhere': {
      const part = expression.value.toLowerCase()
      return (row) => table.columns.some((column) => contains(column.cell(row), part))
    }
    case 'compare': {
      const columns = findColumns(expression.field, table, expression.at)
      const test = comparison(expression)
      // "not equal" must hold for every column of that name, the others for any.
      if (expression.operator.startsWith('!')) return (row) => columns.every((column) => test(column.cell(row)))
      return (row) => columns.some((column) => test(column.cell(row)))
    }
  }
}

export function findColumns(field: string, table: MapTable, at = 0): readonly TableColumn[] {
  const wanted = field.toLowerCase()
  const found = table.columns.filter(({ side, name }) => [name, `${side}.${name}`].some((each) => each.toLowerCase() === wanted))
  if (found.length > 0) return found
  const names = [...new Set(table.columns.map(({ name }) => name))]
  throw new FilterError(at, `the map has no field \`${field}\`${didYouMean(field, names)}; it has ${names.join(', ')}`)
}

function comparison({ at, operator, value }: Extract<FilterExpression, { kind: 'compare' }>): (cell: Cell) => boolean {
  const wanted = value.toLowerCase()
  switch (operator) {
    case '=':
      return equality(wanted)
    case '!=': {
      const equal = equality(wanted)
      return (cell) => !equal(cell)
    }
    case '~':
      return (cell) => contains(cell, wanted)
    case '!~':
      return (cell) => !contains(cell, wanted)
    default:
      return order(operator, wanted, at)
  }
}

function equality(wanted: string): (cell: Cell) => boolean {
  const network = wanted.includes('/') ? parsePrefix(wanted) : undefined
  const address = parseAddress(wanted)
  const number = integer(wanted)
  return (cell) =>
    cell.text.toLowerCase() === wanted ||
    cell.name?.toLowerCase() === wanted ||
    (number !== undefined && typeof cell.value !== 'string' && BigInt(cell.value) === number) ||
    (typeof cell.value === 'string' &&
      (network !== undefined || address !== undefined) &&
      isWithin(cell.value, network ?? wanted))
}

function isWithin(text: string, wanted: Prefix | string): boolean {
  const address = parseAddress(text)
  if (address === undefined) return false
  if (typeof wanted !== 'string') return prefixContains(wanted, address)
  const other = parseAddress(wanted)
  return other !== undefined && other.family === address.family && other.value === address.value
}

function order(operator: '<' | '<=' | '>' | '>=', wanted: string, at: number): (cell: Cell) => boolean {
  const limit = integer(wanted)
  if (limit === undefined) throw new FilterError(at, `\`${operator}\` compares numbers, and \`${wanted}\` is none`)
  return ({ value }) => {
    if (typeof value === 'string') return false
    const number = BigInt(value)
    if (number === limit) return operator.endsWith('=')
    return operator.startsWith('<') ? number < limit : number > limit
  }
}

function integer(text: string): bigint | undefined {
  return /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? BigInt(text) : undefined
}

function contains({ text, value, name }: Cell, part: string): boolean {
  return text.toLowerCase().includes(part) || String(value).includes(part) || (name?.toLowerCase().includes(part) ?? false)
}
