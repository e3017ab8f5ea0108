// SPDX-License-Identifier: Apache-2.0

/** Something in the facts that could not be used. The rest was still read. */
export interface FactProblem {
  /** The file, as in the bundle or as given on the command line. */
  readonly file: string
  /** JSON pointer (RFC 6901) into it; empty for the whole file. */
  readonly pointer: string
  readonly reason: string
}

/**
 * A value of unknown shape together with where it stands. Reading a field that is absent or null gives undefined; reading
 * one of the wrong type reports a problem and gives undefined too, so that one bad field never costs the whole object.
 */
export class Shape {
  readonly value: unknown
  readonly file: string
  readonly pointer: string
  readonly problems: FactProblem[]

  constructor(value: unknown, file: string, pointer: string, problems: FactProblem[]) {
    this.value = value
    this.file = file
    this.pointer = pointer
    this.problems = problems
  }

  get present(): boolean {
    return this.value !== undefined && this.value !== null
  }

  report(reason: string): undefined {
    this.problems.push({ file: this.file, pointer: this.pointer, reason })
    return undefined
  }

  field(name: string): Shape {
    const value = isRecord(this.value) && Object.hasOwn(this.value, name) ? this.value[name] : undefined
    return new Shape(value, this.file, `${this.pointer}/${escapePointer(name)}`, this.problems)
  }

  /** `at('spec', 'ports')` is `field('spec').field('ports')`. */
  at(...names: readonly string[]): Shape {
    return names.reduce<Shape>((shape, name) => shape.field(name), this)
  }

  text(): string | undefined {
    return this.#typed((value) => typeof value === 'string', 'a string')
  }

  flag(): boolean | undefined {
    return this.#typed((value) => typeof value === 'boolean', 'true or false')
  }

  /** An integer from `low` to `high`. */
  integer(low = Number.MIN_SAFE_INTEGER, high = Number.MAX_SAFE_INTEGER): number | undefined {
    const within = (value: unknown): value is number =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= low && value <= high
    return this.#typed(within, low < 0 ? 'an integer' : `an integer from ${low} to ${high}`)
  }

  record(): Readonly<Record<string, unknown>> | undefined {
    return this.#typed(isRecord, 'an object')
  }

  /** Elements of a list; nothing when it is absent. */
  items(): readonly Shape[] {
    const list = this.#typed((value): value is unknown[] => Array.isArray(value), 'a list') ?? []
    return list.map((value, index) => new Shape(value, this.file, `${this.pointer}/${index}`, this.problems))
  }

  texts(): readonly string[] {
    return this.items().flatMap((item) => item.text() ?? [])
  }

  /** An object of strings, as labels are. */
  strings(): ReadonlyMap<string, string> {
    const record = this.record() ?? {}
    const pairs = Object.keys(record).flatMap((key) => {
      const value = this.field(key).text()
      return value === undefined ? [] : ([[key, value]] as const)
    })
    return new Map(pairs)
  }

  #typed<T>(test: (value: unknown) => value is T, wanted: string): T | undefined {
    if (!this.present) return undefined
    return test(this.value) ? this.value : this.report(`expected ${wanted}, found ${describe(this.value)}`)
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function escapePointer(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1')
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return `${typeof value} ${JSON.stringify(value).slice(0, 40)}`
}
