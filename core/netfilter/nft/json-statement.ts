// SPDX-License-Identifier: Apache-2.0

import { type Expr, type MatchOp, NftSyntaxError, type Stmt } from './ast.ts'
import { parseStatement } from './grammar-statement.ts'
import { BYTE_UNITS } from './grammar-statement.ts'
import { readExpression, readVerdict } from './json-expression.ts'
import { isObject, type JsonObject, numberIn, only, optionalNumber, optionalString, stringIn, words } from './json-value.ts'
import { Lexer } from './lexer.ts'

/** A statement of libnftables-json(5). What can't be read becomes `unknown`. */
export function readStatement(json: unknown): Stmt {
  try {
    return readKnown(json)
  } catch (error) {
    if (!(error instanceof NftSyntaxError)) throw error
    const text = typeof json === 'string' ? json : JSON.stringify(json)
    return { kind: 'unknown', text, reason: error.message, match: isObject(json) && 'match' in json }
  }
}

function readKnown(json: unknown): Stmt {
  // Statements without a JSON form are printed as text (`update @m { ip saddr : tcp dport }` in nft 1.0).
  if (typeof json === 'string') return readTextStatement(json)
  const [name, body] = only(json)
  const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined
  if (reader !== undefined) return reader(isObject(body) ? body : {}, body, name)
  const verdict = isObject(json) ? readVerdict(json) : undefined
  if (verdict === undefined) throw new NftSyntaxError(`the statement "${name}" is not known`)
  return { kind: 'verdict', verdict }
}

function readTextStatement(text: string): Stmt {
  const lexer = new Lexer(text)
  const stmt = parseStatement(lexer)
  if (lexer.peek().kind !== 'end') throw new NftSyntaxError('one statement was expected')
  return stmt
}

type Reader = (object: JsonObject, body: unknown, name: string) => Stmt

const OPERATORS = new Set(['==', '!=', '<', '>', '<=', '>=', 'in', '!'])

const READERS: Readonly<Record<string, Reader>> = {
  match: (object) => {
    const op = stringIn(object, 'op')
    if (!OPERATORS.has(op)) throw new NftSyntaxError(`the operator "${op}" is not known`)
    return { kind: 'match', op: op as MatchOp, left: readExpression(object['left']), right: readExpression(object['right']) }
  },
  mangle: (object) => ({ kind: 'mangle', key: readExpression(object['key']), value: readExpression(object['value']) }),
  vmap: (object) => ({ kind: 'vmap', key: readExpression(object['key']), data: readExpression(object['data']) }),
  counter: (object, body, name) =>
    isPlain(object, 'packets', body)
      ? { kind: 'counter', packets: optionalNumber(object, 'packets') ?? 0, bytes: optionalNumber(object, 'bytes') ?? 0 }
      : { kind: 'object', type: name, name: readExpression(body) },
  limit: (object, body, name) =>
    isPlain(object, 'rate', body) ? readLimit(object) : { kind: 'object', type: name, name: readExpression(body) },
  quota: (object, body, name) => {
    if (!isPlain(object, 'val', body)) return { kind: 'object', type: name, name: readExpression(body) }
    const unit = BYTE_UNITS[optionalString(object, 'val_unit') ?? 'bytes'] ?? 1
    return { kind: 'quota', bytes: numberIn(object, 'val') * unit, over: object['inv'] === true }
  },
  'ct count': (object) => ({ kind: 'ct-count', count: numberIn(object, 'val'), over: object['inv'] === true }),
  'ct helper': readObject,
  'ct timeout': readObject,
  'ct expectation': readObject,
  secmark: readObject,
  last: () => ({ kind: 'last' }),
  log: (object) => {
    const prefix = optionalString(object, 'prefix')
    const level = optionalString(object, 'level')
    const group = optionalNumber(object, 'group')
    const snaplen = optionalNumber(object, 'snaplen')
    const threshold = optionalNumber(object, 'queue-threshold')
    return {
      kind: 'log',
      ...(prefix !== undefined && { prefix }),
      ...(group !== undefined && { group }),
      ...(level !== undefined && { level }),
      ...(snaplen !== undefined && { snaplen }),
      ...(threshold !== undefined && { threshold }),
      flags: words(object['flags']),
    }
  },
  snat: readNat,
  dnat: readNat,
  masquerade: readNat,
  redirect: readNat,
  tproxy: (object) => ({ kind: 'tproxy', ...familyOf(object), ...target(object) }),
  reject: (object) => {
    const type = optionalString(object, 'type')
    if (type === undefined) return { kind: 'reject' }
    return object['expr'] === undefined
      ? { kind: 'reject', type }
      : { kind: 'reject', type, code: readExpression(object['expr']) }
  },
  notrack: () => ({ kind: 'notrack' }),
  queue: (object) => ({ kind: 'queue', ...expr(object, 'num', 'number'), flags: words(object['flags']) }),
  dup: (object) => ({ kind: 'dup', ...expr(object, 'addr', 'address'), ...expr(object, 'dev', 'device') }),
  fwd: (object) => ({
    kind: 'fwd',
    device: readExpression(object['dev']),
    ...familyOf(object),
    ...expr(object, 'addr', 'address'),
  }),
  flow: (object) => ({ kind: 'flow', flowtable: stringIn(object, 'flowtable').replace(/^@/, '') }),
  set: readUpdate,
  map: readUpdate,
  meter: (object) => {
    const size = optionalNumber(object, 'size')
    return {
      kind: 'meter',
      name: optionalString(object, 'name') ?? '',
      key: readExpression(object['key']),
      ...(size !== undefined && { size }),
      statement: readKnown(object['stmt']),
    }
  },
  synproxy: (object, body) => {
    if (!isObject(body) && body !== null) return { kind: 'object', type: 'synproxy', name: readExpression(body) }
    if (object['map'] !== undefined) return { kind: 'object', type: 'synproxy', name: readExpression(body) }
    const numbers = ['mss', 'wscale'].flatMap((key) => (object[key] === undefined ? [] : [`${key} ${numberIn(object, key)}`]))
    return { kind: 'synproxy', text: ['synproxy', ...numbers, ...words(object['flags'])].join(' ') }
  },
  reset: (_, body) => ({ kind: 'reset', key: readExpression(body) }),
  xt: (object, body) =>
    isObject(body)
      ? { kind: 'xt', type: stringIn(object, 'type'), name: stringIn(object, 'name') }
      : { kind: 'xt', type: 'match', name: String(body) },
}

