// SPDX-License-Identifier: Apache-2.0

import { didYouMean } from '../core/text/suggest.ts'
import { UsageError } from './errors.ts'

/** One `--option`. */
export interface OptionSpec {
  readonly name: string
  /** One letter, for `-o`. */
  readonly short?: string
  /**
   * `flag` takes no value; `value` one; `values` one or more, and may be repeated; `each` one, and may be repeated; `switch` none,
   * or one behind "=", and may be repeated.
   */
  readonly takes: 'flag' | 'value' | 'values' | 'each' | 'switch'
  /** How help names the value: "FILE", "netfilter|ebpf|both". */
  readonly placeholder?: string
  /** The only values allowed. */
  readonly choices?: readonly string[]
  readonly help: string
}

/** One option as it stood on the command line. */
export interface GivenOption {
  readonly name: string
  readonly values: readonly string[]
}

/** A command line, taken apart and checked against its specification. */
export class Options {
  readonly positionals: readonly string[]
  /** In the order of the command line, for options whose meaning depends on it. */
  readonly inOrder: readonly GivenOption[]
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(values: ReadonlyMap<string, readonly string[]>, positionals: readonly string[], inOrder: readonly GivenOption[]) {
    this.#values = values
    this.positionals = positionals
    this.inOrder = inOrder
  }

  flag(name: string): boolean {
    return this.#values.has(name)
  }

  value(name: string): string | undefined {
    return this.#values.get(name)?.[0]
  }

  values(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** Of these options, those that were given. */
  given(names: readonly string[]): readonly string[] {
    return names.filter((name) => this.#values.has(name))
  }

  required(name: string): string {
    const value = this.value(name)
    if (value === undefined) throw new UsageError(`\`--${name}\` is missing`)
    return value
  }
}

/**
 * Takes a command line apart: `--name value`, `--name=value`, `-o value`; `--` ends the options; `-h` is `--help`.
 * Throws UsageError naming what is wrong and what was probably meant.
 */
export function parseOptions(args: readonly string[], specs: readonly OptionSpec[]): Options {
  const values = new Map<string, readonly string[]>()
  const positionals: string[] = []
  const inOrder: GivenOption[] = []
  for (let at = 0; at < args.length; ) {
    const arg = args[at++] ?? ''
    if (arg === '--') {
      positionals.push(...args.slice(at))
      break
    }
    if (!isOption(arg)) {
      positionals.push(arg)
      continue
    }
    const { spec, attached } = findOption(arg, specs)
    const found: string[] = attached === undefined ? [] : [attached]
    if (spec.takes === 'flag' && attached !== undefined) throw new UsageError(`\`--${spec.name}\` takes no value`)
    const most = attached === undefined ? MOST[spec.takes] : 0
    for (let next = args[at]; found.length < most && next !== undefined && !isOption(next); next = args[at]) {
      found.push(next)
      at++
    }
    values.set(spec.name, accept(spec, values.get(spec.name), found))
    inOrder.push({ name: spec.name, values: found })
  }
  return new Options(values, positionals, inOrder)
}

/** Words behind an option that may be its values. */
const MOST = { flag: 0, switch: 0, value: 1, each: 1, values: Number.POSITIVE_INFINITY } as const

function isOption(arg: string): boolean {
  return arg.startsWith('-') && arg !== '-'
}

function findOption(
  arg: string,
  specs: readonly OptionSpec[],
): { readonly spec: OptionSpec; readonly attached: string | undefined } {
  const equals = arg.indexOf('=')
  const typed = equals < 0 ? arg : arg.slice(0, equals)
  const attached = equals < 0 ? undefined : arg.slice(equals + 1)
  const spec = specs.find(({ name, short }) => typed === `--${name}` || (short !== undefined && typed === `-${short}`))
  if (spec !== undefined) return { spec, attached }
  const hint = didYouMean(
    typed,
    specs.map(({ name }) => `--${name}`),
  )
  throw new UsageError(`unknown option \`${typed}\`${hint}`)
}

function accept(spec: OptionSpec, before: readonly string[] | undefined, found: readonly string[]): readonly string[] {
  if (spec.takes === 'flag') return []
  if (before !== undefined && spec.takes === 'value') throw new UsageError(`\`--${spec.name}\` is given twice`)
  if (spec.takes === 'switch') return [...(before ?? []), ...found]
  if (found.length === 0 || found.includes('')) {
    throw new UsageError(`\`--${spec.name}\` needs a value: ${spec.placeholder ?? spec.choices?.join('|') ?? 'VALUE'}`)
  }
  for (const value of found) {
    if (spec.choices === undefined || spec.choices.includes(value)) continue
    const all = spec.choices.map((choice) => `\`${choice}\``).join(', ')
    throw new UsageError(`\`--${spec.name}\` can't be \`${value}\`: it is one of ${all}${didYouMean(value, spec.choices)}`)
  }
  return [...(before ?? []), ...found]
}
