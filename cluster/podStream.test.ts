// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp2Server } from 'node:http2'
import { duplexPair } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import type { WebSocket } from 'ws'
import { Agent, FileEndSchema, FileStartSchema, type SnapshotChunk, SnapshotEndSchema } from '../gen/agent_pb.js'
import { AgentClient } from './agentClient.ts'
import { WebSocketApi } from '../test/support/webSocketApi.ts'
import type { ApiServer } from './apiServer.ts'
import { ApiError, PlumblineError } from './errors.ts'
import { PodStream } from './podStream.ts'

/** Speaks the server's side of v5.channel.k8s.io on a real WebSocket. */
const peer = new WebSocketApi()
let api: ApiServer

before(async () => {
  api = await peer.open()
})

after(() => peer.close())

function open(options = {}): PodStream {
  return new PodStream(
    api,
    { namespace: 'plumbline', pod: 'agent-1', container: 'agent', command: ['/agent', 'connect'] },
    options,
  )
}

const frame = (channel: number, text: string | Buffer) => Buffer.concat([Buffer.of(channel), Buffer.from(text)])
const SUCCESS = frame(3, '{"status":"Success"}')

test('carries bytes both ways, half closes, and ends with the command', async () => {
  peer.behave = (socket, request) => {
    assert.equal(request.headers.authorization, 'Bearer secret')
    assert.match(
      request.url ?? '',
      /^\/api\/v1\/namespaces\/plumbline\/pods\/agent-1\/exec\?container=agent&.*command=%2Fagent&command=connect$/,
    )
    const got: Buffer[] = []
    socket.on('message', (message: Buffer) => {
      if (message[0] === 0) got.push(message.subarray(1))
      else if (message[0] === 255 && message[1] === 0) {
        socket.send(frame(1, Buffer.concat(got)))
        socket.send(frame(255, Buffer.of(1)))
        socket.send(SUCCESS)
        socket.close()
      }
    })
  }
  const stream = open()
  const sent = Buffer.alloc(3_000_000, 'abcdefg')
  for (let at = 0; at < sent.length; at += 100_000) stream.write(sent.subarray(at, at + 100_000))
  stream.end()
  assert.deepEqual(await buffer(stream), sent)
})

test('a reader that stops reading stops the server', async () => {
  let pending = 0
  peer.behave = (socket) => {
    for (let i = 0; i < 64; i += 1) {
      pending += 1
      socket.send(frame(1, Buffer.alloc(1 << 20)), () => {
        pending -= 1
      })
    }
    socket.send(SUCCESS)
  }
  const stream = open()
  stream.read(0)
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.ok(pending > 32, `the server still holds ${pending} of 64 MiB`)
  assert.ok(stream.readableLength < 4 << 20, `${stream.readableLength} bytes are buffered here`)
  assert.equal((await buffer(stream)).length, 64 << 20)
})