/** Whether a statement's body describes an anonymous object, and not the name of one (a string, or a map of them). */
function isPlain(object: JsonObject, field: string, body: unknown): boolean {
  return body === null || object[field] !== undefined
}

function readObject(_: JsonObject, body: unknown, name: string): Stmt {
  return { kind: 'object', type: name, name: readExpression(body) }
}

function expr<Name extends string>(object: JsonObject, key: string, name: Name): Partial<Record<Name, Expr>> {
  if (object[key] === undefined) return {}
  return { [name]: readExpression(object[key]) } as Record<Name, Expr>
}

function familyOf(object: JsonObject): { family?: string } {
  const family = optionalString(object, 'family')
  return family === undefined ? {} : { family }
}

function target(object: JsonObject): { address?: Expr; port?: Expr } {
  return { ...expr(object, 'addr', 'address'), ...expr(object, 'port', 'port') }
}

function readNat(object: JsonObject, _: unknown, name: string): Stmt {
  const prefix = words(object['type_flags']).includes('prefix')
  return { kind: 'nat', op: name as 'snat', ...familyOf(object), ...target(object), flags: words(object['flags']), prefix }
}

function readLimit(object: JsonObject): Stmt {
  const unit = optionalString(object, 'rate_unit') ?? 'packets'
  return {
    kind: 'limit',
    rate: numberIn(object, 'rate'),
    unit,
    per: stringIn(object, 'per'),
    burst: optionalNumber(object, 'burst') ?? (unit === 'packets' ? 5 : 0),
    burstUnit: optionalString(object, 'burst_unit') ?? (unit === 'packets' ? 'packets' : 'bytes'),
    over: object['inv'] === true,
  }
}

/** `{"set": {"op", "elem", "set", "stmt"}}`, and the same for maps with "data". */
function readUpdate(object: JsonObject, _: unknown, name: string): Stmt {
  const elem = object['elem']
  const timeout = isObject(elem) && isObject(elem['elem']) ? optionalNumber(elem['elem'], 'timeout') : undefined
  const statements = Array.isArray(object['stmt']) ? object['stmt'].map(readKnown) : []
  return {
    kind: 'set-update',
    op: stringIn(object, 'op'),
    set: stringIn(object, name).replace(/^@/, ''),
    key: readExpression(elem),
    ...expr(object, 'data', 'data'),
    ...(timeout !== undefined && { timeout }),
    statements,
  }
}

const ELEMENT_STATEMENTS = ['counter', 'limit', 'quota', 'ct count', 'last']

/** Statements among an element's properties: `{"elem": {"val": …, "counter": {…}}}`. */
export function readElementStatements(elem: JsonObject): Stmt[] {
  return ELEMENT_STATEMENTS.filter((name) => name in elem).map((name) => readKnown({ [name]: elem[name] }))
}
