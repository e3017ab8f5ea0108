// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { WebSocketApi } from '../test/support/webSocketApi.ts'
import type { ApiServer } from './apiServer.ts'
import { ApiError, PlumblineError } from './errors.ts'
import { PodPort } from './podPort.ts'

/** Speaks the kubelet's side of a port forward on a real WebSocket. */
const peer = new WebSocketApi()
let api: ApiServer

before(async () => {
  api = await peer.open()
})

after(() => peer.close())

const open = () => new PodPort(api, async () => ({ namespace: 'kube-system', pod: 'relay-1', port: 4245 }))
/** 4245, little endian, as the kubelet begins each channel. */
const begin = (channel: number) => Buffer.of(channel, 0x95, 0x10)

test('carries bytes both ways, without the port numbers that begin the channels', async () => {
  peer.behave = (socket, request) => {
    assert.equal(request.url, '/api/v1/namespaces/kube-system/pods/relay-1/portforward?ports=4245')
    assert.equal(socket.protocol, 'v4.channel.k8s.io')
    socket.send(begin(0))
    socket.send(begin(1))
    socket.on('message', (message: Buffer) => {
      assert.equal(message[0], 0)
      socket.send(Buffer.concat([Buffer.of(0), message.subarray(1), message.subarray(1)]))
    })
  }
  const stream = open()
  stream.write('hello ')
  const [first] = await once(stream, 'data')
  assert.equal(String(first), 'hello hello ')
  stream.write(Buffer.of(0x95, 0x10))
  const [second] = await once(stream, 'data')
  assert.deepEqual([...second], [0x95, 0x10, 0x95, 0x10], 'what looks like a port is data later on')
  stream.destroy()
})

test('a port nobody listens on is an error with the words of the node', async () => {
  peer.behave = (socket) => {
    socket.send(begin(0))
    socket.send(begin(1))
    socket.send(Buffer.concat([Buffer.of(1), Buffer.from('failed to connect to localhost:4245: connection refused\u001b[31m')]))
  }
  const stream = open()
  const [error] = await once(stream, 'error')
  assert.ok(PlumblineError.is(error, 'tunnel'))
  assert.match(error.message, /^Port 4245 of `relay-1` can't be reached: failed to connect.*connection refused\\x1b/)
})

test('the end of the connection is an error: nobody can tell it from a cut', async () => {
  peer.behave = (socket) => {
    socket.send(begin(0))
    socket.send(begin(1))
    socket.close(1000)
  }
  const [error] = await once(open().resume(), 'error')
  assert.ok(PlumblineError.is(error, 'tunnel'))
})

test('a missing right is named, and so is a pod that is not there', async () => {
  const body = JSON.stringify({
    kind: 'Status',
    message:
      'pods "relay-1" is forbidden: User "u" cannot create resource "pods/portforward" in API group "" in the namespace "kube-system"',
  })
  peer.refusal = { status: 403, body }
  const [error] = await once(open(), 'error')
  peer.refusal = undefined
  assert.ok(PlumblineError.is(error, 'forbidden'))
  assert.ok(ApiError.is(error.cause))
  assert.deepEqual(error.cause.missing, { verb: 'create', group: '', resource: 'pods/portforward', namespace: 'kube-system' })
  const absent = new PodPort(api, () => Promise.reject(new PlumblineError('hubble-absent', 'no pod')))
  assert.ok(PlumblineError.is((await once(absent, 'error'))[0], 'hubble-absent'))
})
