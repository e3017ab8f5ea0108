// SPDX-License-Identifier: Apache-2.0

/** Recorded clusters with Cilium: what its own Hubble saw, and what every kind of Service and policy does there. */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { rawCluster } from '../../../test/support/rawFixtures.ts'
import type { ClusterFacts } from '../../facts/cluster.ts'
import { objectKey } from '../../facts/objects.ts'
import { type Address, formatAddress, parseAddress } from '../../net/address.ts'
import type { Lane, Outcome } from '../../path/answer.ts'
import { parsePlace } from '../../path/place.ts'
import { trace } from '../../path/trace.ts'
import type { Datapath } from '../datapath.ts'
import { ciliumDatapaths } from './nodes.ts'

const RAW = join(import.meta.dirname, '../../../test/fixtures/raw')

interface Flow {
  readonly verdict: string
  readonly drop_reason?: number
  readonly node_name: string
  readonly traffic_direction?: 'INGRESS' | 'EGRESS'
  readonly event_type: { readonly type: number; readonly sub_type?: number }
  readonly IP?: { readonly source: string; readonly destination: string }
  readonly l4?: Readonly<Record<string, { readonly source_port: number; readonly destination_port: number }>>
  readonly source?: { readonly identity?: number; readonly ID?: number }
  readonly destination?: { readonly identity?: number; readonly ID?: number }
  readonly ingress_denied_by?: readonly { readonly name: string }[]
}

/** pkg/monitor/api: types of events, and where a packet was seen. */
const EVENT = { drop: 1, trace: 4, policyVerdict: 5 } as const
const SEEN = { toEndpoint: 0, toNetwork: 11 } as const
const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17 }
const EPHEMERAL = 32_768

function flowsOf(name: string): readonly Flow[] {
  const folder = join(RAW, name, 'hubble')
  return readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .trim()
      .split('\n')
      .map((line): Flow => JSON.parse(line).flow),
  )
}

/** Which policies a flow shows to have been asked; nothing for answers, and where a packet has not met any yet. */
function judgedDirection(flow: Flow): 'ingress' | 'egress' | undefined {
  const { type, sub_type: seen = SEEN.toEndpoint } = flow.event_type
  if (type === EVENT.drop || type === EVENT.policyVerdict) return flow.traffic_direction === 'INGRESS' ? 'ingress' : 'egress'
  if (type !== EVENT.trace) return undefined
  if (seen === SEEN.toEndpoint) return flow.destination?.ID === undefined ? undefined : 'ingress'
  return seen === SEEN.toNetwork && flow.source?.ID !== undefined ? 'egress' : undefined
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  assert.ok(address, text)
  return address
}

function datapathOn(facts: ClusterFacts, node: string): Datapath {
  const datapath = ciliumDatapaths(facts)?.on(node)
  assert.ok(datapath, `no datapath on ${node}`)
  return datapath
}

for (const { name, least } of [
  { name: 'cilium', least: 30 },
  { name: 'half', least: 20 },
]) {
  test(`${name}: policy verdicts are those that Hubble saw`, () => {
    const facts = rawCluster(name)
    let judged = 0
    for (const flow of flowsOf(name)) {
      const direction = judgedDirection(flow)
      const [protocol, ports] = Object.entries(flow.l4 ?? {})[0] ?? []
      if (direction === undefined || flow.IP === undefined || protocol === undefined || ports === undefined) continue
      if (ports.destination_port >= EPHEMERAL) continue
      const [source, destination] = [addressOf(flow.IP.source), addressOf(flow.IP.destination)]
      const query = { direction, source, destination, protocol: PROTOCOLS[protocol] ?? 0, port: ports.destination_port }
      const decision = datapathOn(facts, flow.node_name).policy(query)
      assert.equal(decision.verdict, flow.verdict === 'DROPPED' ? 'deny' : 'allow', `${JSON.stringify(flow)} ${decision.text}`)
      assert.deepEqual(decision.unknowns, [])
      for (const { name: policy } of flow.ingress_denied_by ?? []) assert.match(decision.actor ?? '', new RegExp(`/${policy}$`))
      judged++
    }
    assert.ok(judged >= least, `${judged} flows were judged`)
  })

  test(`${name}: identities are those that Hubble saw`, () => {
    const facts = rawCluster(name)
    let compared = 0
    for (const { IP, source, destination, node_name: node } of flowsOf(name)) {
      for (const [text, seen] of [
        [IP?.source, source?.identity],
        [IP?.destination, destination?.identity],
      ] as const) {
        if (text === undefined || seen === undefined) continue
        const { identity } = datapathOn(facts, node).locate(addressOf(text))
        assert.match(identity, new RegExp(`^identity ${seen} `), `${text} on ${node}`)
        compared++
      }
    }
    assert.ok(compared > 100, `${compared} identities were compared`)
  })
}

/** What must come of a question: how many different pods answer, as whom they see the client, and how the rest fails. */
interface Expected {
  readonly from: string
  readonly to: string
  readonly pods?: number
  readonly client?: string
  readonly fails?: Outcome['verdict']
}

