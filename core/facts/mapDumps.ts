// SPDX-License-Identifier: Apache-2.0

import type { FactFiles } from './files.ts'
import type { FactProblem, Shape } from './objectsShape.ts'

/** One entry of bpf/maps/index.json: an eBPF map whose contents are in the snapshot. */
export interface MapDump {
  /** Pinned name. */
  readonly name: string
  /** Path in the bundle. */
  readonly file: string
  readonly keySize: number
  readonly valueSize: number
  /** Values of per-CPU maps are one per possible CPU, each rounded up to 8 bytes; 1 for other maps. */
  readonly valuesPerEntry: number
  /** There were more entries than a snapshot takes. */
  readonly truncated: boolean
  /** The dump broke off, or the map changed too much while it was read. */
  readonly incomplete: boolean
}

/** Contents of a node's eBPF maps, as the agent dumped them. */
export class MapDumps {
  readonly #files: FactFiles
  readonly #dumps: ReadonlyMap<string, MapDump>
  readonly #problems: FactProblem[]

  constructor(files: FactFiles, folder: string, index: Shape, problems: FactProblem[]) {
    this.#files = files
    this.#problems = problems
    this.#dumps = new Map(
      index
        .items()
        .flatMap((item) => parseDump(item, folder) ?? [])
        .map((dump) => [dump.name, dump]),
    )
  }

  names(): readonly string[] {
    return [...this.#dumps.keys()]
  }

  named(name: string): MapDump | undefined {
    return this.#dumps.get(name)
  }

  /** Entries, key|value|key|value…; undefined when the file is missing, which is then a problem. */
  bytes(dump: MapDump): Uint8Array | undefined {
    const bytes = this.#files.read(dump.file)
    if (bytes === undefined) this.report(dump, 'is missing, though bpf/maps/index.json lists it')
    return bytes
  }

  report(dump: MapDump, reason: string): void {
    this.#problems.push({ file: dump.file, pointer: '', reason })
  }
}

function parseDump(item: Shape, folder: string): MapDump | undefined {
  const name = item.field('name').text()
  const keySize = item.field('keySize').integer(1, 512)
  const valueSize = item.field('valueSize').integer(0, 1 << 20)
  if (name === undefined || keySize === undefined || valueSize === undefined) return undefined
  return {
    name,
    file: `${folder}/bpf/maps/${name}.bin`,
    keySize,
    valueSize,
    valuesPerEntry: item.field('valuesPerEntry').integer(1, 1 << 16) ?? 1,
    truncated: item.field('truncated').flag() ?? false,
    incomplete: item.field('incomplete').text() !== undefined,
  }
}
