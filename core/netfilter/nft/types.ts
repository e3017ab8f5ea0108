// SPDX-License-Identifier: Apache-2.0

import { parseAddress, parseIpv4 } from '../../net/address.ts'
import type { Scalar } from '../statement.ts'
import { NftSyntaxError } from './ast.ts'
import * as names from './symbols.ts'

/** nft's data types (`nft describe`): how a constant is written, and how wide it is. */
export interface DataType {
  readonly name: string
  readonly bits: number
  readonly symbols?: names.SymbolTable
  readonly form?:
    | 'ipv4'
    | 'ipv6'
    | 'mac'
    | 'text'
    | 'mark'
    | 'bitmask'
    | 'duration'
    | 'address-type'
    | 'moment'
    | 'label'
    | 'handle'
    | 'hex'
}

function type(name: string, bits: number, rest: Omit<DataType, 'name' | 'bits'> = {}): DataType {
  return { name, bits, ...rest }
}

export function integer(bits: number): DataType {
  return type('integer', bits)
}

/** Raw payload, which nft prints in hexadecimal. */
export function rawInteger(bits: number): DataType {
  return type('integer', bits, { form: 'hex' })
}

export const IPV4 = type('ipv4_addr', 32, { form: 'ipv4' })
export const IPV6 = type('ipv6_addr', 128, { form: 'ipv6' })
export const SERVICE = type('inet_service', 16, { symbols: names.SERVICES })
export const IFNAME = type('ifname', 128, { form: 'text' })
export const TEXT = type('string', 128, { form: 'text' })
export const ANY = integer(32)

const TYPES = new Map<string, DataType>(
  [
    IPV4,
    IPV6,
    SERVICE,
    IFNAME,
    TEXT,
    type('ether_addr', 48, { form: 'mac' }),
    type('inet_proto', 8, { symbols: names.PROTOCOLS }),
    type('mark', 32, { form: 'mark' }),
    type('iface_index', 32, { form: 'text' }),
    type('iface_type', 16, { symbols: names.DEVICE_TYPES }),
    type('devgroup', 32, { symbols: names.DEVICE_GROUPS }),
    type('uid', 32),
    type('gid', 32),
    type('ct_state', 32, { symbols: names.CT_STATES, form: 'bitmask' }),
    type('ct_status', 32, { symbols: names.CT_STATUSES, form: 'bitmask' }),
    type('ct_event', 32, { symbols: names.CT_EVENTS, form: 'bitmask' }),
    type('ct_dir', 8, { symbols: names.CT_DIRECTIONS }),
    type('ct_label', 128, { form: 'label' }),
    type('tcp_flag', 8, { symbols: names.TCP_FLAGS, form: 'bitmask' }),
    type('ether_type', 16, { symbols: names.ETHER_TYPES }),
    type('nf_proto', 8, { symbols: names.NF_PROTOCOLS }),
    type('pkt_type', 8, { symbols: names.PACKET_TYPES }),
    type('icmp_type', 8, { symbols: names.ICMP_TYPES }),
    type('icmp_code', 8, { symbols: names.ICMP_CODES }),
    type('icmpv6_type', 8, { symbols: names.ICMPV6_TYPES }),
    type('icmpv6_code', 8, { symbols: names.ICMPV6_CODES }),
    type('icmpx_code', 8, { symbols: names.ICMPX_CODES }),
    type('igmp_type', 8, { symbols: names.IGMP_TYPES }),
    type('dccp_pkttype', 4, { symbols: names.DCCP_TYPES }),
    type('mh_type', 8, { symbols: names.MOBILITY_TYPES }),
    type('arp_op', 16, { symbols: names.ARP_OPERATIONS }),
    type('dscp', 6, { symbols: names.DSCP, form: 'hex' }),
    type('ecn', 2, { symbols: names.ECN }),
    type('fib_addrtype', 32, { symbols: names.ADDRESS_TYPES, form: 'address-type' }),
    type('day', 8, { symbols: names.DAYS }),
    type('time', 64, { form: 'duration' }),
    type('hour', 32, { form: 'moment' }),
    type('boolean', 1),
    type('realm', 32),
    type('classid', 32, { form: 'handle' }),
    type('cgroupsv2', 64, { form: 'text' }),
    integer(32),
  ].map((t) => [t.name, t]),
)

