// SPDX-License-Identifier: Apache-2.0

import { parseAddress } from '../../net/address.ts'
import type { TableFamily } from '../ruleset.ts'
import type { Expr, SetItem, Stmt, VerdictNode } from './ast.ts'
import { BARE_META_KEYS } from './headers.ts'
import { ANY, type DataType, dataType, integerText, SERVICE } from './types.ts'
import { typeOf } from './typing.ts'

/** Rules as `nft list` writes them, for what was read from JSON: a person must be able to recognise the rule. */
export function printRule(statements: readonly Stmt[], comment: string | undefined, family: TableFamily): string {
  const words = statements.map((stmt) => (isPlainReject(stmt, family) ? 'reject' : printStatement(stmt)))
  if (comment !== undefined) words.push(`comment "${comment}"`)
  return words.join(' ')
}

/** nft says `with` only where the code is not the family's default. */
function isPlainReject(stmt: Stmt, family: TableFamily): boolean {
  if (stmt.kind !== 'reject' || stmt.code?.kind !== 'constant' || stmt.code.value !== 'port-unreachable') return false
  return stmt.type === 'icmpx' || (stmt.type === 'icmp' && family === 'ip') || (stmt.type === 'icmpv6' && family === 'ip6')
}

export function printStatement(stmt: Stmt): string {
  switch (stmt.kind) {
    case 'match':
      return printMatch(stmt)
    case 'mangle':
      return `${printExpression(stmt.key)} set ${printValue(stmt.value, typeOf(stmt.key))}`
    case 'verdict':
      return printVerdict(stmt.verdict)
    case 'vmap':
      return `${printExpression(stmt.key)} vmap ${printMapData(stmt.data, stmt.key, [])}`
    case 'counter':
      return `counter packets ${stmt.packets} bytes ${stmt.bytes}`
    case 'object':
      return printObject(stmt)
    case 'limit':
      return printLimit(stmt)
    case 'quota':
      return `quota ${stmt.over ? 'over ' : ''}${printBytes(stmt.bytes)}`
    case 'ct-count':
      return `ct count ${stmt.over ? 'over ' : ''}${stmt.count}`
    case 'log':
      return printLog(stmt)
    case 'nat':
      return printNat(stmt)
    case 'tproxy':
      return `tproxy${stmt.family === undefined ? '' : ` ${stmt.family}`} to ${printTarget(stmt)}`
    case 'reject':
      return stmt.type === undefined
        ? 'reject'
        : ['reject with', stmt.type, ...(stmt.code ? [printCode(stmt.type, stmt.code)] : [])].join(' ')
    case 'queue':
      return [
        'queue',
        ...(stmt.flags.length > 0 ? ['flags', stmt.flags.join(',')] : []),
        'to',
        stmt.number ? printExpression(stmt.number) : '0',
      ].join(' ')
    case 'dup':
      return ['dup', ...part('to', stmt.address), ...part('device', stmt.device)].join(' ')
    case 'fwd':
      return stmt.address === undefined
        ? `fwd to ${printConstantList(stmt.device, IFNAMES)}`
        : `fwd ${stmt.family} to ${printExpression(stmt.address)} device ${printConstantList(stmt.device, IFNAMES)}`
    case 'flow':
      return `flow add @${stmt.flowtable}`
    case 'set-update':
      return printSetUpdate(stmt)
    case 'meter':
      return `meter ${stmt.name}${stmt.size === undefined ? '' : ` size ${stmt.size}`} { ${printExpression(stmt.key)} ${printStatement(stmt.statement)} }`
    case 'synproxy':
      return stmt.text
    case 'reset':
      return `reset ${printExpression(stmt.key)}`
    case 'xt':
      return `xt ${stmt.type} ${stmt.name}`
    case 'unknown':
      return stmt.text
    default:
      return stmt.kind
  }
}

const IFNAMES = [dataType('ifname')]

function part(word: string, expr: Expr | undefined): string[] {
  if (expr === undefined) return []
  const named = expr.kind === 'constant' && parseAddress(String(expr.value)) === undefined
  return [word, named ? printConstantList(expr, IFNAMES) : printExpression(expr)]
}

