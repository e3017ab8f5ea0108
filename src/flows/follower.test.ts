// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fromJson, toBinary } from '@bufbuild/protobuf'
import { PlumblineError } from '../../cluster/errors.ts'
import type { FlowStream, FlowsEvent } from '../../cluster/hubble/flowsEvent.ts'
import { hubbleLine, readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { GetFlowsResponseSchema } from '../../gen/hubble/observer/observer_pb.js'
import { Follower, Recorder } from './follower.ts'
import { FlowsModel } from './flowsModel.ts'

const RECORDING = join(import.meta.dirname, '../../test/fixtures/raw/cilium/hubble/dropped.jsonl')
const lines = readFileSync(RECORDING, 'utf8').trim().split('\n')
const responses = lines.map((line) => toBinary(GetFlowsResponseSchema, fromJson(GetFlowsResponseSchema, JSON.parse(line))))

/** A stream that brings these events; `between` is called before each but the first. */
function streamOf(events: readonly FlowsEvent[], between: (done: number) => void): FlowStream {
  return {
    way: { kind: 'address', address: 'localhost:4245' },
    description: 'Hubble at `localhost:4245`',
    status: () => Promise.reject(new Error('nobody asks')),
    close: () => {},
    async *[Symbol.asyncIterator]() {
      for (const [index, event] of events.entries()) {
        if (index > 0) between(index)
        yield event
      }
    },
  }
}

test('what a stream brings is kept and recorded; loss, nodes and interruptions are told', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plumbline-flows-'))
  try {
    const model = new FlowsModel(1000, () => 0)
    const told: unknown[] = []
    const error = new PlumblineError('hubble', 'It closed the stream.')
    const events: FlowsEvent[] = [
      { kind: 'flows', responses: responses.slice(0, 5) },
      { kind: 'nodes', nodes: [{ node: 'n2', state: 'unavailable', reason: 'refused' }] },
      { kind: 'interrupted', server: 'the relay', error, retryInMs: 1000 },
      {
        kind: 'lost',
        loss: { source: 'CONNECTION', node: undefined, cpu: undefined, count: undefined, from: undefined, to: undefined },
      },
      {
        kind: 'lost',
        loss: { source: 'HUBBLE_RING_BUFFER', node: 'n1', cpu: undefined, count: 7n, from: undefined, to: undefined },
      },
      { kind: 'resumed', server: 'the relay' },
      { kind: 'flows', responses: responses.slice(5) },
    ]
    const follower = new Follower(
      model,
      streamOf(events, () => told.push(model.following?.interrupted)),
    )
    const recorder = new Recorder(join(folder, 'flows.jsonl'))
    follower.recorder = recorder
    await follower.run()
    assert.equal(model.count, lines.length)
    assert.deepEqual(told, [[], [], ...Array(3).fill([{ server: 'the relay', reason: 'It closed the stream.' }]), []])
    assert.deepEqual(model.losses, [
      { node: 'n1', source: 'HUBBLE_RING_BUFFER', count: 7 },
      { node: '', source: 'CONNECTION', count: -1 },
    ])
    assert.deepEqual(model.nodes, [{ name: 'n2', state: 'unavailable', reason: 'refused' }])
    assert.equal(model.following, null)
    await recorder.close()
    const written = (await readFile(recorder.path, 'utf8')).trim().split('\n')
    const flows = written.map((line) => JSON.parse(line)).filter((line) => line.flow)
    assert.deepEqual(
      flows,
      lines.map((line) => JSON.parse(hubbleLine(readHubbleLine(line)))),
    )
    assert.equal(recorder.written, lines.length + 1)
  } finally {
    await rm(folder, { recursive: true })
  }
})
