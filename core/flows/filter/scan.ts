// SPDX-License-Identifier: Apache-2.0

import type { NumberColumn } from '../store/columns.ts'
import { type Condition, conditionsOf } from './conditions.ts'
import type { Dictionary } from '../store/dictionary.ts'
import type { FlowFilter, FlowQuery } from './filter.ts'
import type { Timestamp } from '../flow.ts'
import { AllPass, AlternativesPass, type Marks, NotPass, type Pass } from './marks.ts'
import { DICTIONARY_OF } from '../store/rowDictionaries.ts'
import type { FlowStore } from '../store/store.ts'
import { packUuid } from '../store/uuid.ts'
import { wordCondition } from './words.ts'

/** @throws Error for a value that Hubble would refuse. */
export function compileQuery(query: FlowQuery, store: FlowStore): Pass {
  const passes: Pass[] = []
  if (query.since !== null || query.until !== null) passes.push(new TimePass(store, query.since, query.until))
  if (query.allow.length > 0) passes.push(oneOf(query.allow, store))
  if (query.deny.length > 0) passes.push(new NotPass(oneOf(query.deny, store)))
  for (const word of query.words) {
    const pass = compile(wordCondition(word), store)
    passes.push(word.not ? new NotPass(pass) : pass)
  }
  return new AllPass(passes)
}

/** Filters that have fields in common share what looks at rows for them. */
function oneOf(filters: readonly FlowFilter[], store: FlowStore): Pass {
  const passes: Pass[] = []
  const known = new Map<string, number>()
  const alternatives = filters.map((filter) => {
    // Values that are only wrong together are found here.
    conditionsOf(filter)
    return Object.entries(filter).map(([field, values]) => {
      const key = field + JSON.stringify(values, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
      const index = known.get(key) ?? passes.length
      if (index === passes.length) passes.push(new AllPass(conditionsOf({ [field]: values }).map((each) => compile(each, store))))
      known.set(key, index)
      return index
    })
  })
  return new AlternativesPass(passes, alternatives)
}

function compile(condition: Condition, store: FlowStore): Pass {
  switch (condition.kind) {
    case 'value':
      return new ValuePass(store, condition.column, condition.test as (value: unknown) => boolean)
    case 'port':
      return new PortPass(store, condition.column, condition.ports)
    case 'uuid':
      return new UuidPass(store, condition.uuids)
    case 'any':
      return new AlternativesPass(
        condition.of.map((each) => compile(each, store)),
        condition.of.map((_, index) => [index]),
      )
  }
}

/** Asks a test once for each value of a dictionary, then looks rows' numbers up. */
class ValuePass implements Pass {
  readonly #store: FlowStore
  readonly #column: NumberColumn
  readonly #dictionary: Dictionary<unknown>
  readonly #test: (value: unknown) => boolean
  #passing = new Uint8Array(0)
  #known = 0
  #reused = 0
  #generation = -1

  constructor(store: FlowStore, column: NumberColumn, test: (value: unknown) => boolean) {
    this.#store = store
    this.#column = column
    this.#dictionary = store.dictionaries[DICTIONARY_OF[column]] as Dictionary<unknown>
    this.#test = test
  }

  prepare(): void {
    const { size, generation, reused } = this.#dictionary
    if (generation !== this.#generation) {
      this.#known = 0
      this.#reused = 0
    }
    this.#generation = generation
    if (size > this.#passing.length) {
      const larger = new Uint8Array(size * 2)
      larger.set(this.#passing)
      this.#passing = larger
    }
    for (; this.#known < size; this.#known++) this.#ask(this.#known)
    for (; this.#reused < reused.length; this.#reused++) this.#ask(reused[this.#reused] as number)
  }

  #ask(number: number): void {
    const value = this.#dictionary.get(number)
    this.#passing[number] = value !== undefined && this.#test(value) ? 1 : 0
  }

  run({ bytes: marks }: Marks, slot: number, count: number): boolean {
    const numbers = this.#store.columns.numbers[this.#column]
    const passing = this.#passing
    if (numbers.length === 0) {
      if (passing[0] === 0) marks.fill(0, 0, count)
      return passing[0] !== 0
    }
    let some = 0
    for (let index = 0; index < count; index++)
      some |= marks[index] = (marks[index] as number) & (passing[numbers[slot + index] as number] as number)
    return some !== 0
  }
}

class PortPass implements Pass {
  readonly #store: FlowStore
  readonly #column: 'sourcePort' | 'destinationPort'
  readonly #passing = new Uint8Array(65_536)

  constructor(store: FlowStore, column: 'sourcePort' | 'destinationPort', ports: readonly number[]) {
    this.#store = store
    this.#column = column
    for (const port of ports) this.#passing[port] = 1
  }

  prepare(): void {}

  run({ bytes: marks }: Marks, slot: number, count: number): boolean {
    const ports = this.#store.columns[this.#column]
    const passing = this.#passing
    let some = 0
    for (let index = 0; index < count; index++)
      some |= marks[index] = (marks[index] as number) & (passing[ports[slot + index] as number] as number)
    return some !== 0
  }
}

class UuidPass implements Pass {
  readonly #store: FlowStore
  readonly #uuids: readonly string[]

  constructor(store: FlowStore, uuids: readonly string[]) {
    this.#store = store
    this.#uuids = uuids
  }

  prepare(): void {}

  run({ bytes: marks }: Marks, slot: number, count: number): boolean {
    const { columns, dictionaries } = this.#store
    const words = new Uint32Array(4)
    const wanted = this.#uuids.map((uuid) => ({ packed: packUuid(uuid, words, 0), words: words.slice(), uuid }))
    let some = 0
    for (let index = 0; index < count; index++) {
      if (marks[index] === 0) continue
      const at = (slot + index) * 4
      const packed = dictionaries.classes.get(columns.numbers.class[slot + index] ?? 0)?.packedUuid
      const found = wanted.some((each) =>
        packed
          ? each.packed && each.words.every((word, part) => word === columns.uuid[at + part])
          : dictionaries.texts.get(columns.uuid[at] ?? 0) === each.uuid,
      )
      some |= marks[index] = found ? 1 : 0
    }
    return some !== 0
  }
}

/** Both ends belong to the time asked for. A flow without a time is of 1970, as Hubble has it. */
class TimePass implements Pass {
  readonly #store: FlowStore
  readonly #since: Timestamp
  readonly #until: Timestamp

  constructor(store: FlowStore, since: Timestamp | null, until: Timestamp | null) {
    this.#store = store
    this.#since = since ?? { seconds: Number.NEGATIVE_INFINITY, nanos: 0 }
    this.#until = until ?? { seconds: Number.POSITIVE_INFINITY, nanos: 0 }
  }

  prepare(): void {}

  run({ bytes: marks }: Marks, slot: number, count: number): boolean {
    const { seconds, nanos } = this.#store.columns
    const [since, until] = [this.#since, this.#until]
    let some = 0
    for (let index = 0; index < count; index++) {
      const second = seconds[slot + index] as number
      const nano = nanos[slot + index] as number
      const late = second > since.seconds || (second === since.seconds && nano >= since.nanos)
      const early = second < until.seconds || (second === until.seconds && nano <= until.nanos)
      some |= marks[index] = late && early ? (marks[index] as number) : 0
    }
    return some !== 0
  }
}
