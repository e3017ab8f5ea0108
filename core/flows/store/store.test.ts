// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseFilterBox } from '../filter/filterBox.ts'
import type { Flow } from '../flow.ts'
import { readHubbleLine } from '../hubble/hubbleJson.ts'
import { MatchIndex } from '../filter/matchIndex.ts'
import { FLOW } from '../hubble/messages.ts'
import { type FlowRow, FlowStore } from './store.ts'

const RECORDED = globSync('test/fixtures/raw/*/hubble/*.jsonl')
  .flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n'))
  .flatMap((line) => {
    const event = readHubbleLine(line)
    return event.kind === 'flow' ? [event] : []
  })
const NOW = { seconds: 0, nanos: 0 }

/** A flow between pods of their own. */
function flowOf(number: number, verdict = 'FORWARDED'): FlowRow {
  const endpoint = {
    id: 0,
    identity: number,
    clusterName: '',
    namespace: 'n',
    labels: [`k8s:n=${number}`],
    podName: `p${number}`,
    workloads: [],
  }
  const time = { seconds: number, nanos: 7 }
  const flow: Flow = { ...FLOW.empty, verdict, source: endpoint, summary: `flow ${number}`, time }
  return { kind: 'flow', flow, nodeName: '', time }
}

describe('FlowStore', () => {
  test('keeps what Hubble recorded, all of it', () => {
    const store = new FlowStore()
    for (const event of RECORDED) store.append(event)
    for (const [row, event] of RECORDED.entries()) assert.deepEqual(store.event(row), event)
    assert.deepEqual(store.events(3, 2), RECORDED.slice(3, 5))
  })

  test('keeps the last flows, counts the others, and numbers never change', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(30), { maxLength: 150 }), (capacity, numbers) => {
        const store = new FlowStore({ capacity })
        const all = numbers.map((number) => flowOf(number))
        for (const event of all) store.append(event)
        assert.equal(store.appended, all.length)
        assert.equal(store.kept + store.evicted, store.appended)
        assert.equal(store.kept, Math.min(capacity, all.length))
        for (let row = store.first; row < store.next; row++) assert.deepEqual(store.event(row), all[row])
        assert.throws(() => store.event(store.first - 1), RangeError)
        assert.throws(() => store.event(store.next), RangeError)
      }),
      { numRuns: 50 },
    )
  })

  test('dictionaries forget what no row has any more', () => {
    const store = new FlowStore({ capacity: 1000 })
    for (let number = 0; number < 50_000; number++) store.append(flowOf(number))
    const { endpoints, texts } = store.dictionaries
    assert.ok(endpoints.count < 8000 && endpoints.size < 8000, `${endpoints.count} of ${endpoints.size}`)
    assert.ok(texts.count < 8000, String(texts.count))
    for (let row = store.first; row < store.next; row++) assert.deepEqual(store.event(row), flowOf(row))
  })

  test('columns that flows say nothing in take no memory', () => {
    const store = new FlowStore()
    store.append(flowOf(1))
    const before = store.columns.bytes
    store.append({ ...flowOf(2), flow: { ...flowOf(2).flow, cgroupId: 7n } })
    assert.ok(store.columns.bytes > before)
    assert.equal(store.event(1).flow.cgroupId, 7n)
  })

  test('lost events are counted by source and node', () => {
    const store = new FlowStore()
    const lost = (source: string, node: string, count: string) =>
      readHubbleLine(JSON.stringify({ lost_events: { source, num_events_lost: count }, node_name: node }))
    for (const event of [
      lost('HUBBLE_RING_BUFFER', 'n1', '5'),
      lost('HUBBLE_RING_BUFFER', 'n1', '6'),
      lost('PERF_EVENT_RING_BUFFER', 'n2', '1'),
    ])
      store.append(event)
    assert.deepEqual(
      store.lost.map(({ source, node, count }) => [source, node, count]),
      [
        ['HUBBLE_RING_BUFFER', 'n1', 11n],
        ['PERF_EVENT_RING_BUFFER', 'n2', 1n],
      ],
    )
    assert.equal(store.lostTotal, 12n)
    assert.equal(store.appended, 0)
  })

  test('the last word about each node counts', () => {
    const store = new FlowStore()
    for (const state of ['NODE_CONNECTED', 'NODE_UNAVAILABLE'])
      store.append(
        readHubbleLine(JSON.stringify({ node_status: { state_change: state, node_names: ['n1', 'n2'], message: 'm' } })),
      )
    assert.deepEqual(
      store.nodes.map(({ node, state }) => [node, state]),
      [
        ['n1', 'NODE_UNAVAILABLE'],
        ['n2', 'NODE_UNAVAILABLE'],
      ],
    )
  })

  test('a capacity that is none is refused', () => {
    for (const capacity of [0, -1, 1.5, Number.NaN]) assert.throws(() => new FlowStore({ capacity }), RangeError)
  })
})

