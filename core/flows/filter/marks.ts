// SPDX-License-Identifier: Apache-2.0

/** Most rows that are looked at in one go. */
export const BLOCK = 8192

/** One byte a row of a block, 1 or 0; also seen as words, to combine four rows at once. */
export class Marks {
  readonly bytes = new Uint8Array(BLOCK)
  readonly words = new Uint32Array(this.bytes.buffer)

  /** All of the first rows. */
  set(count: number): this {
    this.bytes.fill(1, 0, count)
    return this
  }
}

/**
 * Clears the marks of rows that don't fulfil something. Rows lie in slots `slot` to `slot + count - 1`; what stands behind them in
 * the marks means nothing.
 */
export interface Pass {
  /** Before rows are looked at: dictionaries may have grown. */
  prepare(): void
  /** False when no row is marked any more. */
  run(marks: Marks, slot: number, count: number): boolean
}

export class AllPass implements Pass {
  readonly #passes: readonly Pass[]

  constructor(passes: readonly Pass[]) {
    this.#passes = passes
  }

  prepare(): void {
    for (const pass of this.#passes) pass.prepare()
  }

  run(marks: Marks, slot: number, count: number): boolean {
    return this.#passes.every((pass) => pass.run(marks, slot, count))
  }
}

export class NotPass implements Pass {
  readonly #pass: Pass
  readonly #marks = new Marks()

  constructor(pass: Pass) {
    this.#pass = pass
  }

  prepare(): void {
    this.#pass.prepare()
  }

  run(marks: Marks, slot: number, count: number): boolean {
    const own = this.#marks.set(count)
    if (!this.#pass.run(own, slot, count)) return true
    let some = 0
    const end = (count + 3) >>> 2
    for (let at = 0; at < end; at++) some |= marks.words[at] = (marks.words[at] as number) & ~(own.words[at] as number)
    return some !== 0
  }
}

/** One of the alternatives must hold, each a list of passes by their index. A pass that several need is run once. */
export class AlternativesPass implements Pass {
  readonly #passes: readonly Pass[]
  readonly #alternatives: readonly (readonly number[])[]
  readonly #marks: readonly Marks[]
  readonly #one = new Marks()
  readonly #found = new Marks()

  constructor(passes: readonly Pass[], alternatives: readonly (readonly number[])[]) {
    this.#passes = passes
    this.#alternatives = alternatives
    this.#marks = passes.map(() => new Marks())
  }

  prepare(): void {
    for (const pass of this.#passes) pass.prepare()
  }

  run(marks: Marks, slot: number, count: number): boolean {
    const some = this.#passes.map((pass, index) => pass.run((this.#marks[index] as Marks).set(count), slot, count))
    const end = (count + 3) >>> 2
    this.#found.words.fill(0, 0, end)
    for (const alternative of this.#alternatives)
      if (alternative.every((index) => some[index])) this.#add(alternative, count, end)
    let left = 0
    for (let at = 0; at < end; at++) left |= marks.words[at] = (marks.words[at] as number) & (this.#found.words[at] as number)
    return left !== 0
  }

  #add(alternative: readonly number[], count: number, end: number): void {
    const one = this.#one.set(count).words
    for (const index of alternative) {
      const { words } = this.#marks[index] as Marks
      for (let at = 0; at < end; at++) one[at] = (one[at] as number) & (words[at] as number)
    }
    const found = this.#found.words
    for (let at = 0; at < end; at++) found[at] = (found[at] as number) | (one[at] as number)
  }
}
