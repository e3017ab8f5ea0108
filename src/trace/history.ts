// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { Owner } from '../disposable.ts'
import { setContext } from '../typed.ts'
import type { AskedTrace } from './question.ts'

/** A question that was asked, and how its answer began. */
export interface TraceRecord {
  readonly id: string
  readonly sourceId: string
  readonly sourceName: string
  readonly asked: AskedTrace
  /** RFC 3339. */
  readonly at: string
  readonly mood: 'good' | 'bad' | 'mixed' | 'unknown'
  readonly headline: string
}

const KEY = 'traces'
const KEPT = 50

/** Recent questions, newest first, kept with the workspace. */
export class TraceHistory extends Owner {
  readonly #memory: vscode.Memento
  readonly #changed = this.own(new vscode.EventEmitter<void>())
  readonly onDidChange = this.#changed.event

  constructor(memory: vscode.Memento) {
    super()
    this.#memory = memory
    setContext('plumbline.hasTraces', this.records.length > 0)
  }

  get records(): readonly TraceRecord[] {
    return this.#memory.get<readonly TraceRecord[]>(KEY, [])
  }

  /** The same question about the same cluster replaces its older record. */
  async add(record: TraceRecord): Promise<void> {
    const others = this.records.filter((other) => identity(other) !== identity(record))
    await this.#keep([record, ...others].slice(0, KEPT))
  }

  async remove(record: TraceRecord): Promise<void> {
    await this.#keep(this.records.filter((other) => other.id !== record.id))
  }

  async clear(): Promise<void> {
    await this.#keep([])
  }

  async #keep(records: readonly TraceRecord[]): Promise<void> {
    await this.#memory.update(KEY, records)
    setContext('plumbline.hasTraces', records.length > 0)
    this.#changed.fire()
  }
}

function identity({ sourceId, asked }: TraceRecord): string {
  return JSON.stringify([sourceId, asked.from, asked.to])
}