describe('MatchIndex', () => {
  test('follows a store through evictions, whenever it looks', () => {
    const steps = fc.array(fc.record({ flows: fc.array(fc.nat(60), { maxLength: 40 }), look: fc.nat(50) }), { maxLength: 20 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), steps, (capacity, moves) => {
        const store = new FlowStore({ capacity })
        const index = new MatchIndex(store, parseFilterBox('pod:n/p1 verdict:dropped', NOW))
        const matching: number[] = []
        for (const { flows, look } of moves) {
          for (const number of flows) {
            const verdict = number % 2 === 0 ? 'DROPPED' : 'FORWARDED'
            if (String(number).startsWith('1') && number % 2 === 0) matching.push(store.next)
            store.append(flowOf(number, verdict))
          }
          index.update(look)
          for (const row of index.view()) assert.ok(matching.includes(row) && row >= store.first)
        }
        assert.equal(index.update(), true)
        const kept = matching.filter((row) => row >= store.first)
        assert.deepEqual([...index.view()], kept)
        assert.deepEqual(index.newest(3), kept.toReversed().slice(0, 3))
        assert.equal(index.length, kept.length)
        assert.equal(index.at(0), kept[0])
        assert.equal(index.at(kept.length), undefined)
        assert.deepEqual(index.slice(1, 3), kept.slice(1, 3))
        for (const [at, row] of kept.entries()) assert.equal(index.indexOf(row), at)
      }),
      { numRuns: 60 },
    )
  })

  test('numbers that were given to other values are asked again', () => {
    const store = new FlowStore({ capacity: 100 })
    const index = new MatchIndex(store, parseFilterBox('pod:n/p7', NOW))
    const found = new Set<number>()
    for (let number = 0; number < 30_000; number++) {
      store.append(flowOf(number))
      if (number % 50 !== 0) continue
      index.update()
      for (const row of index.view()) found.add(row)
    }
    const wanted = Array.from({ length: 29_951 }, (_, number) => number).filter((number) => String(number).startsWith('7'))
    assert.deepEqual(
      [...found].sort((a, b) => a - b),
      wanted,
    )
  })

  test('times have both ends', () => {
    const store = new FlowStore()
    for (let number = 0; number < 10; number++) store.append(flowOf(number))
    const index = new MatchIndex(
      store,
      parseFilterBox('since:1970-01-01T00:00:03.000000007Z until:1970-01-01T00:00:05.000000006Z', NOW),
    )
    index.update()
    assert.deepEqual([...index.view()], [3, 4])
  })

  test('words are found in names, addresses and policies', () => {
    const store = new FlowStore()
    for (const event of RECORDED) store.append(event)
    const count = (text: string) => {
      const index = new MatchIndex(store, parseFilterBox(text, NOW))
      index.update()
      return index.length
    }
    assert.ok(count('STRANGER') > 0)
    assert.equal(count('stranger') + count('-stranger'), RECORDED.length)
    assert.ok(count('"TCP Flags: SYN"') > 0)
    const named = RECORDED.filter(({ flow }) => flow.ingressDeniedBy.some(({ name }) => name === 'edge-not-stranger'))
    assert.ok(named.length > 0)
    assert.equal(count('policy:shop/edge-not-stranger'), named.length)
    assert.equal(count('policy:edge-not-stranger'), named.length)
    assert.equal(count('policy:other/edge-not-stranger'), 0)
  })
})
