// SPDX-License-Identifier: Apache-2.0

import type { Element, Expression, MapReference, MetaKey, PayloadSelector, SetElement, ValueSet } from '../statement.ts'
import { type Expr, NftSyntaxError, type SetItem } from './ast.ts'
import { lowerElement } from './lower-constant.ts'
import { lowerItem } from './lower-set.ts'
import { printExpression } from './print.ts'
import type { Scope } from './scope.ts'
import { ANY, type DataType, IPV4, IPV6 } from './types.ts'
import { typeOf } from './typing.ts'

/** From nft's expressions to the rule model's. `types`: what the context wants, for constants. */
export function lowerExpression(expr: Expr, scope: Scope, types: readonly DataType[] = typesIn(expr, scope)): Expression {
  switch (expr.kind) {
    case 'payload':
      return payload(expr)
    case 'raw':
      return { kind: 'raw', base: RAW_BASES[expr.base] ?? 'inner', offset: expr.offset, length: expr.length }
    case 'meta':
      return META.has(expr.key) ? { kind: 'meta', key: expr.key as MetaKey } : metaField(expr)
    case 'ct':
      return conntrack(expr, scope)
    case 'fib':
      return fib(expr)
    case 'rt':
      return isOneOf(['classid', 'nexthop', 'mtu', 'ipsec'], expr.key) ? { kind: 'rt', key: expr.key } : field(expr)
    case 'socket':
      if (!isOneOf(['transparent', 'mark', 'wildcard', 'cgroupv2'], expr.key)) return field(expr)
      return { kind: 'socket', key: expr.key, ...(expr.level !== undefined && { level: expr.level }) }
    case 'osf':
      return { kind: 'osf' }
    case 'numgen':
      if (!isOneOf(['random', 'inc'], expr.mode)) return field(expr)
      return { kind: 'numgen', mode: expr.mode, modulus: expr.modulus, offset: expr.offset }
    case 'hash':
      return hash(expr, scope)
    case 'exthdr':
      return exthdr(expr)
    case 'concat':
      return { kind: 'concat', parts: expr.parts.map((part, i) => lowerExpression(part, scope, [types[i] ?? ANY])) }
    case 'binary':
      return binary(expr, scope, types)
    case 'map':
      return { kind: 'map', key: lowerExpression(expr.key, scope), map: lowerMap(expr.data, expr.key, scope, types) }
    case 'constant':
    case 'range':
    case 'prefix':
    case 'list':
      return { kind: 'literal', value: lowerElement(expr, types) }
    case 'opaque':
      return { kind: 'unknown', text: expr.text }
    default:
      return field(expr)
  }
}

/** Types of an expression's parts, where addresses of `ct original saddr` follow the table's family. */
export function typesIn(expr: Expr, scope: Scope): readonly DataType[] {
  const types = typeOf(expr)
  const parts = expr.kind === 'concat' ? expr.parts : [expr]
  return types.map((type, i) => {
    const part = parts[i]
    const bare = part?.kind === 'ct' && (part.key === 'saddr' || part.key === 'daddr')
    return bare ? (scope.family === 'ip6' ? IPV6 : IPV4) : type
  })
}

function field(expr: Expr): PayloadSelector {
  return { kind: 'field', name: printExpression(expr) }
}

function isOneOf<T extends string>(words: readonly T[], word: string): word is T {
  return (words as readonly string[]).includes(word)
}

const PAYLOADS = new Map<string, ReadonlySet<string>>([
  ['ether', new Set(['saddr', 'daddr', 'type'])],
  ['ip', new Set('saddr daddr protocol ttl dscp ecn length id frag-off version hdrlength'.split(' '))],
  ['ip6', new Set('saddr daddr nexthdr hoplimit dscp ecn length flowlabel version'.split(' '))],
  ['tcp', new Set('sport dport flags sequence ackseq window doff checksum urgptr'.split(' '))],
  ['udp', new Set(['sport', 'dport', 'length', 'checksum'])],
  ...['th', 'sctp', 'dccp', 'udplite'].map((protocol) => [protocol, new Set(['sport', 'dport'])] as const),
  ...['icmp', 'icmpv6'].map((protocol) => [protocol, new Set(['type', 'code', 'id', 'sequence', 'mtu'])] as const),
])

function payload(expr: Expr & { kind: 'payload' }): PayloadSelector {
  const known = expr.tunnel === undefined && PAYLOADS.get(expr.protocol)?.has(expr.field) === true
  return known ? ({ kind: 'payload', protocol: expr.protocol, field: expr.field } as PayloadSelector) : field(expr)
}

const RAW_BASES: Readonly<Record<string, 'link' | 'network' | 'transport' | 'inner'>> = {
  ll: 'link',
  nh: 'network',
  th: 'transport',
  ih: 'inner',
}

