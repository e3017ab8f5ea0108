// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { createServer, type Http2Server } from 'node:http2'
import { type Duplex, duplexPair } from 'node:stream'
import { afterEach, test } from 'node:test'
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Agent, type SnapshotChunk } from '../gen/agent_pb.js'
import { AgentClient } from './agentClient.ts'
import { PlumblineError } from './errors.ts'

type Chunk = Partial<Record<'file' | 'data' | 'end' | 'problem' | 'done', unknown>>

/** A real HTTP/2 server and client on a pair of in-memory streams; `cut` breaks the current one. */
class Bench {
  readonly server: Http2Server
  readonly streams: Duplex[] = []
  readonly client: AgentClient
  refuse: Error | undefined

  constructor(service: Parameters<ConnectRouter['service']>[1]) {
    this.server = createServer(connectNodeAdapter({ routes: (router) => router.service(Agent, service) }))
    this.client = new AgentClient('node-a', { open: () => this.#open() })
  }

  #open(): Duplex {
    const [near, far] = duplexPair()
    this.streams.push(near)
    far.on('error', () => {})
    near.on('close', () => far.destroy())
    const refuse = this.refuse
    if (refuse === undefined) this.server.emit('connection', far)
    else setImmediate(() => near.destroy(refuse))
    return near
  }

  cut(error = new PlumblineError('tunnel', 'The tunnel was cut: by the test')): void {
    this.streams.at(-1)?.destroy(error)
  }
}

const benches: Bench[] = []
afterEach(() => {
  for (const bench of benches.splice(0)) bench.client.close()
})

function bench(service: object): Bench {
  const info = () => ({ nodeName: 'node-a', agentVersion: '1.0.0', protocolVersion: 1 })
  const made = new Bench({ getNodeInfo: info, ...service } as never)
  benches.push(made)
  return made
}

function chunk(content: Chunk): { content: SnapshotChunk['content'] } {
  const [entry] = Object.entries(content)
  return { content: { case: entry?.[0], value: entry?.[1] } as SnapshotChunk['content'] }
}

function* whole(path: string, text: string) {
  yield chunk({ file: { path } })
  for (const part of [text.slice(0, 3), text.slice(3)]) yield chunk({ data: Buffer.from(part) })
  yield chunk({ end: { size: BigInt(text.length) } })
}

function sink() {
  const files = new Map<string, string>()
  const problems: string[] = []
  return {
    files,
    problems,
    file: (path: string, content: Uint8Array) => void files.set(path, Buffer.from(content).toString()),
    problem: (path: string, reason: string) => void problems.push(`${path}: ${reason}`),
  }
}

test('puts chunks together and passes problems on', async () => {
  const { client } = bench({
    async *snapshot() {
      yield* whole('node.json', '{"schema":1}')
      yield chunk({ problem: { path: 'bpf', reason: 'no rights' } })
      yield* whole('netns/host/nft.txt', 'table ip x')
      yield chunk({ done: { files: 2, problems: 1 } })
    },
  })
  const got = sink()
  await client.snapshot({}, got)
  assert.deepEqual(
    [...got.files],
    [
      ['node.json', '{"schema":1}'],
      ['netns/host/nft.txt', 'table ip x'],
    ],
  )
  assert.deepEqual(got.problems, ['bpf: no rights'])
  assert.equal(client.lastInfo?.agentVersion, '1.0.0')
})

test('a tunnel cut within a snapshot says so and keeps whole files', async () => {
  const made = bench({
    async *snapshot() {
      yield* whole('node.json', '{"a":1}')
      yield chunk({ file: { path: 'rest' } })
      await new Promise((resolve) => setTimeout(resolve, 50))
      made.cut()
      await new Promise((resolve) => setTimeout(resolve, 1000))
    },
  })
  const got = sink()
  await assert.rejects(
    made.client.snapshot({}, got),
    (error) => PlumblineError.is(error, 'tunnel') && /by the test/.test(error.message),
  )
  assert.deepEqual([...got.files.keys()], ['node.json'])
  await made.client.nodeInfo()
  assert.equal(made.streams.length, 2, 'the next call opened a new stream')
})

test('a stream that ends without its last message, or a file of another size, is an error', async () => {
  const early = bench({
    async *snapshot() {
      yield* whole('node.json', '{"a":1}')
    },
  })
  await assert.rejects(early.client.snapshot({}, sink()), /ended early/)
  const short = bench({
    async *snapshot() {
      yield chunk({ file: { path: 'a' } })
      yield chunk({ end: { size: 4n } })
    },
  })
  await assert.rejects(short.client.snapshot({}, sink()), /a has 0 bytes instead of 4/)
})

test('a file outside of the node folder is refused', async () => {
  for (const path of ['../../etc/passwd', '/etc/passwd', 'a//b', 'a\\b', '', 'a\u0000']) {
    const { client } = bench({
      async *snapshot() {
        yield* whole(path, 'text')
      },
    })
    await assert.rejects(client.snapshot({}, sink()), /it names a file/)
  }
})

test('reading is tried again when the tunnel could not be opened, and the reason is told when it never can', async () => {
  const made = bench({})
  made.refuse = new PlumblineError('tunnel', 'The tunnel to `x` was cut: refused')
  const recovering = made.client.nodeInfo()
  setTimeout(() => {
    made.refuse = undefined
  }, 100)
  assert.equal((await recovering).nodeName, 'node-a')
  assert.ok(made.streams.length > 1)
  const forbidden = bench({})
  forbidden.refuse = new PlumblineError('forbidden', "Can't exec")
  await assert.rejects(forbidden.client.nodeInfo(), (error) => PlumblineError.is(error, 'forbidden'))
  assert.equal(forbidden.streams.length, 1, 'a missing right does not pass by itself')
})

test('cancelling is told apart from failing', async () => {
  const { client } = bench({ getNodeInfo: () => new Promise(() => {}) })
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 50)
  await assert.rejects(client.nodeInfo(controller.signal), (error) => PlumblineError.is(error, 'cancelled'))
})

test("the agent's own error and a newer protocol are reported as what they are", async () => {
  const failing = bench({
    probe: () => {
      throw new ConnectError('no such pod\u001b[31m', Code.FailedPrecondition)
    },
  })
  await assert.rejects(
    failing.client.probe({} as never),
    (error) => PlumblineError.is(error, 'agent') && !error.message.includes('\u001b'),
  )
  const newer = bench({ getNodeInfo: () => ({ protocolVersion: 2, agentVersion: '9.0' }) })
  await assert.rejects(newer.client.nodeInfo(), (error) => PlumblineError.is(error, 'agent-version'))
})
