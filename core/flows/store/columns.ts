// SPDX-License-Identifier: Apache-2.0

/**
 * The rows of a store as typed arrays, used as a ring. They grow by doubling until the ring has its capacity. Columns that most
 * flows have nothing to say in take no memory before the first value that is not 0.
 */
export class Columns {
  readonly capacity: number
  #allocated: number
  seconds: Float64Array
  nanos: Uint32Array
  sourcePort: Uint16Array
  destinationPort: Uint16Array
  /** Four words a row: a UUID's bits, or the number of any other text in the first (see the row's class). */
  uuid: Uint32Array
  readonly numbers: Record<NumberColumn, Uint32Array>
  readonly wide: Record<WideColumn, BigUint64Array>

  constructor(capacity: number) {
    this.capacity = capacity
    this.#allocated = Math.min(capacity, FIRST_ROWS)
    this.seconds = new Float64Array(this.#allocated)
    this.nanos = new Uint32Array(this.#allocated)
    this.sourcePort = new Uint16Array(this.#allocated)
    this.destinationPort = new Uint16Array(this.#allocated)
    this.uuid = new Uint32Array(this.#allocated * 4)
    this.numbers = record(NUMBER_COLUMNS, (column) => new Uint32Array(SPARSE.has(column) ? 0 : this.#allocated))
    this.wide = record(WIDE_COLUMNS, () => new BigUint64Array(0))
  }

  /** Bytes of all columns. */
  get bytes(): number {
    const { seconds, nanos, sourcePort, destinationPort, uuid } = this
    return [
      seconds,
      nanos,
      sourcePort,
      destinationPort,
      uuid,
      ...Object.values(this.numbers),
      ...Object.values(this.wide),
    ].reduce((sum, column) => sum + column.byteLength, 0)
  }

  /** Makes room for a slot. Before the ring is full, rows stand in the order of their slots. */
  reserve(slot: number): void {
    if (slot < this.#allocated) return
    this.#allocated = Math.min(this.capacity, this.#allocated * 2)
    this.seconds = grown(this.seconds, new Float64Array(this.#allocated))
    this.nanos = grown(this.nanos, new Uint32Array(this.#allocated))
    this.sourcePort = grown(this.sourcePort, new Uint16Array(this.#allocated))
    this.destinationPort = grown(this.destinationPort, new Uint16Array(this.#allocated))
    this.uuid = grown(this.uuid, new Uint32Array(this.#allocated * 4))
    for (const column of NUMBER_COLUMNS) {
      const old = this.numbers[column]
      if (old.length > 0) this.numbers[column] = grown(old, new Uint32Array(this.#allocated))
    }
    for (const column of WIDE_COLUMNS) {
      const old = this.wide[column]
      if (old.length > 0) this.wide[column] = grown(old, new BigUint64Array(this.#allocated))
    }
  }

  /** Sets a column that may not be there yet. */
  setSparse(column: NumberColumn, slot: number, value: number): void {
    if (this.numbers[column].length === 0) {
      if (value === 0) return
      this.numbers[column] = new Uint32Array(this.#allocated)
    }
    this.numbers[column][slot] = value
  }

  setWide(column: WideColumn, slot: number, value: bigint): void {
    if (this.wide[column].length === 0) {
      if (value === 0n) return
      this.wide[column] = new BigUint64Array(this.#allocated)
    }
    this.wide[column][slot] = value
  }
}

/** Numbers of a dictionary's values. */
const NUMBER_COLUMNS = [
  'class',
  'nodeName',
  'nodeLabels',
  'emitter',
  'source',
  'destination',
  'sourceIp',
  'destinationIp',
  'sourceIpXlated',
  'interface',
  'ethernet',
  'summary',
  'sourceNames',
  'destinationNames',
  'sourceService',
  'destinationService',
  'l7',
  'egressAllowedBy',
  'ingressAllowedBy',
  'egressDeniedBy',
  'ingressDeniedBy',
  'extra',
] as const
export type NumberColumn = (typeof NUMBER_COLUMNS)[number]

const WIDE_COLUMNS = ['latencyNs', 'socketCookie', 'cgroupId'] as const
export type WideColumn = (typeof WIDE_COLUMNS)[number]

const SPARSE: ReadonlySet<NumberColumn> = new Set<NumberColumn>([
  'sourceIpXlated',
  'sourceNames',
  'destinationNames',
  'sourceService',
  'destinationService',
  'l7',
  'egressAllowedBy',
  'ingressAllowedBy',
  'egressDeniedBy',
  'ingressDeniedBy',
  'extra',
])

const FIRST_ROWS = 4096

function record<K extends string, V>(keys: readonly K[], make: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<K, V>
}

function grown<A extends Float64Array | Uint32Array | Uint16Array | BigUint64Array>(old: A, larger: A): A {
  if (old instanceof BigUint64Array) (larger as BigUint64Array).set(old)
  else (larger as Uint32Array).set(old)
  return larger
}
