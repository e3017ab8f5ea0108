// SPDX-License-Identifier: Apache-2.0

import { literal } from '../elements.ts'
import type { AssignTarget, Expression, Match, Statement } from '../statement.ts'
import { CT_STATE } from '../statement.ts'
import { type Expr, NftSyntaxError, type Stmt } from './ast.ts'
import { combine, lowerElement } from './lower-constant.ts'
import { lowerExpression, lowerMap, lowerValue, typesIn } from './lower-expression.ts'
import { lowerNat, lowerTproxy } from './lower-nat.ts'
import { lowerQueue, lowerReject, rejectGuard } from './lower-verdict.ts'
import { lowerVerdict, RATES, rate } from './lower-set.ts'
import { printStatement } from './print.ts'
import type { Scope } from './scope.ts'
import { ANY, type DataType, dataType } from './types.ts'

/** One nft statement in the rule model; none for those that only count. Throws NftSyntaxError where the words mean nothing. */
export function lowerStatement(stmt: Stmt, scope: Scope): readonly Statement[] {
  switch (stmt.kind) {
    case 'match':
      return [lowerMatch(stmt, scope)]
    case 'mangle':
      return [lowerAssign(stmt, scope)]
    case 'verdict':
      return [{ kind: 'verdict', verdict: lowerVerdict(stmt.verdict) }]
    case 'vmap':
      return [{ kind: 'vmap', key: lowerExpression(stmt.key, scope), map: lowerMap(stmt.data, stmt.key, scope, []) }]
    case 'counter':
      return [{ kind: 'counter', packets: stmt.packets, bytes: stmt.bytes }]
    case 'limit':
    case 'quota':
    case 'ct-count':
      return [rate(stmt)]
    case 'object':
      return [lowerObject(stmt, scope)]
    case 'last':
      return []
    case 'log':
      return [{ kind: 'log', prefix: stmt.prefix ?? '', ...(stmt.group !== undefined && { group: stmt.group }) }]
    case 'nat':
      return [lowerNat(stmt, scope)]
    case 'tproxy':
      return [lowerTproxy(stmt, scope)]
    case 'reject':
      return [...rejectGuard(stmt, scope), lowerReject(stmt, scope)]
    case 'notrack':
      return [{ kind: 'notrack' }]
    case 'queue':
      return [lowerQueue(stmt)]
    case 'dup':
      return [lowerDup(stmt, scope)]
    case 'fwd':
      return [{ kind: 'fwd', device: lowerExpression(stmt.device, scope, IFNAMES), ...address(stmt.address, stmt.family, scope) }]
    case 'flow':
      return [{ kind: 'flow-add', flowtable: stmt.flowtable }]
    case 'set-update':
      return [lowerSetUpdate(stmt, scope)]
    case 'meter':
      return [
        {
          kind: 'set-update',
          op: 'update',
          set: stmt.name,
          key: lowerExpression(stmt.key, scope),
          matches: RATES.has(stmt.statement.kind) ? [rate(stmt.statement)] : [],
        },
      ]
    case 'synproxy':
      return [{ kind: 'synproxy' }]
    case 'reset':
      return [{ kind: 'side-effect', name: 'reset', text: printStatement(stmt) }]
    case 'xt':
      return stmt.type === 'match' && stmt.name === 'comment' ? [] : [xt(stmt)]
    case 'unknown':
      return [{ kind: stmt.match ? 'unknown-match' : 'unknown-action', name: 'nft', text: stmt.text }]
  }
}

const IFNAMES = [dataType('ifname')]

/** In the netdev family a packet is duplicated to a device. */
function lowerDup(stmt: Stmt & { kind: 'dup' }, scope: Scope): Statement {
  if (scope.family === 'netdev') return { kind: 'dup', ...device(stmt.address, scope) }
  return { kind: 'dup', ...device(stmt.device, scope), ...address(stmt.address, undefined, scope) }
}

function device(expr: Expr | undefined, scope: Scope): { device?: Expression } {
  return expr === undefined ? {} : { device: lowerExpression(expr, scope, IFNAMES) }
}

function address(expr: Expr | undefined, family: string | undefined, scope: Scope): { address?: Expression } {
  if (expr === undefined) return {}
  const six = family === 'ip6' || (family === undefined && scope.family === 'ip6')
  return { address: lowerExpression(expr, scope, [dataType(six ? 'ipv6_addr' : 'ipv4_addr')]) }
}

function xt(stmt: Stmt & { kind: 'xt' }): Statement {
  return { kind: stmt.type === 'match' ? 'unknown-match' : 'unknown-action', name: `xt ${stmt.name}`, text: printStatement(stmt) }
}

