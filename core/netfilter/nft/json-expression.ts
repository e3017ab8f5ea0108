// SPDX-License-Identifier: Apache-2.0

import { type BinaryOp, type Expr, type ExthdrKind, NftSyntaxError, type SetItem, type VerdictNode } from './ast.ts'
import { type JsonObject, isObject, numberIn, only, optionalNumber, optionalString, stringIn, words } from './json-value.ts'
import { MAX_OPERATORS } from './grammar-expression.ts'
import { readElementStatements } from './json-statement.ts'
import { UNTYPED } from './lexer.ts'

/** Expressions of libnftables-json(5). Throws NftSyntaxError for what has another shape. */
export function readExpression(json: unknown): Expr {
  if (typeof json === 'string') return readString(json)
  if (typeof json === 'number' || typeof json === 'boolean') return { kind: 'constant', value: json }
  if (Array.isArray(json)) return { kind: 'list', items: json.map(readExpression) }
  const [name, body] = only(json)
  const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined
  if (reader === undefined) throw new NftSyntaxError(`the expression "${name}" is not known`)
  return reader(body, name)
}

function readString(text: string): Expr {
  if (text.startsWith('@')) return { kind: 'set-reference', name: text.slice(1) }
  return { kind: 'constant', value: text.endsWith(UNTYPED) ? text.slice(0, -UNTYPED.length) : text }
}

type Reader = (body: unknown, name: string) => Expr

const READERS: Readonly<Record<string, Reader>> = {
  payload: (body) => {
    const object = asObject(body)
    if (object['base'] !== undefined) {
      return { kind: 'raw', base: stringIn(object, 'base'), offset: numberIn(object, 'offset'), length: numberIn(object, 'len') }
    }
    const tunnel = optionalString(object, 'tunnel')
    const names = { protocol: stringIn(object, 'protocol'), field: stringIn(object, 'field') }
    return { kind: 'payload', ...names, ...(tunnel !== undefined && { tunnel }) }
  },
  meta: (body) => {
    const key = stringIn(asObject(body), 'key')
    return { kind: 'meta', key: key === 'secpath' ? 'ipsec' : key }
  },
  ct: (body) => {
    const object = asObject(body)
    const family = optionalString(object, 'family')
    const direction = optionalString(object, 'dir')
    const key = stringIn(object, 'key')
    return { kind: 'ct', key: family === undefined ? key : `${family} ${key}`, ...(direction !== undefined && { direction }) }
  },
  fib: (body) => {
    const object = asObject(body)
    return { kind: 'fib', result: stringIn(object, 'result'), flags: words(object['flags']) }
  },
  rt: (body) => {
    const object = asObject(body)
    const family = optionalString(object, 'family')
    return { kind: 'rt', key: stringIn(object, 'key'), ...(family !== undefined && { family }) }
  },
  socket: (body) => {
    const object = asObject(body)
    const level = optionalNumber(object, 'level')
    return { kind: 'socket', key: stringIn(object, 'key'), ...(level !== undefined && { level }) }
  },
  osf: (body) => {
    const object = asObject(body)
    const ttl = optionalString(object, 'ttl')
    return { kind: 'osf', key: stringIn(object, 'key'), ...(ttl !== undefined && { ttl }) }
  },
  ipsec: (body) => {
    const object = asObject(body)
    const family = optionalString(object, 'family')
    const names = {
      direction: stringIn(object, 'dir'),
      spnum: optionalNumber(object, 'spnum') ?? 0,
      key: stringIn(object, 'key'),
    }
    return { kind: 'ipsec', ...names, ...(family !== undefined && { family }) }
  },
  numgen: (body) => {
    const object = asObject(body)
    const offset = optionalNumber(object, 'offset') ?? 0
    return { kind: 'numgen', mode: stringIn(object, 'mode'), modulus: numberIn(object, 'mod'), offset }
  },
  jhash: readHash,
  symhash: readHash,
  exthdr: readOption,
  'tcp option': readOption,
  'ip option': readOption,
  'sctp chunk': readOption,
  'dccp option': (body) => ({ kind: 'exthdr', header: 'dccp option', name: String(numberIn(asObject(body), 'type')) }),
  concat: (body) => ({ kind: 'concat', parts: asArray(body).map(readExpression) }),
  range: (body) => {
    const [from, to] = asArray(body)
    return { kind: 'range', from: readExpression(from), to: readExpression(to) }
  },
  prefix: (body) => {
    const object = asObject(body)
    return { kind: 'prefix', address: readExpression(object['addr']), bits: numberIn(object, 'len') }
  },
  set: (body) => ({ kind: 'set', elements: asArray(body).map((item) => readItem(item, 0)) }),
  map: (body) => {
    const object = asObject(body)
    return { kind: 'map', key: readExpression(object['key']), data: readExpression(object['data']) }
  },
  elem: (body) => readExpression(asObject(body)['val']),
  tunnel: (body) => ({ kind: 'opaque', text: `tunnel ${stringIn(asObject(body), 'key')}` }),
  '&': readBinary,
  '|': readBinary,
  '^': readBinary,
  '<<': readBinary,
  '>>': readBinary,
}

