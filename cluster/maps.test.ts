// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Agent, type DumpMapRequest } from '../gen/agent_pb.js'
import { type AgentClient, localAgent } from './agentClient.ts'
import { CancelledError, PlumblineError } from './errors.ts'
import { dumpMap, shapeOf, watchMap } from './maps.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-maps-'))
const open: { readonly server: Http2Server; readonly sessions: Set<ServerHttp2Session>; readonly client: AgentClient }[] = []
after(() => {
  for (const { server, sessions, client } of open) {
    client.close()
    for (const session of sessions) session.destroy()
    server.close()
  }
  rmSync(folder, { recursive: true })
})

/** A client of a real HTTP/2 server on a unix socket. */
async function agent(service: object): Promise<AgentClient> {
  const info = () => ({ nodeName: 'node-a', agentVersion: '1.0.0', protocolVersion: 1 })
  const server = createServer(
    connectNodeAdapter({ routes: (router) => router.service(Agent, { getNodeInfo: info, ...service } as never) }),
  )
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  const path = join(folder, `${open.length}.sock`)
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const client = localAgent('node-a', path)
  open.push({ server, sessions, client })
  return client
}

const INFO = { id: 7, type: 'hash', name: 'cilium_lb4_serv', keySize: 12, valueSize: 12, valuesPerEntry: 1, entrySize: 24 }
const chunk = (kind: string, value: unknown) => ({ content: { case: kind, value } })

test('a dump is put together, with what was asked for on the wire', async () => {
  let asked: DumpMapRequest | undefined
  const client = await agent({
    async *dumpMap(request: DumpMapRequest) {
      asked = request
      yield chunk('map', { ...INFO, pinnedPath: '/sys/fs/bpf/tc/globals/cilium_lb4_services_v2' })
      yield chunk('entries', { entries: new Uint8Array(48).fill(1), count: 2, scanned: 5n })
      yield chunk('entries', { entries: new Uint8Array(24).fill(2), count: 1, scanned: 9n })
      yield chunk('done', { count: 3n, scanned: 9n, resumeToken: Uint8Array.of(4) })
    },
  })
  const filters = [{ part: 'value', offset: 6, mask: Uint8Array.of(255, 255), value: Uint8Array.of(0, 80) }] as const
  const dumped = await dumpMap(client, { id: 7, filters }, { limit: 3 })
  assert.deepEqual([dumped.entries.length, dumped.scanned, dumped.incomplete], [72, 9, undefined])
  assert.deepEqual([...(dumped.resume ?? [])], [4])
  assert.equal(shapeOf(dumped.info).name, 'cilium_lb4_services_v2', 'a pin has the whole name')
  assert.deepEqual(
    [asked?.map?.map, asked?.limit, asked?.filters[0]?.part, asked?.filters[0]?.offset],
    [{ case: 'id', value: 7 }, 3n, 2, 6],
  )
})

test('a dump that ends early is an error, and so is a map that is gone', async () => {
  const cut = await agent({
    async *dumpMap() {
      yield chunk('map', INFO)
      yield chunk('entries', { entries: new Uint8Array(24), count: 1, scanned: 1n })
    },
  })
  await assert.rejects(
    dumpMap(cut, { id: 7 }),
    (error) => PlumblineError.is(error, 'tunnel') && /ended early/.test(error.message),
  )
  const gone = await agent({
    // biome-ignore lint/correctness/useYield: it ends before it could
    async *dumpMap() {
      throw new ConnectError('map 7: no such map', Code.NotFound)
    },
  })
  await assert.rejects(
    dumpMap(gone, { id: 7 }),
    (error) => PlumblineError.is(error, 'not-found') && /map 7: no such map/.test(error.message),
  )
})

test('a watch tells each difference, and why it ended', async () => {
  const client = await agent({
    async *watchMap() {
      yield chunk('map', INFO)
      yield chunk('difference', { added: new Uint8Array(48), entries: 2n })
      yield chunk('difference', { removed: new Uint8Array(24), entries: 1n })
      yield chunk('ended', { reason: 'map 7: no such map' })
    },
  })
  const told: string[] = []
  const reason = await watchMap(client, { id: 7 }, 1000, {
    start: (info) => void told.push(info.name),
    difference: ({ added, removed }) => void told.push(`+${added.length} -${removed.length}`),
  })
  assert.deepEqual(told, ['cilium_lb4_serv', '+48 -0', '+0 -24'])
  assert.equal(reason, 'map 7: no such map')
})

test('a watch ends when nobody wants it any more', async () => {
  const stop = new AbortController()
  const client = await agent({
    async *watchMap(_: unknown, { signal }: { signal: AbortSignal }) {
      yield chunk('map', INFO)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  })
  const watching = watchMap(client, { id: 7 }, 1000, { start: () => stop.abort(), difference: () => {} }, stop.signal)
  await assert.rejects(watching, (error) => CancelledError.is(error))
})
