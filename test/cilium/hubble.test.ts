// SPDX-License-Identifier: Apache-2.0

/** Flows of a live cluster by every way to its Hubbles, against Cilium's own hubble client; and what happens when parts of it fail. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '../../cluster/errors.ts'
import { parseServerAddress } from '../../cluster/hubble/address.ts'
import { openFlows } from '../../cluster/hubble/flows.ts'
import type { FlowStream, FlowsEvent, FlowsRequest, HubbleTls, WishedWay } from '../../cluster/hubble/flowsEvent.ts'
import { contact } from '../../cluster/hubble/server.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import { hubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { WireReader } from '../../core/flows/hubble/hubbleWire.ts'
import { kubectl, lab as labCommand, whyNoLab } from '../cluster/lab.ts'
import { type LiveCluster, openLiveCluster } from '../cluster/liveCluster.ts'
import { TestAuthority } from '../support/certificates.ts'
import { plumbline } from '../support/cli.ts'

const RELAY: WishedWay = { kind: 'relay' }
const NODES: WishedWay = { kind: 'nodes' }
const of = (pod: string): FlowsRequest['whitelist'] => [{ sourcePod: [`shop/${pod}`] }, { destinationPod: [`shop/${pod}`] }]
const nanoseconds = () => BigInt(Date.now()) * 1_000_000n
const iso = (time: bigint) => new Date(Number(time / 1_000_000n)).toISOString()

function dial(pod: string, count: number): void {
  kubectl('-n', 'shop', 'exec', pod, '--', '/app', 'dial', 'tcp', '10.96.0.20:80', '--count', String(count))
}

interface JsonFlow {
  readonly flow: { readonly uuid: string; readonly time: string }
  readonly node_name: string
}

/** What Cilium's own client prints, by uuid. */
function hubbleFlows(...args: string[]): Map<string, JsonFlow> {
  const lines = labCommand('hubble', 'observe', '-o', 'json', ...args)
    .trim()
    .split('\n')
  return byUuid(lines.filter((line) => line.includes('"flow"')))
}

function byUuid(lines: readonly string[]): Map<string, JsonFlow> {
  const flows = lines.map((line) => JSON.parse(line) as JsonFlow)
  const map = new Map(flows.map((flow) => [flow.flow.uuid, flow]))
  assert.equal(map.size, lines.length, 'no flow comes twice')
  return map
}