const OUTSIDE = '10.200.0.100'

/** In both clusters: the migrated half is n1. */
const EVERYWHERE: readonly Expected[] = [
  { from: 'pod:shop/client-n1', to: '10.96.0.40:80/TCP', fails: 'rejected' },
  { from: 'pod:shop/client-n1', to: '10.96.0.60:8200/TCP', fails: 'dropped' },
  { from: 'pod:shop/client-n1', to: '10.96.0.32:80/TCP', pods: 1 },
  { from: 'pod:shop/client-n1', to: '10.96.0.30:80/TCP', pods: 1 },
  { from: 'pod:shop/client-n1', to: '10.96.0.25:80/TCP', pods: 3 },
  { from: 'pod:shop/client-n1', to: '10.96.0.20:9001/UDP', pods: 3 },
  { from: 'pod:shop/client-n1', to: '[fd00:10:96::20]:80/TCP', pods: 3 },
  { from: 'pod:shop/client-n1', to: '10.200.0.11:30080/TCP', pods: 3 },
  { from: 'pod:shop/client-n1', to: '10.200.0.11:8081/TCP', pods: 1 },
  { from: 'pod:shop/client-n1', to: '10.96.0.70:80/TCP', pods: 1 },
  { from: 'pod:shop/stranger', to: '10.96.0.30:80/TCP', fails: 'dropped' },
  { from: 'pod:shop/locked', to: '10.96.0.30:80/TCP', fails: 'dropped' },
  { from: 'pod:shop/locked', to: `${OUTSIDE}:9000/TCP`, client: '10.200.0.11' },
  { from: 'pod:shop/locked', to: `${OUTSIDE}:8080/TCP`, fails: 'dropped' },
  { from: OUTSIDE, to: '10.200.0.11:30080/TCP', pods: 3 },
  { from: OUTSIDE, to: '10.200.0.11:30081/TCP', pods: 1, client: OUTSIDE },
  { from: OUTSIDE, to: '10.200.0.11:30089/TCP', fails: 'rejected' },
  { from: OUTSIDE, to: '203.0.113.10:80/TCP', pods: 3 },
  { from: '10.200.0.2', to: '203.0.113.10:80/TCP', fails: 'dropped' },
  { from: OUTSIDE, to: '203.0.113.10:81/TCP', fails: 'dropped' },
  { from: OUTSIDE, to: '203.0.113.11:80/TCP', pods: 1, client: OUTSIDE },
  { from: OUTSIDE, to: '203.0.113.20:80/TCP', pods: 3 },
  { from: OUTSIDE, to: '10.200.0.11:8081/TCP', pods: 1 },
  { from: OUTSIDE, to: '10.200.0.11:8082/TCP', fails: 'dropped' },
  { from: OUTSIDE, to: '10.96.0.20:80/TCP', fails: 'dropped' },
]

const BOTH_MIGRATED: readonly Expected[] = [
  { from: 'pod:shop/client-n1', to: '10.96.0.20:80/TCP', pods: 3 },
  { from: 'pod:shop/client-n1', to: '10.96.0.21:5432/TCP', fails: 'dropped' },
  { from: 'pod:shop/client-n1', to: '10.200.0.12:30080/TCP', pods: 3 },
  { from: 'pod:shop/client-n2', to: '10.96.0.20:9000/TCP', pods: 3 },
  { from: 'pod:shop/client-n2', to: '10.96.0.32:80/TCP', fails: 'rejected' },
  { from: 'pod:shop/client-n2', to: '10.96.0.70:80/TCP', pods: 1 },
  { from: 'pod:shop/locked', to: '10.96.0.20:80/TCP', pods: 3 },
  { from: 'pod:shop/loner', to: '10.96.0.51:80/TCP', pods: 1 },
  { from: OUTSIDE, to: '10.200.0.12:30080/TCP', pods: 3 },
  { from: OUTSIDE, to: '10.200.0.12:30081/TCP', fails: 'rejected' },
]

const HALF_MIGRATED: readonly Expected[] = [
  { from: 'pod:shop/client-n2', to: '10.96.0.20:9000/TCP', pods: 1, fails: 'dropped' },
  { from: 'pod:shop/client-n2', to: '10.96.0.21:5432/TCP', pods: 1 },
  { from: 'pod:shop/client-n2', to: '10.96.0.70:80/TCP', fails: 'dropped' },
  { from: 'pod:shop/client-n2', to: '10.96.0.32:80/TCP', fails: 'dropped' },
  { from: 'pod:shop/locked', to: '10.96.0.20:80/TCP', pods: 2, fails: 'dropped' },
  { from: OUTSIDE, to: '10.200.0.12:30080/TCP', pods: 3 },
  { from: OUTSIDE, to: '10.200.0.12:30081/TCP', fails: 'dropped' },
]