test('a write completes only once the socket took it', async () => {
  let received = 0
  let held: WebSocket | undefined
  peer.behave = (socket) => {
    held = socket
    socket.pause()
    socket.on('message', (message: Buffer) => {
      received += message.length - 1
    })
  }
  const stream = open()
  let written = 0
  for (let i = 0; i < 64; i += 1) {
    stream.write(Buffer.alloc(1 << 20), () => {
      written += 1
    })
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.ok(written < 32, `${written} MiB were taken while nobody read`)
  held?.resume()
  while (received < 64 << 20) await new Promise((resolve) => setTimeout(resolve, 20))
  stream.destroy()
})

test('a failed command tells its status and its last words', async () => {
  peer.behave = (socket) => {
    socket.send(frame(2, 'no such socket\u001b[31m\n'))
    socket.send(frame(3, '{"status":"Failure","message":"command terminated with exit code 1"}'))
  }
  const [error] = await once(open().resume(), 'error').catch((error) => [error])
  assert.ok(PlumblineError.is(error, 'tunnel'))
  assert.match(error.message, /`\/agent connect` in `agent-1` ended: command terminated with exit code 1: no such socket\\x1b/)
})

test('a cut connection, a hostile frame and silence destroy the stream with a reason', async () => {
  peer.behave = (socket) => socket.terminate()
  const [cut] = await once(open().resume(), 'error').catch((error) => [error])
  assert.match(String(cut), /The tunnel to `agent-1` was cut: the connection was closed/)
  peer.behave = (socket) => socket.send(Buffer.alloc(8 << 20))
  const [huge] = await once(open().resume(), 'error').catch((error) => [error])
  assert.match(String(huge), /was cut: Max payload size exceeded/)
  peer.behave = (socket) => socket.pause()
  const [silent] = await once(open({ pingIntervalMs: 50 }).resume(), 'error').catch((error) => [error])
  assert.match(String(silent), /no sign of life/)
})

test('a missing right is named, with the right', async () => {
  peer.refusal = {
    status: 403,
    body: JSON.stringify({
      kind: 'Status',
      message:
        'pods "agent-1" is forbidden: User "u" cannot create resource "pods/exec" in API group "" in the namespace "plumbline"',
    }),
  }
  const [error] = await once(open().resume(), 'error').catch((error) => [error])
  peer.refusal = undefined
  assert.ok(PlumblineError.is(error, 'forbidden'))
  assert.match(error.message, /^Can't exec into `agent-1`: your user lacks `create pods\/exec` in `plumbline`/)
  assert.ok(ApiError.is(error.cause))
  assert.deepEqual(error.cause.missing, { verb: 'create', group: '', resource: 'pods/exec', namespace: 'plumbline' })
})

test('carries the agent protocol, a large snapshot included', async () => {
  const content = Buffer.alloc(20 << 20, 'rules and more rules ')
  const agent = createHttp2Server(
    connectNodeAdapter({
      routes: (router) =>
        router.service(Agent, {
          getNodeInfo: () => ({ nodeName: 'n1', protocolVersion: 1 }),
          snapshot: () => chunksOf('nft.txt', content),
        }),
    }),
  )
  peer.behave = (socket) => {
    const [near, far] = duplexPair()
    agent.emit('connection', far)
    // Everything of a few milliseconds in one message, as a busy API server does: short answers then arrive whole.
    const waiting: Buffer[] = []
    const flush = setInterval(() => {
      const batch = Buffer.concat(waiting.splice(0))
      for (let at = 0; at < batch.length; at += 1 << 20) socket.send(frame(1, batch.subarray(at, at + (1 << 20))))
    }, 5)
    near.on('data', (chunk: Buffer) => waiting.push(chunk))
    near.on('error', () => {})
    near.on('close', () => clearInterval(flush))
    socket.on('message', (message: Buffer) => message[0] === 0 && near.write(message.subarray(1)))
    socket.on('close', () => near.destroy())
  }
  const client = new AgentClient('n1', { open: () => open() })
  assert.equal((await client.nodeInfo()).nodeName, 'n1')
  const files = new Map<string, Uint8Array>()
  await client.snapshot({}, { file: (path, bytes) => void files.set(path, bytes), problem: () => {} })
  assert.ok(content.equals(files.get('nft.txt') ?? Buffer.alloc(0)))
  client.close()
})

async function* chunksOf(path: string, content: Buffer) {
  const chunk = (value: SnapshotChunk['content']) => ({ content: value })
  yield chunk({ case: 'file', value: create(FileStartSchema, { path }) })
  for (let at = 0; at < content.length; at += 64 << 10)
    yield chunk({ case: 'data', value: content.subarray(at, at + (64 << 10)) })
  yield chunk({ case: 'end', value: create(FileEndSchema, { size: BigInt(content.length) }) })
  yield chunk({ case: 'done', value: create(SnapshotEndSchema, { files: 1 }) })
}
