// SPDX-License-Identifier: Apache-2.0

import { ClassCache } from './classCache.ts'
import { Columns } from './columns.ts'
import type { FlowEvent } from '../flow.ts'
import { columnsOf, type RowDictionaries, rowDictionaries } from './rowDictionaries.ts'
import { extraOf, flowAt, portsOf, recordOf } from './rowValues.ts'
import { StreamState } from './streamState.ts'
import { packUuid } from './uuid.ts'

/** A flow with its envelope. */
export type FlowRow = Extract<FlowEvent, { readonly kind: 'flow' }>

/**
 * The last flows of a stream, as columns of numbers and dictionaries of what the numbers mean. Bounded: the oldest rows make room,
 * and are counted. A row is known by its number in the stream, which never changes: rows `first` to `next - 1` are kept.
 */
export class FlowStore {
  readonly columns: Columns
  readonly dictionaries: RowDictionaries = rowDictionaries()
  readonly #classes = new ClassCache(this.dictionaries.classes)
  readonly #stream = new StreamState()
  #next = 0
  #swept = 0

  /** @throws RangeError when the capacity is no whole number from 1 on. */
  constructor({ capacity = 1_000_000 }: { readonly capacity?: number } = {}) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError(`a store can't hold ${capacity} flows`)
    this.columns = new Columns(capacity)
  }

  get capacity(): number {
    return this.columns.capacity
  }

  /** The oldest row kept. */
  get first(): number {
    return Math.max(0, this.#next - this.columns.capacity)
  }

  /** The row that comes next. */
  get next(): number {
    return this.#next
  }

  /** Flows that came; always `kept + evicted`. */
  get appended(): number {
    return this.#next
  }

  get kept(): number {
    return this.#next - this.first
  }

  get evicted(): number {
    return this.first
  }

  /** What Hubble says it lost, by source and node. */
  get lost(): StreamState['lost'] {
    return this.#stream.lost
  }

  /** Of all sources and nodes. */
  get lostTotal(): bigint {
    return this.#stream.lostTotal
  }

  /** What Relay last said of each node. */
  get nodes(): StreamState['nodes'] {
    return this.#stream.nodes
  }

  /** Takes a flow in, or counts what another event says. */
  append(event: FlowEvent): void {
    if (event.kind === 'flow') this.#appendFlow(event)
    else this.#stream.take(event)
  }

  /** @throws RangeError when the row is not kept. */
  event(row: number): FlowRow {
    if (!(row >= this.first && row < this.#next)) throw new RangeError(`row ${row} is not kept`)
    return flowAt(this.columns, this.dictionaries, row % this.capacity)
  }

  /** Rows that are kept, of those asked for. */
  events(from: number, count: number): readonly FlowRow[] {
    const start = Math.max(from, this.first)
    const end = Math.min(from + count, this.#next)
    return Array.from({ length: Math.max(0, end - start) }, (_, index) => this.event(start + index))
  }

  #appendFlow(event: FlowRow): void {
    const { flow } = event
    const { columns, dictionaries: d } = this
    const slot = this.#next % columns.capacity
    columns.reserve(slot)
    const { numbers } = columns
    columns.seconds[slot] = flow.time?.seconds ?? 0
    columns.nanos[slot] = flow.time?.nanos ?? 0
    const ports = portsOf(flow.l4)
    columns.sourcePort[slot] = ports?.sourcePort ?? 0
    columns.destinationPort[slot] = ports?.destinationPort ?? 0
    const packed = packUuid(flow.uuid, columns.uuid, slot * 4)
    if (!packed) columns.uuid.set([d.texts.number(flow.uuid), 0, 0, 0], slot * 4)
    numbers.class[slot] = this.#classes.number(flow, packed)
    numbers.nodeName[slot] = d.texts.number(flow.nodeName)
    numbers.nodeLabels[slot] = d.lists.number(flow.nodeLabels)
    numbers.emitter[slot] = d.emitters.number(flow.emitter)
    numbers.source[slot] = d.endpoints.number(flow.source)
    numbers.destination[slot] = d.endpoints.number(flow.destination)
    numbers.sourceIp[slot] = d.texts.number(flow.ip?.source ?? '')
    numbers.destinationIp[slot] = d.texts.number(flow.ip?.destination ?? '')
    numbers.interface[slot] = d.interfaces.number(flow.interface)
    numbers.ethernet[slot] = d.ethernets.number(flow.ethernet)
    numbers.summary[slot] = d.texts.number(flow.summary)
    this.#appendSparse(event, slot)
    this.#next++
    this.#sweepSometimes()
  }

  #appendSparse(event: FlowRow, slot: number): void {
    const { flow } = event
    const { columns, dictionaries: d } = this
    columns.setSparse('sourceIpXlated', slot, d.texts.number(flow.ip?.sourceXlated ?? ''))
    columns.setSparse('sourceNames', slot, d.lists.number(flow.sourceNames))
    columns.setSparse('destinationNames', slot, d.lists.number(flow.destinationNames))
    columns.setSparse('sourceService', slot, d.services.number(flow.sourceService))
    columns.setSparse('destinationService', slot, d.services.number(flow.destinationService))
    columns.setSparse('l7', slot, d.records.number(recordOf(flow.l7)))
    columns.setSparse('egressAllowedBy', slot, d.policies.number(flow.egressAllowedBy))
    columns.setSparse('ingressAllowedBy', slot, d.policies.number(flow.ingressAllowedBy))
    columns.setSparse('egressDeniedBy', slot, d.policies.number(flow.egressDeniedBy))
    columns.setSparse('ingressDeniedBy', slot, d.policies.number(flow.ingressDeniedBy))
    columns.setSparse('extra', slot, d.extras.number(extraOf(event)))
    columns.setWide('latencyNs', slot, flow.l7?.latencyNs ?? 0n)
    columns.setWide('socketCookie', slot, flow.socketCookie)
    columns.setWide('cgroupId', slot, flow.cgroupId)
  }

  /** Dictionaries forget what no row holds any more, each time a quarter of the rows has gone. */
  #sweepSometimes(): void {
    const since = this.#next - this.#swept
    if (this.#next <= this.capacity || since < Math.max(this.capacity / 4, LEAST_BETWEEN_SWEEPS)) return
    this.#swept = this.#next
    for (const [name, dictionary] of Object.entries(this.dictionaries)) {
      const marked = new Uint8Array(dictionary.size)
      for (const column of columnsOf(name)) mark(this.columns.numbers[column], marked)
      if (dictionary === this.dictionaries.texts) markUuids(this.columns.uuid, marked)
      dictionary.sweep(marked)
    }
  }
}

function mark(column: Uint32Array, marked: Uint8Array): void {
  for (let slot = 0; slot < column.length; slot++) marked[column[slot] as number] = 1
}

/** Keeps some texts too many, namely where a UUID's bits look like the number of a text. */
function markUuids(words: Uint32Array, marked: Uint8Array): void {
  for (let at = 0; at < words.length; at += 4) if (words[at + 1] === 0) marked[words[at] as number] = 1
}

const LEAST_BETWEEN_SWEEPS = 4096
