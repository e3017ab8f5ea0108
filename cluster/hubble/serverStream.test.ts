// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { createServer } from 'node:http2'
import { type Duplex, duplexPair } from 'node:stream'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import {
  type GetFlowsRequest,
  type GetFlowsResponse,
  GetFlowsResponseSchema,
  Observer as ObserverService,
} from '../../gen/hubble/observer/observer_pb.js'
import { PlumblineError } from '../errors.ts'
import type { FlowsRequest } from './flowsEvent.ts'
import { Observer } from './observer.ts'
import { type ServerEvent, serverStream } from './serverStream.ts'

type Service = Readonly<Record<string, (request: never) => unknown>>
const AT = 1_795_000_000
const CUT = new PlumblineError('tunnel', 'The tunnel was cut: by the test')

/** Hubble's memory and uptime, and its side of an HTTP/2 connection in memory. */
class Hubble {
  readonly asked: GetFlowsRequest[] = []
  readonly ending = new AbortController()
  memory: number[] = []
  uptimeSeconds = 1_000
  maxFlows = 1_000
  /** Told when a stream has sent all it has. */
  waiting: () => void = () => {}
  #stream: Duplex | undefined

  observer(more: Service = {}): Observer {
    const status = () => ({
      numFlows: BigInt(this.memory.length),
      maxFlows: BigInt(this.maxFlows),
      uptimeNs: BigInt(this.uptimeSeconds) * 1_000_000_000n,
    })
    const service = { serverStatus: status, getFlows: (request: GetFlowsRequest) => this.#flows(request), ...more }
    const server = createServer(connectNodeAdapter({ routes: (router) => router.service(ObserverService, service as never) }))
    return new Observer('Hubble on `n1`', () => {
      const [near, far] = duplexPair()
      far.on('error', () => {})
      near.on('close', () => far.destroy())
      server.emit('connection', far)
      this.#stream = near
      return near
    })
  }

  cut(): void {
    this.#stream?.destroy(CUT)
  }

  async *#flows(request: GetFlowsRequest) {
    this.asked.push(request)
    const since = Number(request.since?.seconds ?? 0)
    const all = this.memory.filter((at) => at >= since)
    const end = request.first ? all.slice(0, Number(request.number)) : all.slice(-Number(request.number))
    for (const at of request.number > 0n ? end : all) yield flowAt(at)
    if (!request.follow) return
    this.waiting()
    await new Promise<void>((resolve) => this.ending.signal.addEventListener('abort', () => resolve()))
  }
}

function flowAt(seconds: number): object {
  const flow = { uuid: `flow-${seconds}`, nodeName: 'n1' }
  return { responseTypes: { case: 'flow', value: flow }, nodeName: 'n1', time: { seconds: BigInt(seconds), nanos: 0 } }
}

function uuids(events: readonly ServerEvent[]): string[] {
  const responses = events.flatMap((event) => (event.kind === 'flows' ? event.responses : []))
  return responses.map((bytes) => uuid(fromBinary(GetFlowsResponseSchema, bytes)))
}

function uuid({ responseTypes }: GetFlowsResponse): string {
  return responseTypes.case === 'flow' ? responseTypes.value.uuid : ''
}

/** Reads until enough was seen. */
async function read(observer: Observer, request: FlowsRequest, enough: (events: readonly ServerEvent[]) => boolean) {
  const ending = new AbortController()
  const events: ServerEvent[] = []
  for await (const event of serverStream(observer, request, 'n1', ending.signal)) {
    events.push(event)
    if (enough(events)) break
  }
  ending.abort()
  observer.close()
  return events
}

const kinds = (events: readonly ServerEvent[]) => events.map(({ kind }) => kind).filter((kind) => kind !== 'flows')

test('a stream that was cut goes on where it was, and nothing comes twice', async () => {
  const hubble = new Hubble()
  hubble.memory = [AT, AT + 1, AT + 2]
  hubble.waiting = () => {
    hubble.waiting = () => {}
    hubble.memory.push(AT + 3, AT + 4)
    setTimeout(() => hubble.cut(), 50)
  }
  const events = await read(hubble.observer(), { follow: true, last: 2 }, (seen) => uuids(seen).includes(`flow-${AT + 4}`))
  assert.deepEqual(
    uuids(events),
    [1, 2, 3, 4].map((offset) => `flow-${AT + offset}`),
  )
  assert.deepEqual(kinds(events), ['interrupted', 'resumed'])
  const [first, second] = hubble.asked
  assert.deepEqual([first?.number, first?.since, second?.number], [2n, undefined, 0n])
  assert.equal(second?.since?.seconds, BigInt(AT + 1), 'a little before the last, and not before the first')
  hubble.ending.abort()
})