describe('Hubble of a live cluster', { skip: whyNoLab() ?? false }, () => {
  let live: LiveCluster
  let session: ClusterSession
  let folder: string
  const relays: ChildProcess[] = []
  const streams: FlowStream[] = []

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-hubble-'))
    live = await openLiveCluster('cilium')
    session = live.session
  })

  after(async () => {
    for (const stream of streams) stream.close()
    for (const relay of relays) relay.kill('SIGKILL')
    await live?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Everything an ended question answers. */
  async function ask(way: WishedWay, request: FlowsRequest, tls: HubbleTls = {}): Promise<readonly FlowsEvent[]> {
    const events: FlowsEvent[] = []
    for await (const event of await openFlows(session, { way, request, tls })) events.push(event)
    return events
  }

  function linesOf(events: readonly FlowsEvent[]): string[] {
    const reader = new WireReader()
    return events.flatMap((event) =>
      event.kind === 'flows' ? event.responses.map((response) => hubbleLine(reader.read(response))) : [],
    )
  }

  /** A stream that is read in the background. */
  async function follow(way: WishedWay, request: FlowsRequest) {
    const stream = await openFlows(session, { way, request: { ...request, last: 1, follow: true } })
    streams.push(stream)
    const events: FlowsEvent[] = []
    const done = (async () => {
      for await (const event of stream) events.push(event)
    })().catch((error: unknown) => {
      if (!PlumblineError.is(error, 'cancelled')) throw error
    })
    const followed = {
      events,
      flows: () => byUuid(linesOf(events)),
      async until(what: string, seen: () => boolean, seconds = 30): Promise<void> {
        for (const end = Date.now() + seconds * 1_000; !seen(); await sleep(50)) {
          const told = events.filter(({ kind }) => kind !== 'flows').map(({ kind, ...rest }) => [kind, rest])
          assert.ok(Date.now() < end, `${what}: not within ${seconds} s; ${stringify(told)}`)
        }
      },
      async stop(): Promise<void> {
        stream.close()
        await done
      },
    }
    // The last flow that there was shows that new ones will come.
    await followed.until('the first flow', () => events.some(({ kind }) => kind === 'flows'))
    await sleep(300)
    return followed
  }

  test('each way has the very flows that the hubble client has', async () => {
    const begun = nanoseconds()
    dial('client-n1', 10)
    dial('client-n2', 10)
    await sleep(500)
    const until = nanoseconds()
    const whitelist = [...(of('client-n1') ?? []), ...(of('client-n2') ?? [])]
    const request = { since: begun, until, whitelist }
    const window = ['--since', iso(begun), '--until', iso(until)]
    const theirs = hubbleFlows(...window, '--pod', 'shop/client-n1', '--pod', 'shop/client-n2')
    assert.ok(theirs.size > 200, `${theirs.size} flows`)
    const pid = readFileSync('/run/plumbline-lab/pid/cilium-agent-n1', 'utf8').trim()
    const unix = `unix:///proc/${pid}/root/run/cilium/hubble.sock`
    const nodeOnly = new Map([...theirs].filter(([, { node_name }]) => node_name.endsWith('n1')))
    const ways: readonly (readonly [WishedWay, Map<string, JsonFlow>])[] = [
      [RELAY, theirs],
      [NODES, theirs],
      [{ kind: 'address', address: '10.200.0.11:4245' }, theirs],
      [{ kind: 'nodes', nodes: ['n1'] }, nodeOnly],
      [{ kind: 'address', address: unix }, nodeOnly],
    ]
    for (const [way, expected] of ways) {
      const ours = byUuid(linesOf(await ask(way, request)))
      assert.deepEqual([...ours.keys()].sort(), [...expected.keys()].sort(), JSON.stringify(way))
      for (const [uuid, flow] of ours) assert.deepEqual(flow, expected.get(uuid))
      const times = [...ours.values()].map(({ flow }) => flow.time)
      const late = times.filter((time, index) => index > 0 && time < (times[index - 1] ?? '')).length
      assert.ok(late <= times.length / 20, `${JSON.stringify(way)}: ${late} of ${times.length} out of order`)
    }
  })

  test('the last flows are those of the hubble client, and nothing said means the relay', async () => {
    const theirs = hubbleFlows('--last', '7', '--pod', 'shop/client-n1')
    for (const way of [RELAY, NODES]) {
      const ours = byUuid(linesOf(await ask(way, { last: 7, whitelist: of('client-n1') })))
      assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort(), way.kind)
    }
    const stream = await openFlows(session, { request: { last: 1 } })
    assert.deepEqual(stream.way, { kind: 'relay', namespace: 'kube-system', service: 'hubble-relay' })
    const status = await stream.status()
    assert.equal(status.connectedNodes, 2)
    assert.match(status.version, /hubble-relay v1\.19/)
    stream.close()
    const { open, host, tls } = parseServerAddress('10.200.0.11:4245')
    const relay = await contact({ name: 'The relay', node: undefined, open, host, tls }, {})
    assert.deepEqual((await relay.getNodes())?.nodes.map(({ name }) => name).sort(), ['n1', 'n2'])
    assert.ok((await relay.getNamespaces()).namespaces.some(({ namespace }) => namespace === 'shop'))
    relay.close()
  })

  test('plumbline flows prints the lines of the hubble client, and follows until Ctrl-C', async () => {
    const begun = nanoseconds()
    dial('client-n1', 5)
    await sleep(500)
    const window = ['--since', iso(begun), '--until', iso(nanoseconds()), '--pod', 'shop/client-n1']
    const setting = { env: { KUBECONFIG: live.kubeconfig } }
    const { code, stdout, stderr } = await plumbline(['flows', ...window], setting)
    assert.equal(code, 0, stderr)
    assert.match(stderr, /Asking the relay `hubble-relay` in `kube-system`/)
    const ours = byUuid(stdout.trim().split('\n'))
    assert.deepEqual(Object.fromEntries([...ours].sort()), Object.fromEntries([...hubbleFlows(...window)].sort()))
    const interrupted = await plumbline(['flows', '--follow', '--node', 'n1', '-o', 'compact'], {
      ...setting,
      onStderr: (text, interrupt) => text.includes('Asking the agents on `n1`') && interrupt(),
    })
    assert.equal(interrupted.code, 130, interrupted.stderr)
  })

  test("Cilium's agent of a node ends and begins again: the stream goes on, its history stays, the gap is told", async () => {
    const request = { whitelist: of('client-n2') }
    const streams = [await follow(RELAY, request), await follow(NODES, request)]
    dial('client-n2', 5)
    for (const stream of streams) await stream.until('flows before', () => stream.flows().size > 30)
    await sleep(500)
    const before = streams.map((stream) => [...stream.flows().keys()])
    labCommand('cilium-agent', 'stop', 'n2')
    const relayed = await ask(RELAY, { last: 1 })
    assert.ok(namesNode(relayed, 'n2', ['unavailable', 'failed']), `n2 is named: ${stringify(relayed)}`)
    const [, direct] = streams
    await direct?.until('the node is told as lost', () => namesNode(direct.events, 'n2', ['lost']))
    labCommand('cilium-agent', 'start', 'n2')
    const gap = (events: readonly FlowsEvent[]) =>
      events.some(
        ({ kind, ...event }) =>
          kind === 'lost' && 'loss' in event && event.loss.source === 'CONNECTION' && event.loss.count === undefined,
      )
    for (const stream of streams) await stream.until('the gap is told', () => gap(stream.events), 40)
    const resumed = nanoseconds()
    dial('client-n2', 5)
    await sleep(1_500)
    const theirs = hubbleFlows('--since', iso(resumed), '--pod', 'shop/client-n2')
    assert.ok(theirs.size > 30)
    for (const [index, stream] of streams.entries()) {
      const ours = stream.flows()
      await stream.stop()
      assert.deepEqual(
        before[index]?.filter((uuid) => !ours.has(uuid)),
        [],
        'history stays',
      )
      assert.deepEqual(
        [...theirs.keys()].filter((uuid) => !ours.has(uuid)),
        [],
        'nothing is missing afterwards',
      )
    }
  })

  test('the relay is replaced: nothing is missing and nothing comes twice', async () => {
    const begun = nanoseconds()
    const stream = await follow(RELAY, { whitelist: of('client-n1') })
    dial('client-n1', 5)
    await stream.until('flows before', () => stream.flows().size > 30)
    kubectl('-n', 'kube-system', 'delete', 'pod', '-l', 'k8s-app=hubble-relay', '--wait=false')
    await stream.until('the interruption is told', () => stream.events.some(({ kind }) => kind === 'interrupted'))
    dial('client-n1', 5)
    await stream.until('it goes on', () => stream.events.some(({ kind }) => kind === 'resumed'), 60)
    dial('client-n1', 5)
    await sleep(1_500)
    const theirs = hubbleFlows('--since', iso(begun), '--pod', 'shop/client-n1')
    const ours = stream.flows()
    await stream.stop()
    assert.deepEqual(
      [...theirs.keys()].filter((uuid) => !ours.has(uuid)),
      [],
    )
    assert.ok(!stream.events.some(({ kind }) => kind === 'lost'), 'the nodes remember it all')
  })

  test('a reader that is too slow is told how many flows it missed', async () => {
    const way: WishedWay = { kind: 'nodes', nodes: ['n1'] }
    const stream = await openFlows(session, { way, request: { follow: true } })
    streams.push(stream)
    const events = stream[Symbol.asyncIterator]()
    const before = await stream.status()
    for (let first = await events.next(); first.value?.kind !== 'flows'; ) first = await events.next()
    for (let made = 0; made < 4; made++) dial('client-n1', 500)
    const after = await stream.status()
    let received = 0
    let lost = 0n
    const deadline = Date.now() + 20_000
    // Flows go on coming, so it is enough to have heard of as many as there were.
    while (BigInt(received) + lost < after.seenFlows - before.seenFlows) {
      const { value: event, done } = await events.next()
      assert.ok(!done && Date.now() < deadline, `${received} received and ${lost} lost of ${after.seenFlows - before.seenFlows}`)
      if (event.kind === 'flows') received += event.responses.length
      else if (event.kind === 'lost' && event.loss.source === 'HUBBLE_RING_BUFFER') lost += event.loss.count ?? 0n
    }
    const now = await stream.status()
    stream.close()
    assert.ok(lost > 0n, `${received} received: not slow enough`)
    const known = BigInt(received) + lost
    assert.ok(
      known <= now.seenFlows - before.seenFlows + 100n,
      `${known} known of ${now.seenFlows - before.seenFlows}: counted twice`,
    )
  })

  /** A relay of its own, with TLS, on this machine. */
  async function tlsRelay(port: number, flags: readonly string[]): Promise<WishedWay> {
    const { binaries } = JSON.parse(readFileSync('/run/plumbline-lab/state.json', 'utf8')) as { binaries: { cilium: string } }
    const address = `127.0.0.1:${port}`
    const serve = ['serve', '--disable-client-tls', '--peer-service=10.200.0.11:4244', `--listen-address=${address}`]
    const relay = spawn(join(binaries.cilium, 'hubble-relay'), [...serve, '--health-listen-address=127.0.0.1:0', ...flags], {
      stdio: 'ignore',
    })
    relays.push(relay)
    const way: WishedWay = { kind: 'address', address }
    for (const end = Date.now() + 10_000; ; await sleep(100)) {
      const refused = await ask(way, { last: 1 }).then(
        () => false,
        (error: unknown) => /ECONNREFUSED/.test(String(error)),
      )
      if (!refused) return way
      assert.ok(Date.now() < end, 'the relay does not listen')
    }
  }

  test('TLS: right with the right CA, and else an error that says what is wrong', async () => {
    const authority = new TestAuthority(folder, 'right')
    const stranger = new TestAuthority(folder, 'wrong')
    const server = authority.issue('instance.hubble-relay.cilium.io')
    const serving = [`--tls-relay-server-cert-file=${server.cert}`, `--tls-relay-server-key-file=${server.key}`]
    const serverName = 'instance.hubble-relay.cilium.io'
    const way = await tlsRelay(24_245, serving)
    const trusted = { enabled: true, caCertFiles: [authority.cert], serverName }
    assert.ok(linesOf(await ask(way, { last: 5 }, trusted)).length > 0)
    assert.ok(linesOf(await ask(way, { last: 5 }, { enabled: true, allowInsecure: true })).length > 0)
    const refused = async (tls: HubbleTls, message: RegExp, to: WishedWay = way) =>
      assert.rejects(ask(to, { last: 1 }, tls), (error) => {
        assert.ok(PlumblineError.is(error, 'hubble-tls'), String(error))
        assert.match(error.message, message)
        return true
      })
    await refused({}, /speaks TLS: add `--tls`/)
    await refused({ ...trusted, caCertFiles: [stranger.cert] }, /CA that is not trusted here/)
    await refused({ enabled: true, serverName }, /CA that is not trusted here/)
    await refused(
      { ...trusted, serverName: 'other.example' },
      /is for DNS:instance\.hubble-relay\.cilium\.io, not for `other\.example`/,
    )
    await refused({ ...trusted, serverName: undefined }, /not for `127\.0\.0\.1`/)
    await refused({ enabled: true, caCertFiles: [join(folder, 'none.crt')] }, /none\.crt/)
    await refused({ enabled: true, allowInsecure: true }, /does not speak TLS/, RELAY)

    const client = authority.issue('client')
    const foreign = stranger.issue('foreign')
    const mutual = await tlsRelay(24_246, [...serving, `--tls-relay-client-ca-files=${authority.cert}`])
    const certified = { ...trusted, clientCertFile: client.cert, clientKeyFile: client.key }
    assert.ok(linesOf(await ask(mutual, { last: 5 }, certified)).length > 0)
    await refused(trusted, /wants a certificate of its clients/, mutual)
    await refused(
      { ...certified, clientCertFile: foreign.cert, clientKeyFile: foreign.key },
      /does not accept the client's certificate/,
      mutual,
    )
  })
})

function namesNode(events: readonly FlowsEvent[], node: string, states: readonly string[]): boolean {
  return events.some(
    (event) => event.kind === 'nodes' && event.nodes.some((each) => each.node.endsWith(node) && states.includes(each.state)),
  )
}

function stringify(value: unknown): string {
  return JSON.stringify(value, (key, each) =>
    key === 'response' || key === 'responses' ? undefined : typeof each === 'bigint' ? String(each) : each,
  )
}
