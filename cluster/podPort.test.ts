// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { KubeConfig } from '@kubernetes/client-node'
import { type WebSocket, WebSocketServer } from 'ws'
import { ApiServer } from './apiServer.ts'
import { ApiError, PlumblineError } from './errors.ts'
import { PodPort } from './podPort.ts'

/** Speaks the kubelet's side of a port forward on a real WebSocket. */
let http: Server
let sockets: WebSocketServer
let api: ApiServer
let behave: (socket: WebSocket, request: IncomingMessage) => void
let refusal: string | undefined

before(async () => {
  http = createServer()
  sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false })
  http.on('upgrade', (request, socket, head) => {
    if (refusal !== undefined) socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${refusal.length}\r\n\r\n${refusal}`)
    else sockets.handleUpgrade(request, socket, head, (accepted) => behave(accepted, request))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const config = new KubeConfig()
  const server = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  config.loadFromClusterAndUser({ name: 'c', server, skipTLSVerify: true }, { name: 'u', token: 'secret' })
  api = await ApiServer.open(async () => config, 'u')
})

after(() => {
  for (const socket of sockets.clients) socket.terminate()
  sockets.close()
  http.closeAllConnections()
  http.close()
})

const open = () => new PodPort(api, async () => ({ namespace: 'kube-system', pod: 'relay-1', port: 4245 }))
/** 4245, little endian, as the kubelet begins each channel. */
const begin = (channel: number) => Buffer.of(channel, 0x95, 0x10)

test('carries bytes both ways, without the port numbers that begin the channels', async () => {
  behave = (socket, request) => {
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
  behave = (socket) => {
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
  behave = (socket) => {
    socket.send(begin(0))
    socket.send(begin(1))
    socket.close(1000)
  }
  const [error] = await once(open().resume(), 'error')
  assert.ok(PlumblineError.is(error, 'tunnel'))
})

test('a missing right is named, and so is a pod that is not there', async () => {
  refusal = JSON.stringify({
    kind: 'Status',
    message:
      'pods "relay-1" is forbidden: User "u" cannot create resource "pods/portforward" in API group "" in the namespace "kube-system"',
  })
  const [error] = await once(open(), 'error')
  refusal = undefined
  assert.ok(PlumblineError.is(error, 'forbidden'))
  assert.ok(ApiError.is(error.cause))
  assert.deepEqual(error.cause.missing, { verb: 'create', group: '', resource: 'pods/portforward', namespace: 'kube-system' })
  const absent = new PodPort(api, () => Promise.reject(new PlumblineError('hubble-absent', 'no pod')))
  assert.ok(PlumblineError.is((await once(absent, 'error'))[0], 'hubble-absent'))
})