function printMatch(stmt: Stmt & { kind: 'match' }): string {
  const { left, right, op } = stmt
  if (left.kind === 'exthdr' && /^@\d+,0,8$/.test(left.name) && right.kind === 'constant' && typeof right.value === 'boolean') {
    return `${left.header} ${left.name.slice(1, -4)} ${right.value ? 'exists' : 'missing'}`
  }
  // nft's own shorthand for masked flags: `tcp flags syn / syn,ack`.
  if (left.kind === 'binary' && left.op === '&' && typeOf(left)[0]?.form === 'bitmask' && (op === '==' || op === '!=')) {
    const types = typeOf(left.left)
    const operator = op === '!=' ? '!= ' : ''
    return `${printExpression(left.left)} ${operator}${printConstantList(right, types)} / ${printConstantList(left.right, types)}`
  }
  const value = printConstantList(right, typeOf(left))
  return op === 'in' || (op === '==' && !needsOperator(left, right))
    ? `${printExpression(left)} ${value}`
    : `${printExpression(left)} ${op} ${value}`
}

function needsOperator(left: Expr, right: Expr): boolean {
  return left.kind === 'binary' || (typeOf(left)[0]?.form === 'bitmask' && right.kind === 'constant')
}

export function printExpression(expr: Expr, types: readonly DataType[] = [ANY]): string {
  switch (expr.kind) {
    case 'payload':
      return expr.tunnel === undefined ? `${expr.protocol} ${expr.field}` : `${expr.tunnel} ${expr.protocol} ${expr.field}`
    case 'raw':
      return `@${expr.base},${expr.offset},${expr.length}`
    case 'meta':
      return BARE_META_KEYS.has(expr.key) && UNQUALIFIED.test(expr.key) ? expr.key : `meta ${expr.key}`
    case 'ct':
      return expr.direction === undefined ? `ct ${expr.key}` : `ct ${expr.direction} ${expr.key}`
    case 'fib':
      return `fib ${expr.flags.join(' . ')} ${expr.result}`
    case 'rt':
      return expr.family === undefined ? `rt ${expr.key}` : `rt ${expr.family} ${expr.key}`
    case 'socket':
      return expr.level === undefined ? `socket ${expr.key}` : `socket ${expr.key} level ${expr.level}`
    case 'osf':
      return expr.ttl === undefined ? `osf ${expr.key}` : `osf ttl ${expr.ttl} ${expr.key}`
    case 'ipsec':
      return [
        'ipsec',
        expr.direction,
        ...(expr.spnum > 0 ? ['spnum', expr.spnum] : []),
        ...(expr.family ? [expr.family] : []),
        expr.key,
      ].join(' ')
    case 'numgen':
      return `numgen ${expr.mode} mod ${expr.modulus}${expr.offset > 0 ? ` offset ${expr.offset}` : ''}`
    case 'hash':
      return printHash(expr)
    case 'exthdr':
      return printExthdr(expr)
    case 'concat':
      return expr.parts.map((item, i) => printExpression(item, [types[i] ?? ANY])).join(' . ')
    case 'binary':
      return printBinary(expr)
    case 'map':
      return `${printExpression(expr.key)} map ${printMapData(expr.data, expr.key, types)}`
    case 'opaque':
      return expr.text
    default:
      return printConstantList(expr, types)
  }
}

/** nft leaves `meta` out before these. */
const UNQUALIFIED = /^(?:[io]if(?:name|group)?)$/

function printExthdr(expr: Expr & { kind: 'exthdr' }): string {
  if (expr.header !== 'exthdr') return [expr.header, expr.name, ...(expr.field === undefined ? [] : [expr.field])].join(' ')
  return expr.field === undefined ? `exthdr ${expr.name}` : `${expr.name} ${expr.field}`
}

function printHash(expr: Expr & { kind: 'hash' }): string {
  const of = expr.of === undefined ? [] : [printExpression(expr.of)]
  const seed = expr.seed === undefined ? [] : [`seed 0x${expr.seed.toString(16)}`]
  return [expr.algorithm, ...of, `mod ${expr.modulus}`, ...seed, ...(expr.offset > 0 ? [`offset ${expr.offset}`] : [])].join(' ')
}