function asObject(json: unknown): JsonObject {
  if (!isObject(json)) throw new NftSyntaxError('an object was expected')
  return json
}

function asArray(json: unknown): readonly unknown[] {
  return Array.isArray(json) ? json : [json]
}

function readHash(body: unknown, name: string): Expr {
  const object = asObject(body)
  const seed = optionalNumber(object, 'seed')
  return {
    kind: 'hash',
    algorithm: name === 'jhash' ? 'jhash' : 'symhash',
    ...(object['expr'] !== undefined && { of: readExpression(object['expr']) }),
    modulus: numberIn(object, 'mod'),
    ...(seed !== undefined && { seed }),
    offset: optionalNumber(object, 'offset') ?? 0,
  }
}

function readOption(body: unknown, name: string): Expr {
  const header = name as ExthdrKind
  const object = asObject(body)
  if (object['base'] !== undefined) {
    const raw = `@${numberIn(object, 'base')},${numberIn(object, 'offset')},${numberIn(object, 'len')}`
    return { kind: 'exthdr', header, name: raw }
  }
  const field = optionalString(object, 'field')
  return { kind: 'exthdr', header, name: stringIn(object, 'name'), ...(field !== undefined && { field }) }
}

/** Two operands, or more of the same operator in a row. */
function readBinary(body: unknown, name: string): Expr {
  const operands = asArray(body).map(readExpression)
  const [first, ...rest] = operands
  if (first === undefined || rest.length === 0) throw new NftSyntaxError(`"${name}" wants two operands`)
  if (rest.length > MAX_OPERATORS) throw new NftSyntaxError('too many operators in a row')
  return rest.reduce<Expr>((left, right) => ({ kind: 'binary', op: name as BinaryOp, left, right }), first)
}

/** A set's element, or the pair of a map's: `[key, data]`. Keys and data may be wrapped in `elem`. */
export function readItem(json: unknown, line: number): SetItem {
  const pair = Array.isArray(json) && json.length === 2 ? json : undefined
  const key = readElem(pair === undefined ? json : pair[0])
  if (pair === undefined) return { line, ...key }
  const verdict = isObject(pair[1]) ? readVerdict(pair[1]) : undefined
  return verdict === undefined ? { line, ...key, data: readElem(pair[1]).key } : { line, ...key, verdict }
}

function readElem(json: unknown): Pick<SetItem, 'key' | 'comment' | 'statements'> {
  const body = isObject(json) && isObject(json['elem']) ? json['elem'] : undefined
  if (body === undefined) return { key: readExpression(json), statements: [] }
  const comment = optionalString(body, 'comment')
  return { key: readExpression(body['val']), ...(comment !== undefined && { comment }), statements: readElementStatements(body) }
}

const PLAIN_VERDICTS = ['accept', 'drop', 'continue', 'return', 'queue'] as const

/** Undefined: not a verdict. */
export function readVerdict(json: JsonObject): VerdictNode | undefined {
  for (const kind of ['jump', 'goto'] as const) {
    if (isObject(json[kind])) return { kind, target: stringIn(json[kind], 'target') }
  }
  for (const kind of PLAIN_VERDICTS) if (kind in json && json[kind] === null) return { kind }
  return undefined
}
