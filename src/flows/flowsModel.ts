// SPDX-License-Identifier: Apache-2.0

import type { FlowEvent, Timestamp } from '../../core/flows/flow.ts'
import { EVERYTHING, type FlowQuery } from '../../core/flows/filter/filter.ts'
import { parseFilterBox } from '../../core/flows/filter/filterBox.ts'
import { MatchIndex } from '../../core/flows/filter/matchIndex.ts'
import type { RowList } from '../../core/flows/rate.ts'
import { FlowStore } from '../../core/flows/store/store.ts'
import { FilterError } from '../../core/text/filterError.ts'
import type { Filtered, FlowRow, Following, NodeState } from '../../protocol/flowsPanel.ts'
import { flowCells } from './flowText.ts'
import { RateMeter } from './rateMeter.ts'

/** Rows that a filter is tried on at a time … */
const SLICE = 65_536
/** … and for how long, before others get their turn. */
const SLICE_MS = 20
/** For how long after a loss it is said to happen now. */
const LOSS_ALARM_MS = 10_000

export interface Recording {
  readonly name: string
  readonly written: number
}

/**
 * What the Flows panel shows: the flows that are kept, those of them that pass the filter, and what is known of where they come
 * from. No VS Code in here, so that tests and benchmarks run the real thing.
 */
export class FlowsModel {
  readonly #capacity: number
  readonly #now: () => number
  #store: FlowStore
  #rate: RateMeter
  #index: MatchIndex
  #query: FlowQuery = EVERYTHING
  #text = ''
  #generation = 0
  #scanned = true
  #rest: NodeJS.Immediate | undefined
  /** Flows that had come when it was paused. */
  #pausedAt: number | null = null
  #lostAt = Number.NEGATIVE_INFINITY
  /** Losses of which nobody knows how many. */
  readonly #unknown = new Map<string, { readonly node: string; readonly source: string }>()
  #nodes = new Map<string, NodeState>()
  following: Following | null = null
  recording: Recording | null = null
  opened: string | null = null
  /** Something is other than before. */
  onChange: () => void = () => {}

  constructor(capacity: number, now: () => number) {
    this.#capacity = capacity
    this.#now = now
    this.#store = new FlowStore({ capacity })
    this.#rate = new RateMeter(now)
    this.#index = new MatchIndex(this.#store, this.#query)
  }

  get store(): FlowStore {
    return this.#store
  }

  get capacity(): number {
    return this.#capacity
  }

  get text(): string {
    return this.#text
  }

  get query(): FlowQuery {
    return this.#query
  }

  get generation(): number {
    return this.#generation
  }

  /** Whether the filter has not been tried on all flows yet. */
  get scanning(): boolean {
    return !this.#scanned
  }

  get first(): number {
    return this.#index.dropped
  }

  get count(): number {
    return this.#index.length
  }

  get paused(): boolean {
    return this.#pausedAt !== null
  }

  /** Flows that came since it was paused. */
  get behind(): number {
    return this.#pausedAt === null ? 0 : this.#store.appended - this.#pausedAt
  }

  get perSecond(): number {
    return this.#rate.perSecond
  }

  get nodes(): readonly NodeState[] {
    return [...this.#nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  get losingNow(): boolean {
    return this.#now() - this.#lostAt < LOSS_ALARM_MS
  }

  get losses(): readonly { readonly node: string; readonly source: string; readonly count: number }[] {
    const counted = this.#store.lost.map(({ node, source, count }) => ({ node, source, count: Number(count) }))
    return [...counted, ...[...this.#unknown.values()].map((loss) => ({ ...loss, count: -1 }))]
  }

  append(event: FlowEvent): void {
    this.#store.append(event)
    if (event.kind === 'flow') this.#rate.add(1)
    if (event.kind === 'lost' && event.lost.numEventsLost > 0n) this.#lostAt = this.#now()
  }

  /** Flows were lost, and nobody knows how many. */
  lostUnknown(source: string, node: string): void {
    this.#unknown.set(`${source} ${node}`, { source, node })
    this.#lostAt = this.#now()
  }

  tellNodes(states: readonly NodeState[]): void {
    for (const state of states) this.#nodes.set(state.name, state)
    this.onChange()
  }

  /** Takes what was appended into the view, unless it is paused. */
  update(): void {
    if (this.#pausedAt === null) this.#scan()
    this.onChange()
  }

  pause(): void {
    this.#pausedAt ??= this.#store.appended
    this.onChange()
  }

  resume(): void {
    this.#pausedAt = null
    this.update()
  }

  /** A filter as it is typed. One that can't be understood changes nothing. */
  setFilter(text: string, now: Timestamp): Filtered {
    try {
      this.#look(text.trim() === '' ? EVERYTHING : parseFilterBox(text, now))
    } catch (error) {
      return {
        ok: false,
        at: error instanceof FilterError ? error.at : 0,
        reason: error instanceof Error ? error.message : String(error),
      }
    }
    this.#text = text
    this.onChange()
    return { ok: true }
  }

  /** Forgets all flows; where they come from stays. */
  clear(): void {
    this.#store = new FlowStore({ capacity: this.#capacity })
    this.#rate = new RateMeter(this.#now)
    this.#unknown.clear()
    this.#lostAt = Number.NEGATIVE_INFINITY
    if (this.#pausedAt !== null) this.#pausedAt = 0
    this.opened = null
    this.#look(this.#query)
    this.onChange()
  }

  /** Other flows come from now on. */
  forgetNodes(): void {
    this.#nodes = new Map()
  }

  rows(from: number, to: number): readonly FlowRow[] {
    const seqs = this.#index.slice(from - this.first, to - this.first)
    return seqs.map((seq) => ({ seq, cells: this.#kept(seq) ? flowCells(this.#store.event(seq).flow) : [] }))
  }

  /** Where a flow is in the view. */
  locate(seq: number): number | undefined {
    const index = this.#index.indexOf(seq)
    return this.#index.at(index) === seq ? this.first + index : undefined
  }

  /** Numbers of the view's flows, the oldest first; some may not be kept any more. */
  get list(): RowList {
    return this.#index.view()
  }

  eventOf(seq: number): Extract<FlowEvent, { kind: 'flow' }> | undefined {
    return this.#kept(seq) ? this.#store.event(seq) : undefined
  }

  #kept(seq: number): boolean {
    return seq >= this.#store.first && seq < this.#store.next
  }

  /** Looks at all flows anew. A paused view holds still what comes, not what one asks. */
  #look(query: FlowQuery): void {
    this.#index = new MatchIndex(this.#store, query)
    this.#query = query
    this.#generation++
    this.#scan()
    if (this.#pausedAt !== null) this.#pausedAt = this.#store.appended
  }

  /** Looks at the next rows; at the rest, once others have had their turn. */
  #scan(): void {
    const until = performance.now() + SLICE_MS
    do this.#scanned = this.#index.update(SLICE)
    while (!this.#scanned && performance.now() < until)
    if (this.#scanned || this.#rest !== undefined) return
    this.#rest = setImmediate(() => {
      this.#rest = undefined
      this.#scan()
      this.onChange()
    })
  }
}
