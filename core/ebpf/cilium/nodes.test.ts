// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawFiles } from '../../../test/support/rawFixtures.ts'
import { type ClusterFacts, loadCluster } from '../../facts/cluster.ts'
import { memoryFiles } from '../../facts/memory.ts'
import { parsePlace } from '../../path/place.ts'
import { trace } from '../../path/trace.ts'
import { ciliumDatapaths } from './nodes.ts'

const QUESTION = { from: parsePlace('pod:shop/client-n1'), to: parsePlace('10.96.0.20:80/TCP') }

/** The recorded cluster, with some files replaced, or removed where undefined. */
function changed(change: (path: string, bytes: Uint8Array) => Uint8Array | undefined): ClusterFacts {
  const files = new Map(
    [...rawFiles('cilium')].flatMap(([path, bytes]) => {
      const now = change(path, bytes)
      return now === undefined ? [] : [[path, now] as const]
    }),
  )
  return loadCluster(memoryFiles('changed', files))
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function outcomes(facts: ClusterFacts) {
  return trace(facts, QUESTION, { lanes: 'ebpf' }).lanes[0]?.outcomes ?? []
}

test('without maps of Cilium there is no datapath of it, and the lane is planned', () => {
  const facts = changed((path, bytes) => (path.includes('/bpf/') ? undefined : bytes))
  assert.equal(ciliumDatapaths(facts), undefined)
  assert.equal(trace(facts, QUESTION).lanes[1]?.source, 'planned')
})

test('a map that was cut is a problem with a name, and the endpoint is in doubt instead of open', () => {
  const facts = changed((path, bytes) => (/n1.*cilium_policy_v2/.test(path) ? bytes.subarray(0, bytes.length - 1) : bytes))
  assert.deepEqual([...new Set(outcomes(facts).map(({ verdict }) => verdict))], ['unknown'])
  const problem = facts.nodes.get('n1')?.problems.find(({ file }) => file.includes('cilium_policy_v2'))
  assert.match(problem?.reason ?? '', /not a whole number of entries/)
})

test('a map that is listed and missing is a problem', () => {
  const facts = changed((path, bytes) => (path.endsWith('n1/bpf/maps/cilium_lb4_services_v2.bin') ? undefined : bytes))
  assert.equal(outcomes(facts)[0]?.verdict, 'forwarded')
  const problem = facts.nodes.get('n1')?.problems.find(({ file }) => file.endsWith('cilium_lb4_services_v2.bin'))
  assert.match(problem?.reason ?? '', /is missing/)
})

test('sizes no known version has are not decoded', () => {
  const facts = changed((path, bytes) => {
    if (!path.endsWith('n1/bpf/maps/index.json')) return bytes
    const index: readonly { name: string; keySize: number }[] = JSON.parse(new TextDecoder().decode(bytes))
    return json(index.map((map) => (map.name === 'cilium_lb4_services_v2' ? { ...map, keySize: 16 } : map)))
  })
  outcomes(facts)
  const problem = facts.nodes.get('n1')?.problems.find(({ file }) => file.endsWith('cilium_lb4_services_v2.bin'))
  assert.match(problem?.reason ?? '', /keys of 16 and values of 12 bytes, which no known version/)
})

test('a backend that vanished between two maps is unknown, not left out', () => {
  const facts = changed((path, bytes) => (path.endsWith('n1/bpf/maps/cilium_lb4_backends_v3.bin') ? new Uint8Array() : bytes))
  const [only] = outcomes(facts)
  assert.equal(only?.verdict, 'unknown')
  assert.match(only.unknowns.map(({ missing }) => missing).join(), /another snapshot/)
})

test("the datapath goes on without Cilium's agent, and the answer says so", () => {
  const facts = changed((path, bytes) => {
    if (!path.endsWith('bpf/cilium.json')) return bytes
    return json({ ...JSON.parse(new TextDecoder().decode(bytes)), running: false })
  })
  assert.deepEqual([...new Set(outcomes(facts).map(({ verdict }) => verdict))], ['delivered'])
  assert.match(outcomes(facts)[0]?.steps[0]?.text ?? '', /agent is not running on n1/)
})

test('without its configuration the defaults are taken, and said to be', () => {
  const facts = changed((path, bytes) => (path.endsWith('bpf/cilium.json') ? undefined : bytes))
  assert.match(outcomes(facts)[0]?.unknowns[0]?.what ?? '', /how Cilium is configured on n1/)
})

const config = (options: Readonly<Record<string, unknown>>) =>
  changed((path, bytes) => {
    if (!path.endsWith('bpf/cilium.json')) return bytes
    const file = JSON.parse(new TextDecoder().decode(bytes))
    return json({ ...file, config: { ...file.config, ...options } })
  })

function effects(facts: ClusterFacts, from: string, to: string): readonly string[] {
  const { lanes } = trace(facts, { from: parsePlace(from), to: parsePlace(to) }, { lanes: 'ebpf' })
  return (lanes[0]?.outcomes ?? []).flatMap(({ steps }) => steps.map(({ hook, effect }) => `${hook} ${effect}`))
}

test('without socket load balancing pods are balanced packet by packet', () => {
  const facts = config({ EnableSocketLB: false })
  assert.ok(effects(facts, 'pod:shop/client-n1', '10.96.0.20:80/TCP').includes('tc select-backend'))
  assert.ok(effects(rawFactsAsTheyAre, 'pod:shop/client-n1', '10.96.0.20:80/TCP').includes('socket select-backend'))
})

test('packets of a tunnelled cluster say so, and masquerading can be off', () => {
  const { lanes } = trace(config({ RoutingMode: 'tunnel', TunnelProtocol: 'geneve' }), QUESTION, { lanes: 'ebpf' })
  assert.ok(lanes[0]?.outcomes.some(({ steps }) => steps.some(({ text }) => text === 'to node n2 in a geneve tunnel')))
  const leaving = ['pod:shop/client-n1', '10.200.0.100:9000/TCP'] as const
  assert.ok(effects(rawFactsAsTheyAre, ...leaving).includes('snat masquerade'))
  assert.ok(!effects(config({ EnableBPFMasquerade: false }), ...leaving).includes('snat masquerade'))
  const spared = config({ IPv4NativeRoutingCIDR: { IP: '10.192.0.0', Mask: '/8AAAA==' } })
  assert.ok(!effects(spared, ...leaving).includes('snat masquerade'))
})

test('addresses of ip-masq-agent and egress gateways are unknown where they are used', () => {
  const question = { from: parsePlace('pod:shop/client-n1'), to: parsePlace('10.200.0.100:9000/TCP') }
  const { lanes } = trace(config({ EnableIPMasqAgent: true, EnableEgressGateway: true }), question, { lanes: 'ebpf' })
  assert.equal(lanes[0]?.unknowns.length, 2)
})

test('with DSR a backend of another node sees the client', () => {
  const question = { from: parsePlace('10.200.0.100'), to: parsePlace('10.200.0.11:30080/TCP') }
  const { lanes } = trace(config({ LoadBalancerMode: 'dsr' }), question, { lanes: 'ebpf' })
  assert.deepEqual([...new Set(lanes[0]?.outcomes.map(({ source }) => source.ip))], ['10.200.0.100'])
})

test('audited policies let through what they deny', () => {
  const { lanes } = trace(
    config({ PolicyAuditMode: true }),
    { from: parsePlace('pod:shop/stranger'), to: parsePlace('10.96.0.30:80/TCP') },
    { lanes: 'ebpf' },
  )
  assert.deepEqual(
    lanes[0]?.outcomes.map(({ verdict }) => verdict),
    ['delivered'],
  )
})

const rawFactsAsTheyAre = changed((_, bytes) => bytes)
