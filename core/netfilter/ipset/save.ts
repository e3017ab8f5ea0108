// SPDX-License-Identifier: Apache-2.0

import { type Address, type Family, ipv4, ipv6, parseAddress } from '../../net/address.ts'
import { parseNumber } from '../iptables/extension.ts'
import { protocolNumber } from '../iptables/header.ts'
import { ICMP_NAMES, ICMPV6_NAMES, SERVICES } from '../iptables/names.ts'
import { splitWords } from '../iptables/tokens.ts'
import type { ParseProblem, Position } from '../ruleset.ts'
import { type Dimension, type EntryPart, type IpSet, MemberSet, SetList } from './set.ts'

export interface IpSets {
  readonly sets: ReadonlyMap<string, IpSet>
  readonly problems: readonly ParseProblem[]
}

/**
 * Reads the output of `ipset save`. Never throws: lines that can't be understood become problems. Ranges, which only
 * hand-written files have, are taken apart into their addresses or ports, up to 65,536 of them.
 */
export function parseIpsets(text: string, file: string): IpSets {
  const reader = new IpsetReader(file)
  let line = 0
  for (const content of text.split('\n')) reader.readLine(content.trim(), ++line)
  return reader
}

const DIMENSIONS = new Set(['ip', 'net', 'port', 'mac', 'mark', 'iface'])
const MAX_RANGE = 65536

class IpsetReader implements IpSets {
  readonly sets = new Map<string, IpSet>()
  readonly problems: ParseProblem[] = []
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  readLine(text: string, line: number): void {
    if (text === '' || text.startsWith('#') || text === 'COMMIT' || text === 'quit') return
    const { words } = splitWords(text, 0, text.length)
    const position = { file: this.#file, line }
    const reason = this.#command(words, position)
    if (reason !== undefined) this.problems.push({ position, reason, text })
  }

  /** Carries out one line; returns what is wrong with it. */
  #command(words: readonly string[], position: Position): string | undefined {
    const [command, name = '', what = ''] = words
    switch (command) {
      case 'create':
      case '-N':
        return this.#create(name, what, words.slice(3), position)
      case 'add':
      case '-A':
        return this.#add(name, what, words.slice(3), position)
      case 'flush':
      case 'destroy':
      case '-exist':
        return undefined
    }
    return `unknown command "${command}"`
  }

  #create(name: string, type: string, options: readonly string[], position: Position): string | undefined {
    if (type === 'list:set') {
      this.sets.set(name, new SetList({ name, type, position }, this.sets))
      return undefined
    }
    const [method, parts = ''] = type.split(':')
    const dimensions = parts.split(',')
    if ((method !== 'hash' && method !== 'bitmap') || !dimensions.every((part) => DIMENSIONS.has(part)))
      return `unknown set type "${type}"`
    const netmask = parseNumber(option(options, 'netmask') ?? '')
    this.sets.set(
      name,
      new MemberSet({
        name,
        type,
        dimensions: dimensions as Dimension[],
        family: option(options, 'family') === 'inet6' ? 6 : 4,
        netmask,
        markMask: parseNumber(option(options, 'markmask') ?? '') ?? 0xffffffff,
        position,
      }),
    )
    return option(options, 'bitmask') === undefined ? undefined : `option bitmask of set "${name}" is not supported`
  }

  #add(name: string, member: string, options: readonly string[], position: Position): string | undefined {
    const set = this.sets.get(name)
    if (set instanceof SetList) {
      set.add(member)
      return undefined
    }
    if (!(set instanceof MemberSet)) return `set "${name}" was not created`
    const words = member.split(',')
    const { dimensions, family } = set.options
    const columns: EntryPart[][] = []
    for (const [index, dimension] of dimensions.entries()) {
      const word = words[index]
      const parts = word === undefined ? missingPart(dimension) : readParts(dimension, word, family, set, options)
      if (!parts) return `invalid member "${member}" of ${set.options.type}`
      columns.push(parts)
    }
    if (words.length > dimensions.length) return `invalid member "${member}" of ${set.options.type}`
    const nomatch = options.includes('nomatch')
    for (const parts of product(columns)) set.add({ parts, nomatch, position })
    return undefined
  }
}

function option(options: readonly string[], name: string): string | undefined {
  const at = options.indexOf(name)
  return at < 0 ? undefined : options[at + 1]
}

