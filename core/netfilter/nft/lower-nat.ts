// SPDX-License-Identifier: Apache-2.0

import type { Action, Expression } from '../statement.ts'
import type { Expr, Stmt } from './ast.ts'
import { lowerExpression } from './lower-expression.ts'
import type { Scope } from './scope.ts'
import { type DataType, IPV4, IPV6, SERVICE } from './types.ts'

/** `snat`, `dnat`, `masquerade`, `redirect`. */
export function lowerNat(stmt: Stmt & { kind: 'nat' }, scope: Scope): Action {
  const flags = {
    random: stmt.flags.includes('random'),
    fullyRandom: stmt.flags.includes('fully-random'),
    persistent: stmt.flags.includes('persistent'),
  }
  const type = addressType(stmt, scope)
  const { address, op } = stmt
  if (address !== undefined && (op === 'snat' || op === 'dnat') && (stmt.prefix || stmt.flags.includes('netmap'))) {
    return { kind: 'netmap', op, to: lowerExpression(address, scope, [type]) }
  }
  const port = portOf(stmt.port, scope)
  if (address === undefined) return { kind: 'nat', op, ...port, flags }
  if (yieldsBoth(address, scope))
    return { kind: 'nat', op, toBoth: lowerExpression(address, scope, [type, SERVICE]), ...port, flags }
  return { kind: 'nat', op, to: lowerExpression(address, scope, [type]), ...port, flags }
}

export function lowerTproxy(stmt: Stmt & { kind: 'tproxy' }, scope: Scope): Action {
  const address = stmt.address === undefined ? {} : { address: lowerExpression(stmt.address, scope, [addressType(stmt, scope)]) }
  return { kind: 'tproxy', ...address, ...portOf(stmt.port, scope) }
}

function portOf(port: Expr | undefined, scope: Scope): { port?: Expression } {
  return port === undefined ? {} : { port: lowerExpression(port, scope, [SERVICE]) }
}

/** By the statement's family word, the table's, or the look of the address. */
function addressType(stmt: { readonly family?: string; readonly address?: Expr }, scope: Scope): DataType {
  if (stmt.family !== undefined) return stmt.family === 'ip6' ? IPV6 : IPV4
  if (scope.family === 'ip6') return IPV6
  return scope.family === 'ip' || !looksLikeIpv6(stmt.address) ? IPV4 : IPV6
}

function looksLikeIpv6(expr: Expr | undefined): boolean {
  if (expr === undefined) return false
  if (expr.kind === 'range') return looksLikeIpv6(expr.from)
  return expr.kind === 'constant' && String(expr.value).includes(':')
}

/** Whether a map gives address and port at once. */
function yieldsBoth(address: Expr, scope: Scope): boolean {
  if (address.kind === 'concat') return true
  if (address.kind !== 'map') return false
  if (address.data.kind === 'set-reference') return (scope.dataTypes.get(address.data.name)?.length ?? 0) > 1
  return address.data.kind === 'set' && address.data.elements[0]?.data?.kind === 'concat'
}
