// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import type { FlowsEvent } from './flowsEvent.ts'
import { merged } from './merge.ts'
import type { ServerEvent } from './serverStream.ts'

/** A response that is its own time. */
const response = (time: number) => new Uint8Array(Float64Array.of(time).buffer)
const timeOf = (bytes: Uint8Array) => new Float64Array(bytes.slice().buffer)[0]
const flows = (...times: number[]): ServerEvent => ({ kind: 'flows', responses: times.map(response), times })

async function* from(events: readonly ServerEvent[], pauseMs = 0): AsyncGenerator<ServerEvent> {
  for (const event of events) {
    if (pauseMs > 0) await sleep(pauseMs)
    yield event
  }
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

const timesOf = (events: readonly FlowsEvent[]) =>
  events.flatMap((event) => (event.kind === 'flows' ? event.responses.map(timeOf) : []))

test('servers that come to an end are sorted exactly, however they deliver', async () => {
  const batches = fc.array(fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 5 }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(fc.array(batches, { minLength: 1, maxLength: 4 }), async (servers) => {
      const sorted = servers.map((server) => {
        const all = server.flat().sort((a, b) => a - b)
        return server.map(({ length }) => flows(...all.splice(0, length)))
      })
      const out = timesOf(
        await all(
          merged(
            sorted.map((events) => from(events)),
            undefined,
          ),
        ),
      )
      assert.deepEqual(
        out,
        servers.flat(2).sort((a, b) => a - b),
      )
    }),
    { numRuns: 60 },
  )
})

test('a quiet server holds up the others for no longer than the patience', async () => {
  const ending = new AbortController()
  async function* quiet(): AsyncGenerator<ServerEvent> {
    await sleep(60_000, undefined, { signal: ending.signal }).catch(() => {})
  }
  const begun = performance.now()
  for await (const event of merged([quiet(), from([flows(1, 2, 3)])], 80)) {
    assert.deepEqual(timesOf([event]), [1, 2, 3])
    const waited = performance.now() - begun
    assert.ok(waited >= 79 && waited < 2_000, `waited ${waited} ms`)
    break
  }
  ending.abort()
})

test('other events go on at once, and a failure ends everything', async () => {
  const told: ServerEvent = { kind: 'resumed', server: 'n1' }
  async function* failing(): AsyncGenerator<ServerEvent> {
    yield told
    await sleep(20)
    throw new Error('broken')
  }
  const seen: FlowsEvent[] = []
  await assert.rejects(async () => {
    for await (const event of merged([failing(), from([flows(1)], 5_000)], undefined)) seen.push(event)
  }, /broken/)
  assert.deepEqual(seen, [told])
})

test('a server far ahead waits, and nothing is lost', async () => {
  let made = 0
  async function* fast(): AsyncGenerator<ServerEvent> {
    for (let batch = 0; batch < 40; batch++) {
      made = (batch + 1) * 1_000
      yield flows(...Array.from({ length: 1_000 }, (_, index) => batch * 1_000 + index))
    }
  }
  async function* slow(): AsyncGenerator<ServerEvent> {
    await sleep(100)
    assert.ok(made < 20_000, `${made} were read ahead`)
    yield flows(50_000)
  }
  assert.equal(timesOf(await all(merged([fast(), slow()], undefined))).length, 40_001)
})
