// SPDX-License-Identifier: Apache-2.0

import type { Expr } from './ast.ts'
import { ctType, EXTENSION_HEADERS, HEADERS, metaType } from './headers.ts'
import { ANY, type DataType, dataType, IFNAME, integer, IPV4, IPV6, rawInteger, TEXT } from './types.ts'

/** The type of an expression's value, one per concatenated part. */
export function typeOf(expr: Expr): readonly DataType[] {
  return expr.kind === 'concat' ? expr.parts.map(partType) : [partType(expr)]
}

export function partType(expr: Expr): DataType {
  switch (expr.kind) {
    case 'payload':
      return HEADERS[expr.protocol]?.[expr.field] ?? ANY
    case 'raw':
      return rawInteger(expr.length)
    case 'meta':
      return metaType(expr.key)
    case 'ct':
      return ctType(expr.key)
    case 'fib':
      return expr.result === 'type' ? dataType('fib_addrtype') : expr.result === 'oifname' ? IFNAME : dataType('iface_index')
    case 'rt':
      return rtType(expr.key, expr.family)
    case 'socket':
      return expr.key === 'mark' ? dataType('mark') : expr.key === 'cgroupv2' ? dataType('cgroupsv2') : ANY
    case 'osf':
      return TEXT
    case 'ipsec':
      return expr.key === 'saddr' || expr.key === 'daddr' ? familyAddress(expr.family) : ANY
    case 'exthdr':
      return exthdrType(expr)
    case 'binary':
      return expr.left.kind === 'constant' ? partType(expr.right) : partType(expr.left)
    default:
      return ANY
  }
}

function familyAddress(family: string | undefined): DataType {
  return family === 'ip6' ? IPV6 : IPV4
}

function rtType(key: string, family: string | undefined): DataType {
  if (key === 'nexthop') return familyAddress(family)
  return key === 'classid' ? dataType('realm') : key === 'mtu' ? integer(16) : dataType('boolean')
}

function exthdrType(expr: Expr & { kind: 'exthdr' }): DataType {
  if (expr.field === undefined) return dataType('boolean')
  if (expr.header !== 'exthdr') return ANY
  if (expr.field.startsWith('sid[') || expr.field.startsWith('addr[')) return IPV6
  return EXTENSION_HEADERS[expr.name]?.[expr.field] ?? ANY
}
