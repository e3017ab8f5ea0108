// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CancelledError, PlumblineError } from '../../cluster/errors.ts'
import type { MapShape } from '../../core/ebpf/maps/table.ts'
import type { MapChangeLine } from '../../protocol/mapPanel.ts'
import { MapModel } from './mapModel.ts'
import type { MapChanges, MapReader, ReadSink, WatchSink } from './mapReader.ts'

const SHAPE: MapShape = { name: 'cilium_lb4_backends_v3', keySize: 4, valueSize: 12, valuesPerEntry: 1, perCpu: false }

function backends(...list: readonly (readonly [id: number, port: number])[]): Uint8Array {
  const bytes = new Uint8Array(16 * list.length)
  const view = new DataView(bytes.buffer)
  for (const [at, [id, port]] of list.entries()) {
    view.setUint32(16 * at, id, true)
    view.setUint32(16 * at + 4, 0x0a000000 + id)
    view.setUint16(16 * at + 8, port)
  }
  return bytes
}

/** A reader one feeds by hand. */
class Fed implements MapReader {
  sink: ReadSink | undefined
  watcher: WatchSink | undefined
  wanted: Parameters<MapReader['read']>[0] | undefined
  finish: (end: Awaited<ReturnType<MapReader['read']>>) => void = () => {}
  fail: (error: Error) => void = () => {}
  gone: (reason: string) => void = () => {}

  read(wanted: Parameters<MapReader['read']>[0], sink: ReadSink) {
    this.wanted = wanted
    this.sink = sink
    return new Promise<Awaited<ReturnType<MapReader['read']>>>((resolve, reject) => {
      this.finish = resolve
      this.fail = reject
      wanted.signal.addEventListener('abort', () => reject(new CancelledError()))
    })
  }

  watch = (wanted: { readonly signal: AbortSignal }, sink: WatchSink) => {
    this.watcher = sink
    return new Promise<string>((resolve, reject) => {
      this.gone = resolve
      wanted.signal.addEventListener('abort', () => reject(new CancelledError()))
    })
  }

  async change(changes: Partial<MapChanges>): Promise<void> {
    const none = new Uint8Array()
    await this.watcher?.changes({ added: none, changed: none, removed: none, more: false, ...changes })
  }
}

function made(mostBytes?: number) {
  const reader = new Fed()
  const lines: MapChangeLine[] = []
  const model = new MapModel({
    shape: SHAPE,
    reader,
    names: () => undefined,
    onChange: () => {},
    onChanges: (more) => lines.push(...more),
    ...(mostBytes !== undefined && { mostBytes }),
  })
  return { reader, model, lines }
}

const END = { scanned: 3, truncated: false, incomplete: undefined }

async function filled(reader: Fed, model: MapModel, entries: Uint8Array): Promise<void> {
  const reading = model.read(3)
  reader.sink?.shape(SHAPE)
  await reader.sink?.entries(entries, 3)
  reader.finish(END)
  await reading
}

const ids = (model: MapModel) =>
  Array.from(model.rows, (row) => {
    const at = model.store.locate(row)
    return at.table.columns[0]?.value(at.row)
  })

test('entries are there while the rest still comes; filter and sort say what is shown', async () => {
  const { reader, model } = made()
  const reading = model.read(3)
  reader.sink?.shape(SHAPE)
  await reader.sink?.entries(backends([1, 80], [2, 443]), 2)
  assert.deepEqual([model.state, ids(model), model.progress?.scanned], ['reading', [1, 2], 2])
  await reader.sink?.entries(backends([3, 80]), 3)
  reader.finish(END)
  await reading
  assert.deepEqual([model.state, ids(model)], ['ready', [1, 2, 3]])
  assert.deepEqual(model.setFilter('port=80'), { ok: true })
  model.setSort({ column: 'key.id', descending: true })
  await model.reorder()
  assert.deepEqual(ids(model), [3, 1])
  assert.deepEqual(model.setFilter('port='), { ok: false, at: 5, message: 'a value after `=` is missing at the end' })
  assert.equal(model.filterText, 'port=80', 'a wrong expression changes nothing')
  const unknown = model.setFilter('prot=80')
  assert.ok(!unknown.ok && /no field `prot`/.test(unknown.message))
  model.dispose()
})

