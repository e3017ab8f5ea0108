// SPDX-License-Identifier: Apache-2.0

import type { Family } from '../../net/address.ts'
import type { Statement } from '../statement.ts'

/** An option as given: `! --dport 80` is `{ name: '--dport', negated: true, values: ['80'] }`. */
export interface GivenOption {
  readonly name: string
  readonly negated: boolean
  readonly values: readonly string[]
}

/** A match or target of iptables: which options it takes, and what they mean. */
export interface Extension {
  /** Option to the number of words that follow it. */
  readonly options: Readonly<Record<string, number>>
  /** Throws `OptionError` for a value it can't read. */
  build(options: readonly GivenOption[], context: ExtensionContext): readonly Statement[]
}

/** An extension as the rule reader asks it. */
export interface LoadedExtension {
  readonly arity: ReadonlyMap<string, number>
  readonly build: Extension['build']
}

export function loaded(extensions: Readonly<Record<string, Extension>>): ReadonlyMap<string, LoadedExtension> {
  return new Map(
    Object.entries(extensions).map(([name, extension]): [string, LoadedExtension] => [
      name,
      { arity: new Map(Object.entries(extension.options)), build: extension.build },
    ]),
  )
}

export interface ExtensionContext {
  readonly family: Family
  /** Its name in the rule, for example "tcp" or "MARK". */
  readonly name: string
  /** All of its words, as a person reads them. */
  readonly text: string
}

/** A value that can't be read. The message names option and value. */
export class OptionError extends Error {}

export function invalid(option: GivenOption): OptionError {
  return new OptionError(`invalid value "${option.values.join(' ')}" for ${option.name}`)
}

/** First of the options with this name. */
export function find(options: readonly GivenOption[], name: string): GivenOption | undefined {
  for (const option of options) if (option.name === name) return option
  return undefined
}

export function first(option: GivenOption): string {
  return option.values[0] ?? ''
}

/** Decimal, hexadecimal (0x) or octal (leading 0), as strtoul reads it. */
export function number(option: GivenOption, text = first(option), max = 0xffffffff): number {
  const value = parseNumber(text)
  if (value === undefined || value > max) throw invalid(option)
  return value
}

export function parseNumber(text: string): number | undefined {
  const decimal = parseDecimal(text)
  if (decimal !== undefined) return decimal
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text, 16)
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  return undefined
}

/** Without leading zeros; by hand, because rules are full of numbers. */
export function parseDecimal(text: string): number | undefined {
  if (text.length === 0 || text.length > 10 || (text.charCodeAt(0) === 48 && text.length > 1)) return undefined
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value
}

/** `value[/mask]` of 32 bits; `defaultMask` when there is no mask. */
export function maskedNumber(option: GivenOption, defaultMask = 0xffffffff): { value: number; mask: number } {
  const text = first(option)
  const slash = text.indexOf('/')
  if (slash < 0) return { value: number(option, text), mask: defaultMask }
  return { value: number(option, text.slice(0, slash)), mask: number(option, text.slice(slash + 1)) }
}

/** `a:b`, `a:`, `:b` or `a`, both ends included. */
export function numberRange(option: GivenOption, text = first(option), max = 0xffffffff, separator = ':'): [number, number] {
  const at = text.indexOf(separator)
  if (at < 0) {
    const value = number(option, text, max)
    return [value, value]
  }
  const from = at === 0 ? 0 : number(option, text.slice(0, at), max)
  const to = at === text.length - 1 ? max : number(option, text.slice(at + 1), max)
  return [from, to]
}