for (const { name, expectations } of [
  { name: 'cilium', expectations: [...EVERYWHERE, ...BOTH_MIGRATED] },
  { name: 'half', expectations: [...EVERYWHERE, ...HALF_MIGRATED] },
]) {
  describe(name, () => {
    const facts = rawCluster(name)
    for (const expected of expectations) {
      test(`${expected.from} to ${expected.to}`, () => check(facts, expected))
    }
    test('the maps have no problems', () => {
      assert.deepEqual(facts.problems, [])
      assert.deepEqual(
        [...facts.nodes.values()].flatMap(({ problems }) => problems.filter(({ file }) => file.includes('/bpf/'))),
        [],
      )
    })
  })
}

function laneOf(facts: ClusterFacts, from: string, to: string): Lane {
  const [lane] = trace(facts, { from: parsePlace(from), to: parsePlace(to) }, { lanes: 'ebpf' }).lanes
  assert.ok(lane)
  assert.equal(lane.source, 'cilium')
  return lane
}

function check(facts: ClusterFacts, { from, to, pods, client, fails }: Expected): void {
  const { outcomes } = laneOf(facts, from, to)
  const arrived = outcomes.filter(({ verdict }) => verdict === 'delivered' || verdict === 'forwarded')
  const failed = outcomes.filter((outcome) => !arrived.includes(outcome))
  assert.deepEqual([...new Set(failed.map(({ verdict }) => verdict))], fails === undefined ? [] : [fails])
  if (pods !== undefined) assert.equal(new Set(arrived.map(({ destination }) => destination.ip)).size, pods)
  else if (fails !== undefined) assert.deepEqual(arrived, [])
  if (client !== undefined) assert.deepEqual([...new Set(arrived.map(({ source }) => source.ip))], [client])
}

test('who sent it is seen by backends of the node, and hidden from those of others', () => {
  const { outcomes } = laneOf(rawCluster('cilium'), OUTSIDE, '10.200.0.11:30080/TCP')
  const sources = outcomes.map(({ source, steps }) => `${steps.at(-1)?.node} sees ${source.ip}`)
  assert.deepEqual([...new Set(sources)].sort(), ['n1 sees 10.200.0.100', 'n2 sees 10.200.0.11'])
})

test('a backend on a node without Cilium sees the node that balanced, from wherever the client is', () => {
  for (const from of [OUTSIDE, 'pod:shop/client-n2']) {
    const { outcomes } = laneOf(rawCluster('half'), from, '10.200.0.11:30080/TCP')
    const away = outcomes.filter(({ steps }) => steps.at(-1)?.node === 'n2')
    assert.deepEqual(
      away.map(({ verdict, source }) => [verdict, source.ip]),
      [['delivered', '10.200.0.11']],
    )
  }
})

test('a denial names the policy, its rule and the entry', () => {
  const { outcomes } = laneOf(rawCluster('cilium'), 'pod:shop/stranger', '10.96.0.30:80/TCP')
  const last = outcomes[0]?.steps.at(-1)
  assert.equal(last?.actor.ref, 'CiliumNetworkPolicy shop/edge-not-stranger')
  assert.match(last?.text ?? '', /spec\.ingressDeny\[0\]/)
  assert.ok(last?.evidence?.kind === 'map')
  assert.match(last.evidence.map, /^cilium_policy_v2_\d{5}$/)
  assert.match(last.evidence.value, /deny=1/)
})

test('where nothing allows it, the policies that isolate are named, and the entry that is missing', () => {
  const { outcomes } = laneOf(rawCluster('half'), 'pod:shop/client-n2', '10.96.0.70:80/TCP')
  const last = outcomes[0]?.steps.at(-1)
  assert.equal(last?.actor.ref, 'CiliumClusterwideNetworkPolicy inner-only-cluster')
  assert.ok(last?.evidence?.kind === 'map')
  assert.match(last.evidence.key, /^identity=9 direction=ingress/)
  assert.match(outcomes[0]?.remedy ?? '', /reserved:world-ipv4/)
})

test('a known connection is judged by its policies all the same, and an answer is not', () => {
  const facts = rawCluster('cilium')
  const question = { from: parsePlace('pod:shop/stranger'), to: parsePlace('10.96.0.30:80/TCP') }
  const verdict = (ctState: 'established' | 'related') =>
    trace(facts, { ...question, ctState }, { lanes: 'ebpf' }).lanes[0]?.outcomes.map((outcome) => outcome.verdict)
  assert.deepEqual(verdict('established'), ['dropped'])
  assert.deepEqual(verdict('related'), ['delivered'])
})

test('every pod on a node with Cilium has a policy map that was recorded', () => {
  const facts = rawCluster('cilium')
  for (const pod of facts.objects.pods.values()) {
    const { nodeName, podIPs, hostNetwork } = pod
    if (hostNetwork || nodeName === undefined) continue
    const [own] = podIPs
    assert.ok(own)
    const query = { source: own, destination: addressOf(OUTSIDE), direction: 'egress', protocol: 6, port: 80 } as const
    assert.notEqual(datapathOn(facts, nodeName).policy(query).verdict, 'unknown', `${objectKey(pod.meta)} ${formatAddress(own)}`)
  }
})