const LEVEL: Readonly<Record<string, number>> = { '|': 0, '^': 1, '&': 2, '<<': 3, '>>': 3 }

function printBinary(expr: Expr & { kind: 'binary' }): string {
  const types = typeOf(expr)
  const operand = (side: Expr, tighter: boolean) => {
    const text =
      side.kind === 'constant' || side.kind === 'list' ? printConstantList(side, types, ' | ') : printExpression(side, types)
    const inner = side.kind === 'binary' ? (LEVEL[side.op] ?? 0) : side.kind === 'list' ? 0 : 9
    const outer = LEVEL[expr.op] ?? 0
    return inner < outer || (tighter && inner === outer) ? `(${text})` : text
  }
  const shift = expr.op === '<<' || expr.op === '>>'
  const right = shift ? printConstantList(expr.right, [ANY]) : operand(expr.right, true)
  return `${operand(expr.left, false)} ${expr.op} ${right}`
}

/** Constants, sets and what they are made of, written as their type wants. */
export function printConstantList(expr: Expr, types: readonly DataType[], separator = ','): string {
  switch (expr.kind) {
    case 'constant':
      return printConstant(expr.value, types[0] ?? ANY)
    case 'range':
      return `${printEnd(expr.from, types)}-${printEnd(expr.to, types)}`
    case 'prefix':
      return `${printConstantList(expr.address, types)}/${expr.bits}`
    case 'list':
      return expr.items.map((item) => printConstantList(item, types)).join(separator)
    case 'concat':
      return expr.parts.map((item, i) => printConstantList(item, [types[i] ?? ANY])).join(' . ')
    case 'set':
      return `{ ${expr.elements.map((item) => printItem(item, types, [])).join(', ')} }`
    case 'set-reference':
      return `@${expr.name}`
    case 'binary':
      return expr.op === '|'
        ? `${printConstantList(expr.left, types)} | ${printConstantList(expr.right, types)}`
        : printExpression(expr)
    default:
      return printExpression(expr, types)
  }
}

/** Of a range: times are in seconds there. */
function printEnd(expr: Expr, types: readonly DataType[]): string {
  const seconds = types[0]?.form === 'duration' && expr.kind === 'constant' && typeof expr.value === 'number'
  return seconds ? `${expr.value}s` : printConstantList(expr, types)
}

function printConstant(value: string | number | boolean, type: DataType): string {
  if (typeof value === 'boolean') return value ? 'exists' : 'missing'
  if (typeof value === 'string') {
    return QUOTED.has(type.name) || type.form === 'moment' ? `"${value}"` : type.form === 'mark' ? hexMark(value) : value
  }
  if (type.form === 'mark') return `0x${value.toString(16).padStart(8, '0')}`
  if (type.form === 'bitmask') return `0x${value.toString(16)}`
  if (type.form === 'hex') return `0x${value.toString(16).padStart(type.bits < 8 ? 2 : 1, '0')}`
  return type.form === 'duration' ? printDuration(value) : String(value)
}

/** "1d2h3m4s". */
export function printDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const
  return (
    parts
      .filter(([amount]) => amount > 0)
      .map(([amount, unit]) => `${amount}${unit}`)
      .join('') || '0s'
  )
}

function hexMark(text: string): string {
  const number = integerText(text)
  return number === undefined ? text : `0x${number.toString(16).padStart(8, '0')}`
}

const QUOTED = new Set(['ifname', 'iface_index', 'string', 'devgroup', 'day', 'cgroupsv2'])

function printItem(item: SetItem, keys: readonly DataType[], data: readonly DataType[]): string {
  const words = [printConstantList(item.key, keys), ...item.statements.map(printStatement)]
  if (item.comment !== undefined) words.push(`comment "${item.comment}"`)
  if (item.verdict !== undefined) words.push(':', printVerdict(item.verdict))
  if (item.data !== undefined) words.push(':', printConstantList(item.data, data))
  return words.join(' ')
}

function printMapData(expr: Expr, key: Expr, data: readonly DataType[]): string {
  return expr.kind === 'set'
    ? `{ ${expr.elements.map((item) => printItem(item, typeOf(key), data)).join(', ')} }`
    : printExpression(expr)
}