function lowerMatch(stmt: Stmt & { kind: 'match' }, scope: Scope): Match {
  const types = typesIn(stmt.left, scope)
  if (stmt.op === 'in' || stmt.op === '!') return bitTest(stmt, types[0] ?? ANY, scope)
  const key = lowerExpression(stmt.left, scope)
  if (stmt.left.kind === 'fib' && stmt.left.result !== 'type') {
    const routed = routeExists(stmt.right)
    if (routed !== undefined) {
      return {
        kind: 'compare',
        key,
        op: routed === (stmt.op === '==') ? 'ne' : 'eq',
        value: { kind: 'literal', elements: [NO_DEVICE] },
      }
    }
  }
  const wide = stmt.left.kind === 'binary' && types[0] === ANY ? WIDE : types
  return { kind: 'compare', key, op: COMPARE[stmt.op], value: lowerValue(stmt.right, wide) }
}

const WIDE: readonly DataType[] = [ANY]
const NO_DEVICE = { kind: 'value', value: '' } as const
const COMPARE = { '==': 'eq', '!=': 'ne', '<': 'lt', '>': 'gt', '<=': 'le', '>=': 'ge' } as const

/** `exists`, `missing`, which are 1 and 0 in numeric listings: a device that exists has a name. Undefined: a device is named. */
function routeExists(expr: Expr): boolean | undefined {
  if (expr.kind !== 'constant') return undefined
  if (typeof expr.value === 'boolean') return expr.value
  const number = String(expr.value)
  return number === '0' || number === '1' ? number === '1' : undefined
}

/** `ct state established,related`, `tcp flags syn`, and their negation with `!`: any of the bits. */
function bitTest(stmt: Stmt & { kind: 'match' }, type: DataType, scope: Scope): Match {
  const key = lowerExpression(stmt.left, scope)
  const negated = stmt.op === '!'
  if (stmt.left.kind === 'ct' && stmt.left.key === 'state') {
    // A packet has one state, so that any-bit is membership.
    const items = stmt.right.kind === 'list' ? stmt.right.items : [stmt.right]
    const elements = items.flatMap((item) => stateElements(combine(item, type)))
    return { kind: 'compare', key, op: negated ? 'ne' : 'eq', value: { kind: 'literal', elements } }
  }
  const bits = combine(stmt.right, type)
  const zero = typeof bits === 'bigint' ? 0n : 0
  const masked: Expression = { kind: 'binary', op: '&', left: key, right: literal(bits) }
  return {
    kind: 'compare',
    key: masked,
    op: negated ? 'eq' : 'ne',
    value: { kind: 'literal', elements: [{ kind: 'value', value: zero }] },
  }
}

function stateElements(bits: ReturnType<typeof combine>): { kind: 'value'; value: number }[] {
  return Object.values(CT_STATE)
    .filter((bit) => (Number(bits) & bit) !== 0)
    .map((bit) => ({ kind: 'value', value: bit }))
}

function lowerAssign(stmt: Stmt & { kind: 'mangle' }, scope: Scope): Statement {
  const target = lowerExpression(stmt.key, scope)
  if (!isTarget(target)) throw new NftSyntaxError('nothing can be assigned to this')
  const types = typesIn(stmt.key, scope)
  const list = stmt.value.kind === 'list'
  const value: Expression = list
    ? { kind: 'literal', value: lowerElement(stmt.value, types) }
    : lowerExpression(stmt.value, scope, constantTypes(stmt.value, types, scope))
  return { kind: 'assign', target, value }
}

/** Constants and map data take the target's type; what is computed has its own. */
function constantTypes(value: Expr, types: readonly DataType[], scope: Scope): readonly DataType[] {
  return value.kind === 'constant' || value.kind === 'map' || value.kind === 'prefix' || value.kind === 'range'
    ? types
    : typesIn(value, scope)
}

function isTarget(expression: Expression): expression is AssignTarget {
  return ['payload', 'raw', 'field', 'meta', 'ct', 'exthdr'].includes(expression.kind)
}

/** A limit or quota object is a match like the anonymous one; a synproxy takes the packet; the others have no say. */
function lowerObject(stmt: Stmt & { kind: 'object' }, scope: Scope): Statement {
  if (stmt.type === 'limit' || stmt.type === 'quota') return { kind: 'rate', name: stmt.type, text: printStatement(stmt) }
  if (stmt.type === 'synproxy') return { kind: 'synproxy' }
  const { name, type } = stmt
  if (name.kind === 'constant') return { kind: 'object', type, name: String(name.value) }
  if (name.kind !== 'map') throw new NftSyntaxError(`the name of a ${type} was expected`)
  return { kind: 'object', type, key: lowerExpression(name.key, scope), map: lowerMap(name.data, name.key, scope, [], true) }
}

function lowerSetUpdate(stmt: Stmt & { kind: 'set-update' }, scope: Scope): Statement {
  const op = stmt.op === 'add' || stmt.op === 'update' || stmt.op === 'delete' ? stmt.op : undefined
  if (op === undefined) throw new NftSyntaxError(`"${stmt.op}" does not change a set`)
  return {
    kind: 'set-update',
    op,
    set: stmt.set,
    key: lowerExpression(stmt.key, scope),
    ...(stmt.data !== undefined && { data: lowerExpression(stmt.data, scope, scope.dataTypes.get(stmt.set) ?? WIDE) }),
    matches: stmt.statements.filter((statement) => RATES.has(statement.kind)).map(rate),
  }
}
