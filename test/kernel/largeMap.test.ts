// SPDX-License-Identifier: Apache-2.0

/** A map of a million entries from the kernel, by the real agent, into what the Map panel shows: memory, changes, deletion. */

import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type AgentClient, localAgent } from '../../cluster/agentClient.ts'
import { agentReader } from '../../src/maps/agentReader.ts'
import { mapRows } from '../../src/maps/mapView.ts'
import { MapModel } from '../../src/maps/mapModel.ts'
import { collectGarbage } from '../support/garbage.ts'

const ROOT = join(import.meta.dirname, '../..')
const ENTRIES = 1_000_000
const ENTRY = 80
const skip = process.getuid?.() === 0 ? false : 'skipped: creating BPF maps needs root'

interface LargeMap {
  readonly id: number
  delete(): Promise<void>
}

describe('a map of a million entries', { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-large-'))
  const helper = join(folder, 'largemap')
  const made: ChildProcessWithoutNullStreams[] = []
  let serving: ChildProcessWithoutNullStreams
  let agent: AgentClient

  before(async () => {
    execFileSync('make', ['-C', join(ROOT, 'agent'), 'build'], { stdio: 'ignore' })
    execFileSync('go', ['build', '-o', helper, './internal/bpfmap/largemap'], {
      cwd: join(ROOT, 'agent'),
      env: { ...process.env, CGO_ENABLED: '0' },
    })
    const socket = join(folder, 'agent.sock')
    serving = spawn(join(ROOT, 'dist/plumbline-agent'), ['serve', '-socket', socket, '-node', 'here', '-scope-cgroup', '/'])
    serving.stdout.resume()
    serving.stderr.resume()
    for (let i = 0; i < 100 && !existsSync(socket); i++) await new Promise((resolve) => setTimeout(resolve, 50))
    agent = localAgent('here', socket)
  })

  after(async () => {
    agent.close()
    for (const child of made) child.stdin.end()
    serving.kill()
    await once(serving, 'exit')
    rmSync(folder, { recursive: true })
  })

  async function largeMap(...options: string[]): Promise<LargeMap> {
    const child = spawn(helper, ['-entries', String(ENTRIES), ...options])
    made.push(child)
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return {
      id: Number(line.toString()),
      delete: async () => {
        child.stdin.end()
        await once(child, 'exit')
      },
    }
  }

  function modelOf(id: number): MapModel {
    const shape = { name: 'pl_large', keySize: 8, valueSize: 72, valuesPerEntry: 1, perCpu: false }
    const reader = agentReader({ id, name: 'pl_large', path: undefined }, async () => agent)
    return new MapModel({ shape, reader, names: () => undefined, onChange: () => {}, onChanges: () => {} })
  }

  /** Keys that are missing among those that stay. */
  function missing(model: MapModel): number {
    const seen = new Uint8Array(ENTRIES)
    for (let row = 0; row < model.store.end; row++) {
      if (!model.store.has(row)) continue
      const raw = model.store.raw(row)
      const view = new DataView(raw.buffer, raw.byteOffset)
      const number = Number(view.getBigUint64(0, true))
      assert.equal(Number(view.getBigUint64(8, true)), 3 * number)
      if (number < ENTRIES) seen[number] = 1
    }
    return seen.reduce((sum, one) => sum + 1 - one, 0)
  }

  test('is in sight while it is read, whole in the end, filtered and sorted, in memory bound by its bytes', async () => {
    const map = await largeMap()
    const model = modelOf(map.id)
    collectGarbage()
    const start = process.memoryUsage()
    const reading = model.read(ENTRIES)
    let early = 0
    while (model.state === 'reading') {
      await new Promise((resolve) => setTimeout(resolve, 20))
      if (early === 0 && model.state === 'reading') early = model.rows.length
    }
    await reading
    assert.ok(early > 0 && early < ENTRIES, `${early} entries were in sight while it was read`)
    assert.deepEqual([model.state, model.store.count, model.rows.length, missing(model)], ['ready', ENTRIES, ENTRIES, 0])
    const kept = model.store.bytes + model.rows.byteLength
    assert.ok(kept < 1.1 * ENTRIES * ENTRY, `${kept} bytes are kept`)

    assert.deepEqual(model.setFilter('keyNumber >= 999000 and keyNumber < 999010'), { ok: true })
    model.setSort({ column: 'key.keyNumber', descending: true })
    await model.reorder()
    const column = model.columns.findIndex(({ id }) => id === 'key.keyNumber')
    const shown = mapRows(model, 0, 100).map(({ cells }) => cells[column])
    assert.deepEqual(
      shown,
      Array.from({ length: 10 }, (_, index) => String(999_009 - index)),
    )
    model.setFilter('')
    await model.reorder()
    assert.deepEqual(
      mapRows(model, 0, 2).map(({ cells }) => cells[column]),
      ['999999', '999998'],
    )

    collectGarbage()
    const grown = process.memoryUsage()
    const growth = grown.arrayBuffers + grown.heapUsed - start.arrayBuffers - start.heapUsed
    assert.ok(
      growth < 3 * ENTRIES * ENTRY,
      `${Math.round(growth / 2 ** 20)} MiB more for ${Math.round((ENTRIES * ENTRY) / 2 ** 20)} MiB of entries`,
    )
    model.dispose()
    await map.delete()
  })

  test('that changes under the dump: every entry that stayed is there', async () => {
    const map = await largeMap('-churn', '50000')
    const model = modelOf(map.id)
    await model.read(ENTRIES)
    assert.deepEqual([model.state, missing(model)], ['ready', 0])
    model.dispose()
    await map.delete()
  })

  test('that is deleted: its last contents stay, and the panel’s model says that it is gone', async () => {
    const map = await largeMap()
    const model = modelOf(map.id)
    const reading = model.read(ENTRIES)
    while (model.store.count === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    // The agent holds the map while it dumps it, so what is deleted meanwhile still comes whole.
    await map.delete()
    await reading
    assert.deepEqual([model.state, model.store.count], ['ready', ENTRIES])
    await model.read(ENTRIES)
    assert.deepEqual([model.state, model.store.count], ['gone', ENTRIES])
    assert.match(model.failure?.message ?? '', /no such map|does not exist|gone/i)
    model.dispose()
  })
})