const META = new Set(
  (
    'length protocol nfproto l4proto mark priority iif oif iifname oifname iiftype oiftype iifgroup oifgroup iifkind oifkind ' +
    'skuid skgid cgroup cpu pkttype nftrace rtclassid random ipsec time day hour sdif sdifname ibrname obrname'
  ).split(' '),
)

function metaField(expr: Expr & { kind: 'meta' }): Expression {
  if (expr.key === 'ibriport' || expr.key === 'obriport')
    return { kind: 'meta', key: expr.key === 'ibriport' ? 'physin' : 'physout' }
  return field(expr)
}

const CT = (
  'state direction status mark zone secmark expiration helper label id event count l3proto protocol saddr daddr proto-src ' +
  'proto-dst bytes packets avgpkt'
).split(' ') as readonly (Expression & { kind: 'ct' })['key'][]

function conntrack(expr: Expr & { kind: 'ct' }, scope: Scope): Expression & { kind: 'ct' } {
  const words = expr.key.split(' ')
  const key = words.at(-1) ?? ''
  if (!isOneOf(CT, key)) throw new NftSyntaxError(`"ct ${expr.key}" is not known`)
  const { direction } = expr
  return {
    kind: 'ct',
    key,
    ...(key === 'saddr' || key === 'daddr' ? { family: (words[0] === key ? scope.family : words[0]) === 'ip6' ? 6 : 4 } : {}),
    ...(direction === 'original' || direction === 'reply' ? { direction } : {}),
  }
}

function fib(expr: Expr & { kind: 'fib' }): Expression {
  const selectors = expr.flags.filter((flag) => isOneOf(['saddr', 'daddr', 'mark', 'iif', 'oif'], flag))
  const result = expr.result === 'check' ? 'oif' : expr.result
  if (selectors.length !== expr.flags.length || !isOneOf(['oif', 'oifname', 'type'], result)) return field(expr)
  return { kind: 'fib', selectors: selectors as ('saddr' | 'daddr')[], result }
}

function hash(expr: Expr & { kind: 'hash' }, scope: Scope): Expression {
  const of = expr.of === undefined ? [] : expr.of.kind === 'concat' ? expr.of.parts : [expr.of]
  return {
    kind: 'hash',
    algorithm: expr.algorithm,
    of: of.map((part) => lowerExpression(part, scope)),
    modulus: expr.modulus,
    ...(expr.seed !== undefined && { seed: expr.seed }),
    offset: expr.offset,
  }
}

const HEADER_KINDS = { exthdr: 'ip6', 'tcp option': 'tcp-option', 'ip option': 'ip-option', 'sctp chunk': 'sctp-chunk' } as const

function exthdr(expr: Expr & { kind: 'exthdr' }): Expression {
  if (expr.header === 'dccp option') return field(expr)
  const header = HEADER_KINDS[expr.header]
  return { kind: 'exthdr', header, name: expr.name, ...(expr.field !== undefined && { field: expr.field }) }
}

function binary(expr: Expr & { kind: 'binary' }, scope: Scope, wanted: readonly DataType[]): Expression {
  const own = typesIn(expr, scope)
  const types = own[0] === ANY ? wanted : own
  if (isConstant(expr)) return { kind: 'literal', value: lowerElement(expr, types) }
  const shift = expr.op === '<<' || expr.op === '>>'
  return {
    kind: 'binary',
    op: expr.op,
    left: lowerExpression(expr.left, scope, types),
    right: lowerExpression(expr.right, scope, shift ? [ANY] : types),
  }
}

/** `syn | ack`. */
function isConstant(expr: Expr): boolean {
  return (
    expr.kind === 'constant' || (expr.kind === 'binary' && expr.op === '|' && isConstant(expr.left) && isConstant(expr.right))
  )
}

/** A map's contents: of a named one, only the name. `objects`: its data are names of the table's objects. */
export function lowerMap(data: Expr, key: Expr, scope: Scope, dataTypes: readonly DataType[], objects = false): MapReference {
  if (data.kind === 'set-reference') return { kind: 'named', name: data.name }
  if (data.kind !== 'set') throw new NftSyntaxError('a map was expected')
  const keys = typesIn(key, scope)
  return { kind: 'anonymous', elements: data.elements.map((item) => withoutLine(lowerItem(item, keys, dataTypes, objects))) }
}

/** Elements of a rule's own set are on the rule's line. */
function withoutLine(element: SetElement): SetElement {
  const { line: _, ...rest } = element
  return rest
}

/** The right side of a comparison. */
export function lowerValue(expr: Expr, types: readonly DataType[]): ValueSet {
  if (expr.kind === 'set-reference') return { kind: 'set', name: expr.name }
  if (expr.kind !== 'set') return { kind: 'literal', elements: [lowerElement(expr, types)] }
  return { kind: 'literal', elements: expr.elements.map((item) => lowerMember(item, types)) }
}

function lowerMember(item: SetItem, types: readonly DataType[]): Element {
  if (item.data !== undefined || item.verdict !== undefined) throw new NftSyntaxError('a map stands where a set was expected')
  return lowerElement(item.key, types)
}
