// SPDX-License-Identifier: Apache-2.0

/** What is counted over rows: rate, drops and the service map, against counting the flows themselves one by one. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { dropsOf } from './drops.ts'
import type { Flow, FlowEvent } from './flow.ts'
import { readHubbleLine } from './hubble/hubbleJson.ts'
import { type RowList, rateOf } from './rate.ts'
import { serviceMapOf } from './serviceMap.ts'
import { FlowStore } from './store/store.ts'

const RECORDINGS = join(import.meta.dirname, '../../test/fixtures/raw/cilium/hubble')

function recorded(name: string): readonly Flow[] {
  const lines = readFileSync(join(RECORDINGS, `${name}.jsonl`), 'utf8').split('\n')
  return lines.filter((line) => line !== '').flatMap((line) => flowOf(readHubbleLine(line)))
}

function flowOf(event: FlowEvent): Flow[] {
  return event.kind === 'flow' ? [event.flow] : []
}

const flows = [...recorded('clients'), ...recorded('dropped')]

function stored(all: readonly Flow[], capacity = 10_000): FlowStore {
  const store = new FlowStore({ capacity })
  for (const flow of all) store.append({ kind: 'flow', flow, nodeName: flow.nodeName, time: flow.time })
  return store
}

function every(store: FlowStore): RowList {
  return Array.from({ length: store.kept }, (_, index) => store.first + index)
}

const isBad = ({ verdict }: Flow) => verdict === 'DROPPED' || verdict === 'ERROR'
const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0)

describe('rate', () => {
  test('each flow counts in the second it was seen in', () => {
    const store = stored(flows)
    const rate = rateOf(store, every(store), 1000)
    assert.equal(rate.step, 1)
    for (const [index, time] of rate.times.entries()) {
      const then = flows.filter((flow) => flow.time?.seconds === time)
      assert.equal(rate.dropped[index], then.filter(isBad).length)
      assert.equal(rate.forwarded[index], then.length - then.filter(isBad).length)
    }
    assert.equal(sum(rate.forwarded) + sum(rate.dropped), flows.length)
  })

  test('few stretches are longer ones', () => {
    const store = stored(flows)
    const rate = rateOf(store, every(store), 3)
    assert.ok(rate.times.length <= 3 && rate.step > 1)
    assert.equal(sum(rate.forwarded) + sum(rate.dropped), flows.length)
  })

  test('a clock that is years off makes no years of stretches; no rows make none', () => {
    const [flow] = flows
    assert.ok(flow?.time)
    const store = stored([{ ...flow, time: { seconds: 1, nanos: 0 } }, ...flows])
    const rate = rateOf(store, every(store), 120)
    assert.ok(rate.times.length <= 120)
    assert.equal(sum(rate.forwarded) + sum(rate.dropped), flows.length)
    assert.deepEqual(rateOf(store, [], 120).times, [])
  })

  test('rows that are not kept any more are not counted', () => {
    const store = stored(flows, 50)
    const stale: RowList = flows.map((_, index) => index)
    const rate = rateOf(store, stale, 1000)
    assert.equal(sum(rate.forwarded) + sum(rate.dropped), 50)
  })
})

describe('drops', () => {
  test('by reason and by what decided, all of them, with the newest of each', () => {
    const store = stored(flows)
    const groups = dropsOf(store, every(store))
    const dropped = flows.filter(isBad)
    assert.ok(dropped.length > 5)
    assert.equal(sum(groups.map(({ count }) => count)), dropped.length)
    for (const { reason, count, rules } of groups) {
      assert.equal(count, dropped.filter((flow) => flow.dropReasonDesc === reason).length)
      assert.equal(sum(rules.map((rule) => rule.count)), count)
      for (const rule of rules) {
        const { flow } = store.event(rule.row)
        assert.ok(isBad(flow) && flow.dropReasonDesc === reason && flow.trafficDirection === rule.direction)
        const alike = (each: Flow) =>
          isBad(each) &&
          each.dropReasonDesc === reason &&
          each.trafficDirection === rule.direction &&
          (rule.policies.length === 0 || each.ingressDeniedBy.length + each.egressDeniedBy.length > 0) &&
          (rule.direction === 'EGRESS' ? each.source : each.destination)?.podName ===
            (rule.direction === 'EGRESS' ? flow.source : flow.destination)?.podName
        assert.equal(flows.findLastIndex(alike), rule.row)
      }
    }
  })

  test('policies that Hubble names tell drops apart', () => {
    const [flow] = flows.filter(isBad)
    assert.ok(flow)
    const policy = (name: string) => ({ name, namespace: 'shop', labels: [], revision: 1n, kind: 'CiliumNetworkPolicy' })
    const store = stored(['one', 'two', 'two'].map((name) => ({ ...flow, ingressDeniedBy: [policy(name)] })))
    const [group] = dropsOf(store, every(store))
    assert.deepEqual(
      group?.rules.map(({ policies, count }) => [policies[0]?.name, count]),
      [
        ['two', 2],
        ['one', 1],
      ],
    )
  })
})

describe('service map', () => {
  test('who asked whom: counts are those of the flows', () => {
    const store = stored(flows)
    const map = serviceMapOf(store, every(store), 100)
    const asked = flows.filter((flow) => flow.isReply === false || (isBad(flow) && flow.isReply !== true))
    assert.equal(sum(map.lines.map(({ forwarded }) => forwarded)), asked.filter((flow) => !isBad(flow)).length)
    assert.equal(sum(map.lines.map(({ dropped }) => dropped)), asked.filter(isBad).length)
    assert.equal(map.left, 0)
    const name = (id: string) => map.ends.find((end) => end.id === id)?.name
    const line = map.lines.find(({ from, to }) => name(from) === 'client-n1' && name(to) === 'db')
    assert.deepEqual(line && [line.forwarded, line.ports], [0, ['5432/TCP']])
    assert.ok((line?.dropped ?? 0) > 0)
  })

  test('of too many ends the busiest are drawn, and the others counted', () => {
    const store = stored(flows)
    const all = serviceMapOf(store, every(store), 100)
    const few = serviceMapOf(store, every(store), 2)
    assert.equal(few.ends.length, 2)
    assert.equal(few.left, all.ends.length - 2)
    assert.ok(few.lines.every(({ from, to }) => few.ends.some(({ id }) => id === from) && few.ends.some(({ id }) => id === to)))
  })
})
