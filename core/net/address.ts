// SPDX-License-Identifier: Apache-2.0

export type Family = 4 | 6

/** An IP address by value: IPv4 as an unsigned 32-bit number, IPv6 as an unsigned 128-bit one. */
export type Address = { readonly family: 4; readonly value: number } | { readonly family: 6; readonly value: bigint }

const ALL6 = (1n << 128n) - 1n

export function ipv4(value: number): Address {
  return { family: 4, value: value >>> 0 }
}

export function ipv6(value: bigint): Address {
  return { family: 6, value: value & ALL6 }
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value
}

export function compareAddresses(a: Address, b: Address): number {
  if (a.family !== b.family) return a.family - b.family
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0
}

/** Dotted quad without leading zeros, or any text form of IPv6 (RFC 4291 2.2), zone ignored. Undefined: not an address. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes(':')) {
    const value = parseIpv6(text)
    return value === undefined ? undefined : { family: 6, value }
  }
  const value = parseIpv4(text)
  return value === undefined ? undefined : { family: 4, value }
}

/** Unsigned 32-bit value; scans by hand because rule files hold hundreds of thousands of addresses. */
export function parseIpv4(text: string): number | undefined {
  let result = 0
  let octet = -1
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 48 && code <= 57) {
      if (octet === 0) return undefined
      octet = octet < 0 ? code - 48 : octet * 10 + code - 48
      if (octet > 255) return undefined
    } else if (code === 46 && octet >= 0 && dots < 3) {
      result = result * 256 + octet
      octet = -1
      dots++
    } else return undefined
  }
  return dots === 3 && octet >= 0 ? result * 256 + octet : undefined
}

/** Unsigned 128-bit value. */
export function parseIpv6(text: string): bigint | undefined {
  const zone = text.indexOf('%')
  const halves = (zone < 0 ? text : text.slice(0, zone)).split('::')
  if (halves.length > 2) return undefined
  const head = groups(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? groups(halves[1] ?? '', true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  let result = 0n
  for (const group of [...head, ...Array<number>(missing).fill(0), ...tail]) result = (result << 16n) | BigInt(group)
  return result
}

function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const result: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes('.')) {
      const embedded = parseIpv4(part)
      if (embedded === undefined) return undefined
      result.push(embedded >>> 16, embedded & 0xffff)
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) result.push(Number.parseInt(part, 16))
    else return undefined
  }
  return result
}

/** Canonical text: dotted quad, or RFC 5952 for IPv6. */
export function formatAddress(address: Address): string {
  if (address.family === 4) {
    const v = address.value
    return `${v >>> 24}.${(v >>> 16) & 255}.${(v >>> 8) & 255}.${v & 255}`
  }
  const v = address.value
  if (v >> 32n === 0xffffn) return `::ffff:${formatAddress(ipv4(Number(v & 0xffffffffn)))}`
  const parts = Array.from({ length: 8 }, (_, i) => Number((v >> BigInt(112 - 16 * i)) & 0xffffn))
  const [start, length] = longestZeroRun(parts)
  const hex = (from: number, to: number) =>
    parts
      .slice(from, to)
      .map((part) => part.toString(16))
      .join(':')
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`
}

function longestZeroRun(parts: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  for (let i = 0; i < parts.length; i++) {
    let end = i
    while (parts[end] === 0) end++
    if (end - i > best[1]) best = [i, end - i]
    if (end > i) i = end
  }
  return best
}

/** "10.0.0.1:80", "[fd00::1]:80", or the bare address when there is no port. */
export function formatEndpoint(address: Address, port: number | undefined): string {
  const ip = formatAddress(address)
  if (port === undefined) return ip
  return address.family === 6 ? `[${ip}]:${port}` : `${ip}:${port}`
}

/** First and last address of a prefix; host bits are cleared. */
export function prefixRange(address: Address, bits: number): readonly [Address, Address] {
  if (address.family === 4) {
    const host = bits >= 32 ? 0 : 2 ** (32 - Math.max(bits, 0)) - 1
    const first = (address.value & ~host) >>> 0
    return [ipv4(first), ipv4(first + host)]
  }
  const host = bits >= 128 ? 0n : (1n << BigInt(128 - Math.max(bits, 0))) - 1n
  const first = address.value & (ALL6 ^ host)
  return [ipv6(first), ipv6(first | host)]
}
