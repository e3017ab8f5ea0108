// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fromJson, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { GetFlowsResponseSchema } from '../../../gen/hubble/observer/observer_pb.js'
import { hubbleLine, readHubbleLine } from './hubbleJson.ts'
import { WireReader } from './hubbleWire.ts'

const LINES = globSync('test/fixtures/raw/*/hubble/*.jsonl').flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n'))

function flowOf(line: string) {
  const event = readHubbleLine(line)
  assert.equal(event.kind, 'flow')
  return event.kind === 'flow' ? event.flow : assert.fail()
}

describe("Hubble's lines", () => {
  test('what the client recorded is written as it was', () => {
    assert.ok(LINES.length > 200)
    for (const line of LINES) assert.equal(hubbleLine(readHubbleLine(line)), line)
  })

  test('both spellings of names are taken, and fields nobody knows are passed over', () => {
    const flow = flowOf(
      '{"flow":{"isReply":true,"traffic_direction":"EGRESS","later":{"a":1},"l4":{"TCP":{"sourcePort":"80"}}},"newer":[]}',
    )
    assert.equal(flow.isReply, true)
    assert.equal(flow.trafficDirection, 'EGRESS')
    assert.equal(flow.l4?.tcp?.sourcePort, 80)
  })

  test('values of a newer Hubble are kept', () => {
    const line = '{"flow":{"verdict":"QUARANTINED","trace_reason":99,"drop_reason_desc":207}}'
    assert.equal(flowOf(line).verdict, 'QUARANTINED')
    assert.equal(flowOf(line).traceReason, '99')
    assert.equal(hubbleLine(readHubbleLine(line)), line)
  })

  test('old clients print bare flows', () => {
    const flow = '{"verdict":"DROPPED","IP":{"source":"10.0.0.1"},"node_name":"n1"}'
    assert.deepEqual(readHubbleLine(flow), { ...readHubbleLine(`{"flow":${flow}}`), nodeName: 'n1' })
  })

  test('other events of an exporter are told apart', () => {
    assert.deepEqual(readHubbleLine('{"agent_event":{"type":"AGENT_STARTED"},"node_name":"n1"}'), {
      kind: 'other',
      what: 'agent_event',
      nodeName: 'n1',
      time: null,
    })
    const lost = readHubbleLine(
      '{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"18446744073709551615","cpu":0}}',
    )
    assert.equal(lost.kind === 'lost' && lost.lost.numEventsLost, 18446744073709551615n)
    assert.equal(lost.kind === 'lost' && lost.lost.cpu, 0)
  })

  for (const [line, reason] of [
    ['{', /is not JSON/],
    ['[]', /is not an object/],
    ['{"flow":7}', /`flow` is no object: 7/],
    ['{"flow":{"l4":{"TCP":{"source_port":-1}}}}', /`flow\.l4\.TCP\.source_port` is no whole number from 0 to 4294967295: -1/],
    ['{"flow":{"source":{"labels":["a",2]}}}', /`flow\.source\.labels\[1\]` is no text: 2/],
    ['{"flow":{"time":"2026-02-30T00:00:00Z"}}', /`flow\.time` is no time/],
    ['{"flow":{"is_reply":"yes"}}', /`flow\.is_reply` is no truth value/],
  ] as const)
    test(`a bad line is refused with its place: ${line}`, () => assert.throws(() => readHubbleLine(line), reason))

  test('any text is an event or an Error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"flow":${json}}`),
        ),
        (line) => {
          try {
            readHubbleLine(line)
          } catch (error) {
            assert.ok(error instanceof Error && !(error instanceof TypeError), String(error))
          }
        },
      ),
    )
  })
})

describe("Hubble's wire form", () => {
  const messages = LINES.map((line) => toBinary(GetFlowsResponseSchema, fromJson(GetFlowsResponseSchema, JSON.parse(line))))

  test('bytes written by another library are read as the lines are', () => {
    const reader = new WireReader()
    for (const [index, bytes] of messages.entries()) assert.deepEqual(reader.read(bytes), readHubbleLine(LINES[index] ?? ''))
  })

  test('values are shared between flows', () => {
    const reader = new WireReader()
    const [first, second] = [0, 0].map((index) => reader.read(messages[index] ?? assert.fail()))
    assert.ok(first?.kind === 'flow' && second?.kind === 'flow')
    assert.equal(first.flow.source, second.flow.source)
    assert.notEqual(first.flow, second.flow)
  })

  test('fields of a newer Hubble are passed over, of every wire type', () => {
    const [bytes = new Uint8Array()] = messages
    const unknown = [0xf8, 0x3f, 0x96, 0x01, 0xf9, 0x3f, ...Array(8).fill(1), 0xfa, 0x3f, 0x02, 1, 2, 0xfd, 0x3f, 1, 2, 3, 4]
    assert.deepEqual(new WireReader().read(new Uint8Array([...unknown, ...bytes, ...unknown])), readHubbleLine(LINES[0] ?? ''))
  })

  test('bytes that were cut or changed are an event or an Error', () => {
    const reader = new WireReader()
    const place = fc.record({ message: fc.nat(messages.length - 1), cut: fc.nat(2000), at: fc.nat(2000), byte: fc.nat(255) })
    fc.assert(
      fc.property(place, ({ message, cut, at, byte }) => {
        const bytes = Uint8Array.from(messages[message] ?? []).subarray(0, cut + 1)
        bytes[at % bytes.length] = byte
        try {
          reader.read(bytes)
        } catch (error) {
          assert.ok(error instanceof Error && !(error instanceof TypeError), String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
})