function printValue(expr: Expr, types: readonly DataType[]): string {
  return expr.kind === 'list' || expr.kind === 'constant' ? printConstantList(expr, types) : printExpression(expr, types)
}

function printVerdict(verdict: VerdictNode): string {
  return verdict.kind === 'jump' || verdict.kind === 'goto' ? `${verdict.kind} ${verdict.target}` : verdict.kind
}

function printObject(stmt: Stmt & { kind: 'object' }): string {
  const name = stmt.name.kind === 'constant' ? `"${stmt.name.value}"` : printExpression(stmt.name, [dataType('string')])
  return stmt.type.startsWith('ct ') ? `${stmt.type} set ${name}` : `${stmt.type} name ${name}`
}

function printLimit(stmt: Stmt & { kind: 'limit' }): string {
  const over = stmt.over ? 'over ' : ''
  if (stmt.unit === 'packets')
    return `limit rate ${over}${stmt.rate}/${stmt.per}${stmt.burst === 5 ? '' : ` burst ${stmt.burst} packets`}`
  return `limit rate ${over}${stmt.rate} ${stmt.unit}/${stmt.per}${stmt.burst === 0 ? '' : ` burst ${stmt.burst} ${stmt.burstUnit}`}`
}

function printBytes(bytes: number): string {
  if (bytes > 0 && bytes % 1048576 === 0) return `${bytes / 1048576} mbytes`
  return bytes > 0 && bytes % 1024 === 0 ? `${bytes / 1024} kbytes` : `${bytes} bytes`
}

function printLog(stmt: Stmt & { kind: 'log' }): string {
  const words = ['log']
  if (stmt.prefix !== undefined) words.push(`prefix "${stmt.prefix}"`)
  if (stmt.group !== undefined) words.push(`group ${stmt.group}`)
  if (stmt.snaplen !== undefined) words.push(`snaplen ${stmt.snaplen}`)
  if (stmt.threshold !== undefined) words.push(`queue-threshold ${stmt.threshold}`)
  if (stmt.level !== undefined) words.push(`level ${stmt.level}`)
  const tcp = stmt.flags.filter((flag) => flag.startsWith('tcp '))
  if (tcp.length > 0) words.push(`flags tcp ${tcp.map((flag) => flag.slice(4)).join(',')}`)
  for (const flag of stmt.flags) if (!flag.startsWith('tcp ')) words.push(`flags ${flag}`)
  return words.join(' ')
}

function printNat(stmt: Stmt & { kind: 'nat' }): string {
  const words: string[] = [stmt.op]
  if (stmt.family !== undefined) words.push(stmt.family)
  if (stmt.prefix) words.push('prefix')
  if (stmt.address !== undefined || stmt.port !== undefined) words.push('to', printTarget(stmt))
  const flags = stmt.flags.filter((flag) => flag !== 'netmap')
  if (flags.length > 0) words.push(flags.join(','))
  return words.join(' ')
}

/** IPv6 addresses are put in brackets where a port follows. */
function printTarget(stmt: { readonly address?: Expr; readonly port?: Expr }): string {
  const port = stmt.port === undefined ? '' : `:${printExpression(stmt.port, [SERVICE])}`
  if (stmt.address === undefined) return port
  const address = printExpression(stmt.address)
  const bracketed = port !== '' && stmt.address.kind !== 'map' && address.includes(':')
  return (
    (bracketed ? address.replace(/^([^-]*)(-?)(.*)$/, (_, from, dash, to) => `[${from}]${dash}${to && `[${to}]`}`) : address) +
    port
  )
}

function printCode(type: string, code: Expr): string {
  return printConstantList(code, [dataType(`${type}_code`)])
}

function printSetUpdate(stmt: Stmt & { kind: 'set-update' }): string {
  const words = [stmt.op, `@${stmt.set}`, '{', printExpression(stmt.key)]
  if (stmt.timeout !== undefined) words.push(`timeout ${stmt.timeout}s`)
  words.push(...stmt.statements.map(printStatement))
  if (stmt.data !== undefined) words.push(':', printExpression(stmt.data))
  return [...words, '}'].join(' ')
}
