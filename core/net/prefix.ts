// SPDX-License-Identifier: Apache-2.0

import { type Address, formatAddress, parseAddress, prefixRange } from './address.ts'

/** A network: the address has its host bits cleared. */
export interface Prefix {
  readonly address: Address
  readonly bits: number
}

export function prefixOf(address: Address, bits: number): Prefix {
  return { address: prefixRange(address, bits)[0], bits }
}

/** "10.0.0.0/8", "fd00::/64", or a bare address as a host prefix. Undefined: not a prefix. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  const width = address.family === 4 ? 32 : 128
  if (slash < 0) return { address, bits: width }
  const length = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(length) || Number(length) > width) return undefined
  return prefixOf(address, Number(length))
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.bits}`
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  return prefix.address.family === address.family && prefixRange(address, prefix.bits)[0].value === prefix.address.value
}