/** Members of bitmap:ip,mac may lack their MAC address: then any will do. */
function missingPart(dimension: Dimension): EntryPart[] | undefined {
  return dimension === 'mac' ? [{ kind: 'mac', mac: '*' }] : undefined
}

function product(columns: readonly EntryPart[][]): EntryPart[][] {
  let rows: EntryPart[][] = [[]]
  for (const column of columns) rows = rows.flatMap((row) => column.map((part) => [...row, part]))
  return rows
}

function readParts(
  dimension: Dimension,
  word: string,
  family: Family,
  set: MemberSet,
  options: readonly string[],
): EntryPart[] | undefined {
  switch (dimension) {
    case 'ip':
    case 'net':
      return readAddresses(word, family, dimension === 'ip' ? set.options.netmask : undefined, dimension === 'net')
    case 'port':
      return readPorts(word, set.options.type === 'bitmap:port', family)
    case 'mac':
      return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(word) ? [{ kind: 'mac', mac: word.toLowerCase() }] : undefined
    case 'mark': {
      const mark = parseNumber(word)
      return mark === undefined ? undefined : [{ kind: 'mark', mark: (mark & set.options.markMask) >>> 0 }]
    }
    case 'iface': {
      const physical = word.startsWith('physdev:')
      return [{ kind: 'iface', name: physical ? word.slice(8) : word, physical, wildcard: options.includes('wildcard') }]
    }
  }
}

function readAddresses(word: string, family: Family, netmask: number | undefined, net: boolean): EntryPart[] | undefined {
  const width = family === 4 ? 32 : 128
  const [text = '', length] = word.split('/')
  const [first = '', last] = text.split('-')
  const from = parseAddress(first)
  if (from?.family !== family) return undefined
  if (last !== undefined) return readRange(from, last)
  const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (!(bits <= width)) return undefined
  if (net || netmask !== undefined || bits === width)
    return [{ kind: 'address', address: from, bits: net ? bits : (netmask ?? width) }]
  const count = 2 ** (width - bits)
  return count > MAX_RANGE ? undefined : addresses(from, count, true)
}

function readRange(from: Address, last: string): EntryPart[] | undefined {
  const to = parseAddress(last)
  if (to?.family !== from.family) return undefined
  const count = Number(BigInt(to.value) - BigInt(from.value)) + 1
  return count < 1 || count > MAX_RANGE ? undefined : addresses(from, count, false)
}

/** `count` addresses one by one, from the start of the prefix or from the address itself. */
function addresses(from: Address, count: number, align: boolean): EntryPart[] {
  const start = BigInt(from.value)
  const base = align ? start - (start % BigInt(count)) : start
  return Array.from({ length: count }, (_, index) => ({
    kind: 'address',
    address: from.family === 4 ? ipv4(Number(base) + index) : ipv6(base + BigInt(index)),
    bits: from.family === 4 ? 32 : 128,
  }))
}

function readPorts(word: string, bitmap: boolean, family: Family): EntryPart[] | undefined {
  const colon = word.indexOf(':')
  const protocol = bitmap ? undefined : colon < 0 ? 6 : protocolNumber(word.slice(0, colon))
  if (!bitmap && protocol === undefined) return undefined
  const text = colon < 0 ? word : word.slice(colon + 1)
  if (protocol === 1 || protocol === 58) return icmpPart(text, protocol, family)
  const [first = '', last] = text.split('-')
  const from = parseNumber(first) ?? SERVICES.get(first)
  const to = last === undefined ? from : parseNumber(last)
  if (from === undefined || to === undefined || to < from || to > 65535) return undefined
  return Array.from({ length: to - from + 1 }, (_, index) => ({ kind: 'port', protocol, port: from + index }))
}

/** "echo-request", "8/0" or the number the kernel keeps: type × 256 + code. */
function icmpPart(text: string, protocol: number, family: Family): EntryPart[] | undefined {
  const named = (family === 4 ? ICMP_NAMES : ICMPV6_NAMES).get(text)
  if (named) return [{ kind: 'port', protocol, port: named[0] * 256 + (named[1] ?? 0) }]
  const [type = '', code] = text.split('/')
  const first = parseNumber(type)
  const second = code === undefined ? undefined : parseNumber(code)
  if (first === undefined || (code !== undefined && second === undefined)) return undefined
  return [{ kind: 'port', protocol, port: second === undefined ? first : first * 256 + second }]
}