/** `meta time`, a moment; nft calls it "time" like a duration. */
export const MOMENT = type('time', 64, { form: 'moment' })

/** By nft's name; unknown names are integers. */
export function dataType(name: string): DataType {
  return TYPES.get(name) ?? type(name, 32)
}

const MASK_FORMS = new Set(['bitmask', 'label'])

/** Whether a comparison without an operator is a bit test. */
export function isBitmask(t: DataType): boolean {
  return t.form !== undefined && MASK_FORMS.has(t.form)
}

/** A constant as the rule model has it. Throws when the words mean nothing for the type. */
export function resolveConstant(t: DataType, constant: string | number | boolean): Scalar {
  if (typeof constant === 'boolean') return constant ? 1 : 0
  if (typeof constant === 'number') return resolveNumber(t, constant)
  const text = constant
  switch (t.form) {
    case 'text':
      return text.endsWith('\\*') ? `${text.slice(0, -2)}*` : text
    case 'moment':
      return /^\d+$/.test(text) ? Number(text) : text
    case 'duration':
      return duration(text)
    case 'mac':
      return macAddress(text)
    case 'ipv4':
    case 'ipv6':
      return address(t, text)
    case 'handle':
      return trafficClass(text)
    default:
      return resolveSymbol(t, text)
  }
}

function resolveNumber(t: DataType, value: number): Scalar {
  if (!Number.isSafeInteger(value)) throw new NftSyntaxError(`the number ${value} is too large to be read exactly from JSON`)
  if (t.form === 'address-type') return names.nameOf(names.ADDRESS_TYPES, value) ?? String(value)
  if (t.form === 'label') return 1n << BigInt(value)
  return t.bits > 64 && t.form !== 'text' ? BigInt(value) : value
}

function resolveSymbol(t: DataType, text: string): Scalar {
  const symbol = t.symbols?.get(t.name === 'day' ? text.toLowerCase() : text)
  if (symbol !== undefined) return resolveNumber(t, symbol)
  const number = integerText(text)
  if (number === undefined) {
    // Raw payload of four bytes may be written as an address.
    const dotted = parseIpv4(text)
    if (dotted !== undefined) return dotted
    throw new NftSyntaxError(`"${text}" is not a known ${t.name}`)
  }
  if (t.form === 'label') return 1n << number
  if (t.form === 'address-type') return names.nameOf(names.ADDRESS_TYPES, Number(number)) ?? text
  return t.bits > 48 && (t.bits > 64 || number >= 1n << 48n) ? number : Number(number)
}

/** Decimal or 0x; undefined: neither. */
export function integerText(text: string): bigint | undefined {
  return /^(?:\d+|0x[0-9a-f]+)$/i.test(text) ? BigInt(text) : undefined
}

function address(t: DataType, text: string): Scalar {
  const parsed = parseAddress(text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text)
  if (parsed !== undefined && parsed.family === (t.form === 'ipv4' ? 4 : 6)) return parsed.value
  const number = integerText(text)
  if (number === undefined) throw new NftSyntaxError(`"${text}" is not an ${t.form === 'ipv4' ? 'IPv4' : 'IPv6'} address`)
  return t.form === 'ipv4' ? Number(number) : number
}

function macAddress(text: string): number {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text)) throw new NftSyntaxError(`"${text}" is not a MAC address`)
  return Number.parseInt(text.replaceAll(':', ''), 16)
}

/** tc handles: "1:ffff", "none", "root". */
function trafficClass(text: string): number {
  if (text === 'none') return 0
  if (text === 'root') return 0xffffffff
  const parts = /^([0-9a-f]*):([0-9a-f]*)$/i.exec(text)
  if (parts !== null) return Number.parseInt(parts[1] || '0', 16) * 65536 + Number.parseInt(parts[2] || '0', 16)
  const number = integerText(text)
  if (number === undefined) throw new NftSyntaxError(`"${text}" is not a traffic class`)
  return Number(number)
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { w: 604800, d: 86400, h: 3600, m: 60, s: 1, ms: 0.001 }

/** "1d2h3m4s500ms" or "3600" in seconds. */
export function duration(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  if (!/^(?:\d+(?:ms|[wdhms]))+$/.test(text)) throw new NftSyntaxError(`"${text}" is not a duration`)
  let seconds = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[wdhms])/g)) seconds += Number(amount) * (UNIT_SECONDS[unit ?? ''] ?? 0)
  return seconds
}
