// SPDX-License-Identifier: Apache-2.0

import { parsePrefix, prefixContains } from '../../net/prefix.ts'

/** A label as Cilium reads it: `source:key=value`. */
export interface Label {
  readonly source: string
  readonly key: string
  readonly value: string
}

/** Whether a selector chooses what has these labels, each `source:key=value`. */
export type LabelTest = (labels: readonly string[]) => boolean

/**
 * A Kubernetes label selector with Cilium's sources in front of keys (`k8s:app in (web, db), !reserved:host`). A key without a
 * source means any source (pkg/hubble/filters/labels.go).
 *
 * @throws Error that says what was found where something else was expected.
 */
export function labelSelector(text: string): LabelTest {
  const requirements = new Parser(tokensOf(text)).parse()
  return (labels) => {
    const parsed = labels.map(parseLabel).sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    return requirements.every((requirement) => holds(requirement, parsed))
  }
}

function parseLabel(text: string): Label {
  const { source, rest } = sourceOf(text)
  const equals = rest.indexOf('=')
  if (equals < 0) return { source, key: rest, value: '' }
  if (equals === 0 && source === 'reserved') return { source, key: rest.slice(1), value: '' }
  return { source, key: rest.slice(0, equals), value: rest.slice(equals + 1) }
}

function sourceOf(text: string): { readonly source: string; readonly rest: string } {
  if (text.startsWith('$')) return { source: 'reserved', rest: text.slice(1) }
  const colon = text.indexOf(':')
  if (colon >= 0) return { source: text.slice(0, colon) || 'unspec', rest: text.slice(colon + 1) }
  if (text.startsWith(RESERVED)) return { source: 'reserved', rest: text.slice(RESERVED.length) }
  return { source: 'unspec', rest: text }
}

const RESERVED = 'reserved.'

type Operator = '=' | '!=' | 'in' | 'notin' | '>' | '<' | 'exists' | 'absent'

interface Requirement {
  readonly source: string
  readonly key: string
  readonly operator: Operator
  readonly values: readonly string[]
}

function holds({ operator, values, ...wanted }: Requirement, labels: readonly Label[]): boolean {
  const found = labels.find((label) => hasKey(label, wanted))
  switch (operator) {
    case 'exists':
      return found !== undefined
    case 'absent':
      return found === undefined
    case '=':
    case 'in':
      return found !== undefined && values.includes(found.value)
    case '!=':
    case 'notin':
      return found === undefined || !values.includes(found.value)
    default: {
      if (found === undefined || !/^[+-]?\d+$/.test(found.value)) return false
      const [value, limit] = [BigInt(found.value.replace('+', '')), BigInt(values[0] ?? 0)]
      return operator === '>' ? value > limit : value < limit
    }
  }
}

function hasKey(label: Label, wanted: Pick<Requirement, 'source' | 'key'>): boolean {
  if (wanted.source !== 'any' && wanted.source !== label.source) return false
  if (wanted.source !== 'cidr') return label.key === wanted.key
  const [wide, narrow] = [wanted.key, label.key].map((key) => parsePrefix(key.replaceAll('-', ':')))
  return wide !== undefined && narrow !== undefined && wide.bits <= narrow.bits && prefixContains(wide, narrow.address)
}

interface Token {
  readonly text: string
  readonly kind: 'symbol' | 'word'
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  for (const [token] of text.matchAll(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g))
    tokens.push({ text: token, kind: /^[=!<>(),]/.test(token) ? 'symbol' : 'word' })
  return tokens
}

class Parser {
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  parse(): readonly Requirement[] {
    const requirements: Requirement[] = []
    while (this.#next < this.#tokens.length) {
      requirements.push(this.#requirement())
      const behind = this.#take()
      if (behind === undefined) break
      if (behind.text !== ',' || this.#next === this.#tokens.length) throw expected('`,` and another requirement', behind)
    }
    return requirements
  }

  #requirement(): Requirement {
    const not = this.#takeSymbol('!')
    const token = this.#take()
    if (token?.kind !== 'word') throw expected('a key', token)
    const key = keyOf(token.text)
    const next = this.#peek()
    if (not || next === undefined || next.text === ',') return { ...key, operator: not ? 'absent' : 'exists', values: [] }
    const operator = OPERATORS[this.#take()?.text ?? '']
    if (operator === undefined) throw expected('an operator (=, !=, in, notin, >, <)', next)
    const values = operator === 'in' || operator === 'notin' ? this.#list() : [this.#value()]
    if ((operator === '>' || operator === '<') && !/^[+-]?\d+$/.test(values[0] ?? ''))
      throw new Error('`>` and `<` compare with a number')
    for (const value of values) checkValue(value)
    return { ...key, operator, values }
  }

  #value(): string {
    const next = this.#peek()
    if (next === undefined || next.text === ',') return ''
    if (next.kind !== 'word') throw expected('a value', next)
    this.#next++
    return next.text
  }

  /** `(a, b)`; nothing between commas is the empty value. */
  #list(): readonly string[] {
    if (!this.#takeSymbol('(')) throw expected('`(`', this.#peek())
    const values: string[] = []
    for (;;) {
      const next = this.#take()
      if (next?.kind === 'word') {
        values.push(next.text)
        const behind = this.#take()
        if (behind?.text === ')') return values
        if (behind?.text !== ',') throw expected('`,` or `)`', behind)
      } else if (next?.text === ')') return [...values, '']
      else if (next?.text === ',') values.push('')
      else throw expected('a value or `)`', next)
    }
  }

  #takeSymbol(symbol: string): boolean {
    if (this.#peek()?.text !== symbol) return false
    this.#next++
    return true
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next]
  }

  #take(): Token | undefined {
    return this.#tokens[this.#next++]
  }
}

const OPERATORS: Readonly<Record<string, Operator>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  in: 'in',
  notin: 'notin',
  '>': '>',
  '<': '<',
}

/** A colon divides source and key; only the first part of a key may be a source. */
function keyOf(text: string): { readonly source: string; readonly key: string } {
  const dotted = text.includes(':') ? text.replace(':', '.') : `any.${text}`
  if (!/^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(dotted))
    throw new Error(`\`${text}\` is no key of a label`)
  const dot = dotted.indexOf('.')
  if (dot < 0) return { source: 'any', key: dotted }
  const source = dotted.slice(0, dot)
  return { source: source === 'unspec' ? 'any' : source, key: dotted.slice(dot + 1) }
}

function checkValue(value: string): void {
  if (!/^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/.test(value))
    throw new Error(`\`${value}\` is no value of a label`)
}

function expected(what: string, found: Token | undefined): Error {
  return new Error(`${what} is missing ${found === undefined ? 'at the end' : `before \`${found.text}\``}`)
}
