// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import { GetFlowsResponseSchema } from '../../gen/hubble/observer/observer_pb.js'
import { Place } from './place.ts'
import { envelopeOf, uuidOf } from './response.ts'

const AT = 1_795_000_000

function flow(uuid: string, node: string, seconds: number, nanos = 0): Uint8Array {
  return toBinary(
    GetFlowsResponseSchema,
    create(GetFlowsResponseSchema, {
      responseTypes: { case: 'flow', value: { uuid, nodeName: 'cluster/x', Summary: 'ü', sourceNames: ['a', 'b'] } },
      nodeName: node,
      time: { seconds: BigInt(seconds), nanos },
    }),
  )
}

function take(place: Place, response: Uint8Array): boolean {
  return place.take(response, envelopeOf(response))
}

test('the outside of a response is read without its inside', () => {
  const response = flow('0f1e', 'default/n1', AT, 123_456_789)
  assert.deepEqual(envelopeOf(response), { kind: 'flow', node: 'default/n1', time: AT * 1_000 + 123.456789 })
  assert.equal(uuidOf(response), '0f1e')
  const lost = create(GetFlowsResponseSchema, { responseTypes: { case: 'lostEvents', value: { numEventsLost: 3n } } })
  assert.equal(envelopeOf(toBinary(GetFlowsResponseSchema, lost)).kind, 'lost_events')
  assert.deepEqual(envelopeOf(new Uint8Array()), { kind: 'other', node: '', time: 0 })
})

test('what comes twice is known by its uuid, and the stream is taken up before its end', () => {
  const place = new Place()
  assert.equal(place.since, undefined)
  assert.ok(take(place, flow('a', 'n1', AT)))
  assert.ok(take(place, flow('b', 'n2', AT + 3)))
  assert.ok(take(place, flow('c', 'n1', AT + 2)), 'out of order')
  assert.ok(!take(place, flow('a', 'n1', AT)))
  assert.ok(!take(place, flow('b', 'n2', AT + 3)))
  assert.equal(place.last(), (AT + 3) * 1_000)
  assert.equal(place.last('n1'), (AT + 2) * 1_000)
  assert.equal(place.since, BigInt(AT) * 1_000_000_000n, 'not before what was asked')
  assert.ok(take(place, flow('d', 'n1', AT + 60)))
  assert.equal(place.since, BigInt(AT + 55) * 1_000_000_000n)
  assert.ok(take(place, flow('', 'n1', AT)) && take(place, flow('', 'n1', AT)), 'flows without uuid are never taken for known')
})

test('what was forgotten is not asked for again', () => {
  const place = new Place()
  for (let made = 0; made < 70_000; made++) take(place, flow(`u${made}`, 'n1', AT + 1, made))
  const after = (place.since ?? 0n) - BigInt(AT + 1) * 1_000_000_000n
  assert.ok(after >= 4_000n && after <= 5_000n, `${after} ns: the first 4464 flows, a nanosecond each, are forgotten`)
  assert.ok(take(place, flow('u1', 'n1', AT + 1, 1)), 'forgotten')
  assert.ok(!take(place, flow('u60000', 'n1', AT + 1, 60_000)))
})
