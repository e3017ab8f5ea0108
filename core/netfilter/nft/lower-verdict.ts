// SPDX-License-Identifier: Apache-2.0

import { IPPROTO } from '../../net/packet.ts'
import { compare } from '../elements.ts'
import type { Action, Match } from '../statement.ts'
import { type Expr, NftSyntaxError, type Stmt } from './ast.ts'
import type { Scope } from './scope.ts'
import { nameOf } from './symbols.ts'
import { dataType } from './types.ts'

/** Named as nft names the ICMP code: "icmp-host-unreachable", "icmpx-admin-prohibited", "tcp-reset". */
export function lowerReject(stmt: Stmt & { kind: 'reject' }, scope: Scope): Action {
  if (stmt.type === 'tcp reset') return { kind: 'reject', with: 'tcp-reset' }
  const type = stmt.type ?? (scope.family === 'ip' ? 'icmp' : scope.family === 'ip6' ? 'icmpv6' : 'icmpx')
  if (type !== 'icmp' && type !== 'icmpv6' && type !== 'icmpx') throw new NftSyntaxError(`"${type}" is not a way to reject`)
  return { kind: 'reject', with: `${type}-${codeName(type, stmt.code)}` }
}

/**
 * What nft adds in front of a reject and leaves out of its listings: an answer of ICMP is for IPv4 only, one of ICMPv6 for IPv6,
 * a reset for TCP (stmt_evaluate_reject, nftables src/evaluate.c).
 */
export function rejectGuard(stmt: Stmt & { kind: 'reject' }, scope: Scope): readonly Match[] {
  if (stmt.type === 'tcp reset') return [equals('l4proto', IPPROTO.tcp)]
  if ((stmt.type !== 'icmp' && stmt.type !== 'icmpv6') || scope.family === 'ip' || scope.family === 'ip6') return []
  const six = stmt.type === 'icmpv6'
  return [
    scope.family === 'inet'
      ? equals('nfproto', six ? NFPROTO.ipv6 : NFPROTO.ipv4)
      : equals('protocol', six ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4),
  ]
}

const NFPROTO = { ipv4: 2, ipv6: 10 } as const
const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd } as const

function equals(key: 'l4proto' | 'nfproto' | 'protocol', value: number): Match {
  return compare({ kind: 'meta', key }, [{ kind: 'value', value }])
}

function codeName(type: string, code: Expr | undefined): string {
  if (code === undefined) return 'port-unreachable'
  if (code.kind !== 'constant') throw new NftSyntaxError('an ICMP code was expected')
  const number = Number(code.value)
  if (!Number.isInteger(number)) return String(code.value)
  return nameOf(dataType(`${type}_code`).symbols ?? new Map(), number) ?? String(number)
}

/** Which queues a packet may go to; generators span a range. */
export function lowerQueue(stmt: Stmt & { kind: 'queue' }): Action {
  const [from, to] = stmt.number === undefined ? [0, 0] : queues(stmt.number)
  return { kind: 'verdict', verdict: { kind: 'queue', from, to, bypass: stmt.flags.includes('bypass') } }
}

function queues(expr: Expr): readonly [number, number] {
  switch (expr.kind) {
    case 'constant':
      return [Number(expr.value), Number(expr.value)]
    case 'range':
      return [queues(expr.from)[0], queues(expr.to)[1]]
    case 'numgen':
    case 'hash':
      return [expr.offset, expr.offset + expr.modulus - 1]
    case 'map':
      return expr.data.kind === 'set' ? span(expr.data.elements.map((item) => item.data)) : [0, 65535]
    default:
      return [0, 65535]
  }
}

function span(exprs: readonly (Expr | undefined)[]): readonly [number, number] {
  const ends = exprs.map((expr) => (expr === undefined ? ([0, 65535] as const) : queues(expr)))
  return [Math.min(...ends.map((end) => end[0])), Math.max(...ends.map((end) => end[1]))]
}
