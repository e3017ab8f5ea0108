// SPDX-License-Identifier: Apache-2.0

/**
 * How fast a stream of flows comes off the wire: an HTTP/2 server that sends recorded flows as fast as it can, over a unix socket.
 * Contestants: the batches of cluster/hubble (undecoded; and with what a stream that can be resumed notes of each flow), the same
 * decoded by core/flows, and connect-node's client with protobuf-es.
 */

import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http2'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromJsonString, toBinary } from '@bufbuild/protobuf'
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { Http2Transport } from '../cluster/http2Transport.ts'
import { Observer } from '../cluster/hubble/observer.ts'
import { serverStream } from '../cluster/hubble/serverStream.ts'
import { WireReader } from '../core/flows/hubble/hubbleWire.ts'
import { GetFlowsResponseSchema, Observer as ObserverService } from '../gen/hubble/observer/observer_pb.js'
import { print, takeTurns } from './measure.ts'

const smoke = process.argv.includes('--smoke')
const FLOWS = smoke ? 2_000 : 200_000
const ROUNDS = smoke ? 1 : 5
const TARGET = 50_000

const recorded = readFileSync('test/fixtures/raw/cilium/hubble/clients.jsonl', 'utf8').trim().split('\n')
const messages = recorded.map((line) => toBinary(GetFlowsResponseSchema, fromJsonString(GetFlowsResponseSchema, line)))
const frames = messages.map((message, index) => {
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  return { frame, index }
})
/** What a server writes at once. */
const CHUNK = Buffer.concat(Array.from({ length: 64 }, (_, index) => frames[index % frames.length]?.frame ?? Buffer.alloc(0)))

const socket = join(tmpdir(), `plumbline-bench-${process.pid}.sock`)
const server = createServer()
server.on('stream', (stream, headers) => {
  const unary = headers[':path'] !== '/observer.Observer/GetFlows'
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.resume()
  if (unary) stream.end(Buffer.alloc(5))
  else void send()

  async function send(): Promise<void> {
    for (let sent = 0; sent < FLOWS; sent += 64) if (!stream.write(CHUNK)) await once(stream, 'drain')
    stream.end()
  }
})
server.listen(socket)
await once(server, 'listening')

const open = () => connect(socket)

async function turn(read: () => Promise<number>): Promise<number> {
  const begun = performance.now()
  const count = await read()
  const took = performance.now() - begun
  if (count < FLOWS) throw new Error(`${count} flows instead of ${FLOWS}`)
  return took
}

async function batches(take: (responses: readonly Uint8Array[]) => void): Promise<number> {
  const observer = new Observer('bench', open)
  let count = 0
  for await (const responses of observer.getFlows({})) {
    take(responses)
    count += responses.length
  }
  observer.close()
  return count
}

async function envelopes(): Promise<number> {
  const observer = new Observer('bench', open)
  let count = 0
  for await (const event of serverStream(observer, {}, 'bench', new AbortController().signal)) {
    if (event.kind === 'flows') count += event.responses.length
  }
  observer.close()
  return count
}

async function connectNode(): Promise<number> {
  const transport = new Http2Transport({ open, peer: 'bench', window: 4 << 20 })
  const client = createClient(ObserverService, createGrpcTransport({ baseUrl: transport.authority, sessionManager: transport }))
  let count = 0
  for await (const response of client.getFlows({})) if (response.responseTypes.case === 'flow') count += 1
  transport.close()
  return count
}

const reader = new WireReader()
const medians = await takeTurns(
  [
    { name: 'batches of bytes', run: () => turn(() => batches(() => {})) },
    { name: 'with envelopes, as openFlows', run: () => turn(envelopes) },
    {
      name: 'decoded by core/flows',
      run: () => turn(() => batches((responses) => responses.forEach((response) => void reader.read(response)))),
    },
    { name: 'connect-node, protobuf-es', run: () => turn(connectNode) },
  ],
  ROUNDS,
)
server.close()
rmSync(socket, { force: true })

const peer = medians.get('connect-node, protobuf-es') ?? Number.NaN
for (const [name, milliseconds] of medians) {
  const rate = Math.round((FLOWS / milliseconds) * 1_000)
  print(`${name.padEnd(30)} ${String(rate).padStart(8)} flows/s  ${(peer / milliseconds).toFixed(1)} × connect-node`)
}
const decoded = (FLOWS / (medians.get('decoded by core/flows') ?? Number.NaN)) * 1_000
print(`target of ${TARGET} flows/s, decoded: ${decoded >= TARGET ? 'met' : 'missed'}`)
process.exit(0)
