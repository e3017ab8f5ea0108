// SPDX-License-Identifier: Apache-2.0

/**
 * Values that many rows share, by number from 1; 0 is the value that is not there. Numbers that no row holds any more are given
 * to other values after a sweep, and `generation` counts such sweeps.
 */
export class Dictionary<T> {
  readonly #keyOf: (value: T) => string
  readonly #nothing: T
  readonly #values: (T | undefined)[]
  readonly #keys: string[]
  readonly #byKey = new Map<string, number>()
  /** A reader gives the same object again and again: no need to spell it out each time. */
  readonly #byValue = new Map<T, number>()
  readonly #free: number[] = []
  #reused: number[] = []
  #generation = 0

  /** `keyOf` tells values apart; `nothing` is the value of 0. */
  constructor(keyOf: (value: T) => string, nothing: T) {
    this.#keyOf = keyOf
    this.#nothing = nothing
    this.#values = [nothing]
    this.#keys = [keyOf(nothing)]
    this.#byKey.set(keyOf(nothing), 0)
  }

  /** Numbers are below this. */
  get size(): number {
    return this.#values.length
  }

  get generation(): number {
    return this.#generation
  }

  /** Numbers that were free and have a value again, since the last sweep, in the order they got it. */
  get reused(): readonly number[] {
    return this.#reused
  }

  /** How many values there are. */
  get count(): number {
    return this.#byKey.size
  }

  /** The number of a value, which gets one if it has none yet. */
  number(value: T): number {
    if (value === this.#nothing) return 0
    if (typeof value === 'string') return this.numberOf(value, () => value)
    const known = this.#byValue.get(value)
    if (known !== undefined) return known
    const number = this.numberOf(this.#keyOf(value), () => value)
    if (this.#byValue.size >= REMEMBERED) this.#byValue.clear()
    this.#byValue.set(value, number)
    return number
  }

  /** For values that are spelled out before they are made. */
  numberOf(key: string, make: () => T): number {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const free = this.#free.pop()
    if (free !== undefined) this.#reused.push(free)
    const number = free ?? this.#values.length
    this.#values[number] = make()
    this.#keys[number] = key
    this.#byKey.set(key, number)
    return number
  }

  /** Undefined for a number that is free. */
  get(number: number): T | undefined {
    return this.#values[number]
  }

  /** Forgets the values whose numbers are not marked. */
  sweep(marked: Uint8Array): void {
    this.#byValue.clear()
    this.#reused = []
    this.#generation++
    for (let number = 1; number < this.#values.length; number++) {
      if (this.#values[number] === undefined || marked[number] === 1) continue
      this.#byKey.delete(this.#keys[number] ?? '')
      this.#values[number] = undefined
      this.#keys[number] = ''
      this.#free.push(number)
    }
  }
}

/** Of objects met lately. */
const REMEMBERED = 4096

/** The text itself. */
export function texts(): Dictionary<string> {
  return new Dictionary((text) => text, '')
}

/** Spelled as JSON: fields always stand in the same order, for every reader starts from the same empty message. */
export function messages<T>(nothing: T): Dictionary<T> {
  return new Dictionary((value) => JSON.stringify(value), nothing)
}

/** For messages with numbers of 64 bits, which JSON has no form of. */
export function wideMessages<T>(nothing: T): Dictionary<T> {
  return new Dictionary(
    (value) => JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)),
    nothing,
  )
}