test('a Hubble that was restarted has forgotten: the gap is told, its size is not made up', async () => {
  const hubble = new Hubble()
  hubble.memory = [AT]
  hubble.waiting = () => {
    hubble.waiting = () => {}
    hubble.memory = [AT + 60]
    hubble.uptimeSeconds = 1
    setTimeout(() => hubble.cut(), 50)
  }
  const events = await read(hubble.observer(), { follow: true, last: 1 }, (seen) => uuids(seen).length === 2)
  assert.deepEqual(kinds(events), ['interrupted', 'resumed', 'lost'])
  const lost = events.find(({ kind }) => kind === 'lost')
  assert.ok(lost?.kind === 'lost')
  const from = BigInt(AT) * 1_000_000_000n
  assert.deepEqual(lost.loss, { source: 'CONNECTION', node: undefined, cpu: undefined, count: undefined, from, to: undefined })
  hubble.ending.abort()
})

test('so has one whose memory is full and reaches back less than the interruption was long', async () => {
  for (const [span, gap] of [
    [0, true],
    [60, false],
  ] as const) {
    const hubble = new Hubble()
    hubble.maxFlows = 2
    hubble.memory = [AT, AT + 1]
    hubble.waiting = () => {
      hubble.waiting = () => {}
      hubble.memory = [AT + 100, AT + 100 + span]
      setTimeout(() => hubble.cut(), 50)
    }
    const events = await read(hubble.observer(), { follow: true, last: 2 }, (seen) => uuids(seen).length >= 3)
    assert.equal(kinds(events).includes('lost'), gap, `a memory of ${span} s`)
    hubble.ending.abort()
  }
})

test('a stream that does not follow is not asked twice, and a refusal is no interruption', async () => {
  const hubble = new Hubble()
  hubble.memory = [AT, AT + 1]
  assert.deepEqual(uuids(await read(hubble.observer(), { last: 1 }, () => false)), [`flow-${AT + 1}`])
  const refusing = hubble.observer({
    getFlows: () => {
      throw new ConnectError('no such filter\u001b[0m', Code.InvalidArgument)
    },
  })
  await assert.rejects(
    read(refusing, { follow: true }, () => false),
    (error) => {
      assert.ok(PlumblineError.is(error, 'hubble'))
      assert.equal(error.message, 'Hubble on `n1` answered: no such filter\\x1b[0m')
      return true
    },
  )
})

test('what Hubble lost is told with its words, and in its place', async () => {
  const hubble = new Hubble()
  const lostEvents = { source: 3, numEventsLost: 17n }
  const observer = hubble.observer({
    async *getFlows() {
      yield flowAt(AT)
      yield { responseTypes: { case: 'lostEvents', value: lostEvents }, nodeName: 'n1', time: { seconds: BigInt(AT) } }
      yield { responseTypes: { case: 'nodeStatus', value: { stateChange: 2, nodeNames: ['n2'] } } }
      yield flowAt(AT + 1)
    },
  })
  const events = await read(observer, {}, () => false)
  const lost = events.find((event) => event.kind === 'lost')
  assert.equal(lost?.loss.source, 'HUBBLE_RING_BUFFER')
  assert.equal(lost.loss.count, 17n)
  assert.equal(lost.loss.node, 'n1')
  const nodes = events.find((event) => event.kind === 'nodes')
  assert.deepEqual(nodes?.nodes, [{ node: 'n2', state: 'unavailable', reason: '' }])
  assert.deepEqual(uuids(events), [`flow-${AT}`, `flow-${AT + 1}`])
})

test('a server that speaks no gRPC, or is not there, is told as that', async () => {
  const absent = new Observer('Hubble at `x`', () => {
    const [near] = duplexPair()
    setImmediate(() => near.destroy(new Error('connect ECONNREFUSED')))
    return near
  })
  await assert.rejects(absent.serverStatus(), (error) => {
    assert.ok(PlumblineError.is(error, 'unreachable'))
    assert.equal(error.message, "Hubble at `x` can't be reached: connect ECONNREFUSED")
    return true
  })
  const web = createServer((_request, response) => response.end('hello'))
  const strange = new Observer('Hubble at `y`', () => {
    const [near, far] = duplexPair()
    web.emit('connection', far)
    return near
  })
  await assert.rejects(strange.serverStatus(), /Hubble at `y`.*no gRPC/)
  strange.close()
})
