// SPDX-License-Identifier: Apache-2.0

/** A Map panel's host without VS Code: its own model over a recorded map, and the changes a test makes up. */

import { join } from 'node:path'
import { openBundlePath } from '../../cli/files/openBundle.ts'
import { CancelledError } from '../../cluster/errors.ts'
import { namesOfNode, readNodeMaps } from '../../core/ebpf/maps/nodeMaps.ts'
import { endpointName } from '../../core/overview/maps.ts'
import { loadCluster } from '../../core/facts/cluster.ts'
import type { MapChangeLine, MapView } from '../../protocol/mapPanel.ts'
import { mapAnswers } from '../../src/maps/mapAnswers.ts'
import { MapModel } from '../../src/maps/mapModel.ts'
import type { MapReader, WatchSink } from '../../src/maps/mapReader.ts'
import { mapView } from '../../src/maps/mapView.ts'
import type { Facts, FactSource } from '../../src/sources/factSource.ts'

const BUNDLE = join(import.meta.dirname, '../fixtures/bundles/cilium.zip')

export class MapHost {
  readonly model: MapModel
  readonly view: () => MapView
  readonly lines: MapChangeLine[] = []
  readonly bytes: Uint8Array
  readonly answer: (method: string, params: unknown) => unknown
  #tell: (name: string, payload: unknown) => void = () => {}
  #watcher: WatchSink | undefined
  #gone: (reason: string) => void = () => {}

  constructor(name: string) {
    const { files } = openBundlePath(BUNDLE)
    const cluster = loadCluster(files)
    const { maps } = readNodeMaps(files, 'n1')
    const map = maps.find((each) => each.name === name)
    if (map?.contents === undefined) throw new Error(`no ${name} was recorded`)
    this.bytes = files.read(map.contents.file) ?? new Uint8Array()
    const names = namesOfNode(cluster, files, 'n1', maps)
    const perCpu = map.type.includes('percpu')
    const shape = { name, keySize: map.keySize, valueSize: map.valueSize, valuesPerEntry: map.contents.valuesPerEntry, perCpu }
    const reader: MapReader = {
      read: async (_, sink) => {
        sink.shape(shape)
        await sink.entries(this.bytes, map.contents?.count ?? 0)
        return { scanned: map.contents?.count ?? 0, truncated: false, incomplete: undefined }
      },
      watch: ({ signal }, sink) => {
        this.#watcher = sink
        return new Promise((resolve, reject) => {
          this.#gone = resolve
          signal.addEventListener('abort', () => reject(new CancelledError()))
        })
      },
    }
    this.model = new MapModel({
      shape,
      reader,
      names: () => names,
      onChange: () => this.#tell('view', this.view()),
      onChanges: (lines) => this.#tell('changes', lines),
    })
    let version = 0
    const opened = {
      id: 'map',
      source: undefined as unknown as FactSource,
      facts: undefined as unknown as Facts,
      from: 'cilium (recorded)',
      node: 'n1',
      map,
      names,
      endpoint: endpointName(map, names),
    }
    this.view = () =>
      mapView(opened, this.model, {
        canRead: { possible: true },
        canWatch: { possible: true },
        filterHistory: ['port=443'],
        reason: this.model.failure === undefined ? null : { code: 'not-found', message: this.model.failure.message },
        version: version++,
      })
    const answers = mapAnswers(this.model, () => {}) as Readonly<
      Record<string, (params: never, signal: AbortSignal) => Promise<unknown>>
    >
    this.answer = (method, params) => answers[method]?.(params as never, new AbortController().signal) ?? null
  }

  /** Tells the page from now on, whatever happens. */
  async connect(tell: (name: string, payload: unknown) => Promise<void>): Promise<void> {
    this.#tell = (name, payload) => void tell(name, payload).catch(() => {})
    await this.model.read(0)
    this.#tell('view', this.view())
  }

  async change(changes: {
    readonly added?: Uint8Array
    readonly changed?: Uint8Array
    readonly removed?: Uint8Array
  }): Promise<void> {
    const none = new Uint8Array()
    await this.#watcher?.changes({ added: none, changed: none, removed: none, more: false, ...changes })
  }

  delete(reason: string): void {
    this.#gone(reason)
  }
}
