// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hubbleLine, readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { flowDetails } from './flowDetails.ts'
import { FlowsModel } from './flowsModel.ts'
import { flowCells } from './flowText.ts'
import { RateMeter } from './rateMeter.ts'
import { exportRecording, readRecording } from './recordings.ts'

const RECORDINGS = join(import.meta.dirname, '../../test/fixtures/raw/cilium/hubble')
const lines = ['clients', 'dropped'].flatMap((name) =>
  readFileSync(join(RECORDINGS, `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n'),
)
const NOW = { seconds: 1_795_000_000, nanos: 0 }
const never = new AbortController().signal

function model(of: readonly string[] = lines, capacity = 1000): FlowsModel {
  const made = new FlowsModel(capacity, () => NOW.seconds * 1000)
  for (const line of of) made.append(readHubbleLine(line))
  made.update()
  return made
}

describe('what the panel shows', () => {
  test('rows by their place in the view, found again by their number', () => {
    const made = model()
    assert.deepEqual(made.setFilter('verdict:dropped', NOW), { ok: true })
    const dropped = lines.flatMap((line, seq) => (line.includes('"verdict":"DROPPED"') ? [seq] : []))
    assert.deepEqual(
      made.rows(0, 1000).map(({ seq }) => seq),
      dropped,
    )
    for (const [index, seq] of dropped.entries()) assert.equal(made.locate(seq), index)
    assert.equal(made.locate(dropped[0] === 0 ? 1 : 0), undefined)
  })

  test('places stay when older rows go', () => {
    const made = model(lines.slice(0, 50), 50)
    const before = made.rows(20, 30)
    for (const line of lines.slice(50, 60)) made.append(readHubbleLine(line))
    made.update()
    assert.deepEqual([made.first, made.count], [10, 50])
    assert.deepEqual(made.rows(20, 30), before)
    assert.equal(made.eventOf(0), undefined)
  })

  test('a filter that can’t be understood changes nothing, and says where', () => {
    const made = model()
    made.setFilter('verdict:dropped', NOW)
    const { count, generation } = made
    const wrong = made.setFilter('port:80 nosuch:3', NOW)
    assert.ok(!wrong.ok && wrong.at === 8, JSON.stringify(wrong))
    assert.deepEqual([made.count, made.generation, made.text], [count, generation, 'verdict:dropped'])
  })

  test('paused, it holds still and counts; a row that went meanwhile is said to be gone', () => {
    const made = model(lines, lines.length)
    made.pause()
    for (const line of lines.slice(0, 7)) made.append(readHubbleLine(line))
    made.update()
    assert.deepEqual([made.count, made.behind], [lines.length, 7])
    assert.deepEqual(made.rows(0, 1), [{ seq: 0, cells: [] }])
    made.resume()
    assert.deepEqual([made.first, made.count, made.behind], [7, lines.length, 0])
  })

  test('cleared, nothing of before is left', () => {
    const made = model()
    made.lostUnknown('CONNECTION', 'n1')
    made.clear()
    assert.deepEqual([made.count, made.store.appended, made.losses, made.losingNow], [0, 0, [], false])
  })
})

describe('recordings', () => {
  test('what is exported is what came, line by line', async () => {
    const made = model([])
    await readRecording(made, Buffer.from(lines.join('\n')), 'flows.jsonl', never)
    assert.equal(made.count, lines.length)
    const exported = Buffer.from(exportRecording(made)).toString().trim().split('\n')
    assert.deepEqual(
      exported.map((line) => JSON.parse(line)),
      lines.map((line) => JSON.parse(hubbleLine(readHubbleLine(line)))),
    )
  })

  test('a line that is none is told by its number', async () => {
    const broken = Buffer.from(`${lines[0]}\n\n{"flow":\n${lines[1]}\n`)
    await assert.rejects(readRecording(model([]), broken, 'flows.jsonl', never), /^FactsError: flows\.jsonl:3: /)
  })
})

describe('a flow in words', () => {
  const flowOf = (part: string) => {
    const event = readHubbleLine(lines.find((line) => line.includes(part)) ?? '')
    assert.ok(event.kind === 'flow')
    return event.flow
  }

  test('a drop: who, where to, why, seen where', () => {
    assert.deepEqual(flowCells(flowOf('edge-not-stranger')), [
      '17:08:46.019',
      'DROPPED',
      'shop/stranger',
      'shop/edge-6f7bc9c9df-nl4vt',
      '8080/TCP',
      'TCP SYN',
      'POLICY_DENY · shop/edge-not-stranger',
      'n1',
      'ingress',
      'policy-verdict',
    ])
  })

  test('what has no pod is called by its address and what Cilium takes it for', () => {
    const details = flowDetails(1, flowOf('reserved:world-ipv4'), undefined)
    assert.ok(details.ends.some(({ name }) => name === '10.200.0.100 (world-ipv4)'))
    assert.ok(details.filters.some(({ text }) => text === 'ip:10.200.0.100'))
  })

  test('names can’t forge the line they stand in', () => {
    const flow = flowOf('edge-not-stranger')
    const source = flow.source && { ...flow.source, podName: 'a\u202e\nb' }
    assert.equal(flowCells({ ...flow, source })[2], 'shop/a\\u202e\\nb')
  })
})

test('the rate is that of the last five whole seconds', () => {
  let now = 1_000_000
  const meter = new RateMeter(() => now)
  for (let second = 0; second < 8; second++) {
    meter.add(100)
    now += 1000
  }
  assert.equal(meter.perSecond, 100)
  now += 3000
  assert.equal(meter.perSecond, 40)
  now += 10_000
  assert.equal(meter.perSecond, 0)
})
