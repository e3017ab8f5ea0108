// SPDX-License-Identifier: Apache-2.0

/** A recorded cluster with one entry of one map of one node taken away or changed. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeEntries } from '../../core/ebpf/maps/decode.ts'
import { cellValue } from '../../core/ebpf/maps/cell.ts'
import { findLayout } from '../../core/ebpf/maps/find.ts'
import type { MapLayout } from '../../core/ebpf/maps/layout.ts'
import { type ClusterFacts, loadCluster } from '../../core/facts/cluster.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import { openArchive } from '../../core/facts/open.ts'
import { loadNodeSnapshot } from '../../core/facts/snapshot.ts'

/** What tests touch of an object as the API server prints it. */
export interface ApiObject {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec?: Readonly<Record<string, unknown>>
  /** Of EndpointSlices. */
  readonly endpoints?: readonly Readonly<Record<string, unknown>>[]
}

/** Values by "key.field" and "value.field". */
export type MapRow = Readonly<Record<string, number | bigint | string>>

export class EditableCluster {
  readonly facts: ClusterFacts
  readonly #files: ReadonlyMap<string, Uint8Array>

  constructor(name: string, files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files
    this.facts = loadCluster(memoryFiles(name, files))
  }

  /** With files of one node replaced; everything else is shared. */
  withNode(node: string, changed: ReadonlyMap<string, Uint8Array>): ClusterFacts {
    const snapshot = loadNodeSnapshot(memoryFiles(this.facts.name, new Map([...this.#files, ...changed])), node)
    return { ...this.facts, nodes: new Map([...this.facts.nodes, [node, snapshot]]) }
  }

  /** With the items of lists of objects as `changes` leave them, by file. */
  withObjects(changes: Readonly<Record<string, (items: readonly ApiObject[]) => readonly ApiObject[]>>): ClusterFacts {
    const changed = Object.entries(changes).map(([name, change]) => {
      const list = JSON.parse(this.text(`objects/${name}.json`)) as { items: readonly ApiObject[] }
      return [`objects/${name}.json`, Buffer.from(JSON.stringify({ ...list, items: change(list.items) }))] as const
    })
    return loadCluster(memoryFiles(this.facts.name, new Map([...this.#files, ...changed])))
  }

  text(file: string): string {
    return Buffer.from(this.#files.get(file) ?? []).toString()
  }

  files(): readonly string[] {
    return [...this.#files.keys()]
  }

  #bytes(node: string, map: string): Uint8Array {
    return this.#files.get(pathOf(node, map)) ?? new Uint8Array()
  }

  layout(node: string, map: string): MapLayout {
    const index = JSON.parse(this.text(`nodes/${node}/bpf/maps/index.json`)) as readonly {
      readonly name: string
      readonly keySize: number
      readonly valueSize: number
    }[]
    const found = index.find(({ name }) => name === map)
    const layout = found === undefined ? undefined : findLayout(found)
    if (layout === undefined) throw new Error(`${node} has no ${map}`)
    return layout
  }

  rows(node: string, map: string): readonly MapRow[] {
    const entries = decodeEntries(this.layout(node, map), this.#bytes(node, map))
    return Array.from({ length: entries.count }, (_, row) =>
      Object.fromEntries([
        ...entries.key.map((column) => [`key.${column.field.name}`, cellValue(column, row)] as const),
        ...entries.value.map((column) => [`value.${column.field.name}`, cellValue(column, row)] as const),
      ]),
    )
  }

  entries(node: string, map: string): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
    const entries = decodeEntries(this.layout(node, map), this.#bytes(node, map))
    return Array.from({ length: entries.count }, (_, row) => entries.raw(row))
  }

  without(node: string, map: string, row: number): ClusterFacts {
    return this.withNode(node, this.#cut(node, map, row))
  }

  /** The files of a bundle that lacks the row. */
  filesWithout(node: string, map: string, row: number): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#files, ...this.#cut(node, map, row)])
  }

  #cut(node: string, map: string, row: number): ReadonlyMap<string, Uint8Array> {
    const { keySize, valueSize } = this.layout(node, map)
    const size = keySize + valueSize
    const bytes = this.#bytes(node, map)
    const left = Uint8Array.from(Buffer.concat([bytes.subarray(0, row * size), bytes.subarray((row + 1) * size)]))
    return new Map([[pathOf(node, map), left]])
  }

  /** With bytes of a row's value replaced. */
  altered(node: string, map: string, row: number, offset: number, value: Uint8Array): ClusterFacts {
    const { keySize, valueSize } = this.layout(node, map)
    const bytes = Uint8Array.from(this.#bytes(node, map))
    bytes.set(value, row * (keySize + valueSize) + keySize + offset)
    return this.withNode(node, new Map([[pathOf(node, map), bytes]]))
  }
}

function pathOf(node: string, map: string): string {
  return `nodes/${node}/bpf/maps/${map}.bin`
}

/** A bundle of test/fixtures/bundles, all of it in memory. */
export function recordedBundle(name: string): EditableCluster {
  const path = join(import.meta.dirname, '../fixtures/bundles', `${name}.zip`)
  const { files } = openArchive(readFileSync(path), name)
  return new EditableCluster(name, new Map(files.list().map((file) => [file, files.read(file) ?? new Uint8Array()])))
}