test('a map that is deleted under the dump keeps what was read, marked as gone', async () => {
  const { reader, model } = made()
  const reading = model.read(3)
  reader.sink?.shape(SHAPE)
  await reader.sink?.entries(backends([1, 80]), 1)
  reader.fail(new PlumblineError('not-found', 'map 7: no such map'))
  await reading
  assert.deepEqual([model.state, model.failure?.message, ids(model)], ['gone', 'map 7: no such map', [1]])
})

test('a cut tunnel is a failure, and a second reading that fails leaves the first in sight', async () => {
  const { reader, model } = made()
  await filled(reader, model, backends([1, 80], [2, 80]))
  const reading = model.read(2)
  reader.sink?.shape(SHAPE)
  await reader.sink?.entries(backends([9, 9]), 1)
  assert.deepEqual(ids(model), [1, 2])
  reader.fail(new PlumblineError('tunnel', 'cut'))
  await reading
  assert.deepEqual([model.state, ids(model)], ['failed', [1, 2]])
})

test('giving up the first reading keeps its part, and says so', async () => {
  const { reader, model } = made()
  const reading = model.read(3)
  reader.sink?.shape(SHAPE)
  await reader.sink?.entries(backends([1, 80]), 1)
  model.cancel()
  await reading
  assert.deepEqual([model.state, model.isCancelled, ids(model)], ['ready', true, [1]])
})

test('a watch marks and logs what is added, changed and removed; paused, it catches up', async () => {
  const { reader, model, lines } = made()
  await filled(reader, model, backends([1, 80], [2, 443]))
  model.setWatch('on')
  // The first reading: entry 2 has another port, 1 has gone, 3 is new; it comes in two pieces.
  await reader.change({ added: backends([2, 8443]), more: true })
  await reader.change({ added: backends([3, 80]) })
  await model.reorder()
  assert.deepEqual(
    lines.map(({ kind, text }) => `${kind}: ${text}`),
    [
      'note: Watching',
      'changed: id=2: port 443 → 8443',
      'added: id=3 address=10.0.0.3 port=80 protocol=ANY state=active',
      'removed: id=1 address=10.0.0.1 port=80 protocol=ANY state=active',
    ],
  )
  assert.deepEqual(ids(model).sort(), [1, 2, 3], 'a removed entry is seen for a while')
  const marks = Array.from(model.rows, (row) => model.marks.of(row))
  assert.deepEqual(marks.map((mark) => mark?.kind).sort(), ['added', 'changed', 'removed'])
  assert.deepEqual([...(marks.find((mark) => mark?.kind === 'changed')?.columns ?? [])], ['port'])
  await new Promise((resolve) => setTimeout(resolve, 2_700))
  await model.reorder()
  assert.deepEqual([ids(model).sort(), model.marks.size], [[2, 3], 0])
  model.setWatch('paused')
  model.setWatch('on')
  await reader.change({ added: backends([2, 8443]) })
  assert.match(lines.at(-1)?.text ?? '', /^id=3/)
  reader.gone('map 7: no such map')
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([model.state, model.watch], ['gone', 'off'])
  model.dispose()
})

test('a map too large to keep is cut, and then the node filters', async () => {
  const { reader, model } = made(32)
  const reading = model.read(1000)
  assert.equal(reader.wanted?.limit, 2)
  reader.sink?.shape(SHAPE)
  await reader.sink?.entries(backends([1, 80], [2, 443]), 2)
  reader.finish({ scanned: 2, truncated: true, incomplete: undefined })
  await reading
  assert.equal(model.isWhole, false)
  model.setFilter('port=443')
  assert.deepEqual(
    reader.wanted?.filters.map(({ part, offset, value }) => [part, offset, [...value]]),
    [['value', 4, [0x01, 0xbb]]],
  )
  model.dispose()
})
