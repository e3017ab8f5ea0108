// SPDX-License-Identifier: Apache-2.0

/**
 * Whole paths against the kernel: two nodes with bridges and pods, random rules and settings, and real connections between
 * all of them. What really happened must be among the predicted outcomes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import type { Lane, Outcome } from '../../core/path/answer.ts'
import { formatTrace } from '../../core/path/format.ts'
import { parsePlace } from '../../core/path/place.ts'
import { trace } from '../../core/path/trace.ts'
import { withoutNetns } from '../support/netns.ts'
import { Random } from '../support/random.ts'
import { type Attempt, NODES, OUTSIDE, podAddress, type Shape, Topology } from '../support/topology.ts'

const SEED = Number(process.env['PLUMBLINE_SEED'] ?? 1)
const WORLDS = Number(process.env['PLUMBLINE_WORLDS'] ?? 8)
const VIP = '10.70.0.1'
const EMPTY_VIP = '10.70.0.2'
const SELF_VIP = '10.70.0.3'
const NODE_PORT = 30080

test('every connection ends as one of the predicted outcomes', { skip: withoutNetns() }, async (t) => {
  for (let world = 0; world < WORLDS; world++) {
    const seed = SEED + world
    await t.test(`seed ${seed}`, async () => {
      const random = new Random(seed)
      const shape = randomShape(random)
      await using topology = new Topology(`plpt${process.pid}`, shape)
      for (const node of NODES) install(topology, node.name, random)
      await topology.serve({ a1: [8080], a2: [8080], b1: [8080], na: [9000], nb: [9000], out: [9000] })
      const wrong = compareAll(topology, topology.facts(shape))
      assert.equal(wrong.length, 0, `${JSON.stringify(shape)}\n${wrong.slice(0, 2).join('\n\n')}`)
    })
  }
})

function randomShape(random: Random): Shape {
  return {
    transport: random.pick(['routes', 'vxlan']),
    bridgeNfCall: random.chance(60),
    hairpin: random.chance(50),
    rpFilter: random.pick([0, 0, 1, 2] as const),
    routeLocalnet: random.chance(50),
    forwarding: random.chance(90),
  }
}

/** Rules as kube-proxy and administrators write them, some of them wrong. */
function install(topology: Topology, node: string, random: Random): void {
  const masquerade = random.pick(['none', 'self', 'all', 'self'])
  const backends = random.pick([['a1', 'a2'], ['a2', 'b1'], ['b1'], ['a1', 'a2', 'b1']])
  const text = [
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ':SVC - [0:0]',
    ':BACK - [0:0]',
    '-A PREROUTING -j SVC',
    '-A OUTPUT -j SVC',
    `-A SVC -d ${VIP}/32 -p tcp -m tcp --dport 80 -j BACK`,
    ...(masquerade === 'none'
      ? []
      : [`-A SVC -s ${podAddress('a1')}/32 -d ${SELF_VIP}/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x4000/0x4000`]),
    `-A SVC -d ${SELF_VIP}/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination ${podAddress('a1')}:8080`,
    `-A SVC -p tcp -m addrtype --dst-type LOCAL -m tcp --dport ${NODE_PORT} ${random.chance(70) ? '-j MARK --set-xmark 0x4000/0x4000' : '-m comment --comment "no masquerade"'}`,
    `-A SVC -p tcp -m addrtype --dst-type LOCAL -m tcp --dport ${NODE_PORT} -j BACK`,
    ...backends.flatMap((pod, index) => backendRules(pod, backends.length - index, masquerade)),
    '-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE',
    ...(random.chance(30) ? ['-A POSTROUTING -s 10.50.0.0/16 ! -d 10.50.0.0/16 -j MASQUERADE'] : []),
    'COMMIT',
    '*filter',
    ':INPUT ACCEPT [0:0]',
    `:FORWARD ${random.chance(10) ? 'DROP' : 'ACCEPT'} [0:0]`,
    ':OUTPUT ACCEPT [0:0]',
    `-A FORWARD -d ${EMPTY_VIP}/32 -p tcp -j REJECT --reject-with icmp-port-unreachable`,
    `-A OUTPUT -d ${EMPTY_VIP}/32 -p tcp -j REJECT --reject-with ${random.pick(['icmp-port-unreachable', 'tcp-reset'])}`,
    '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ...(random.chance(40)
      ? [`-A FORWARD -s ${podAddress('a2')}/32 -p tcp --dport 8080 -j ${random.pick(['DROP', 'REJECT'])}`]
      : []),
    ...(random.chance(20) ? ['-A FORWARD -i cni0 -o cni0 -p tcp --syn -j DROP'] : []),
    ...(random.chance(20) ? ['-A INPUT -p tcp --dport 9000 -j REJECT --reject-with tcp-reset'] : []),
    ...(random.chance(20) ? ['-A OUTPUT -o eth0 -p tcp --dport 8080 -j REJECT'] : []),
    ...(random.chance(20) ? ['-A FORWARD -m physdev --physdev-is-bridged -p tcp --dport 8080 --syn -j REJECT'] : []),
    'COMMIT',
    '',
  ].join('\n')
  const { status, stderr } = topology.of(node).exec('iptables-restore', [], text)
  if (status !== 0) throw new Error(stderr)
}

function backendRules(pod: string, remaining: number, masquerade: string): readonly string[] {
  const chance = remaining > 1 ? `-m statistic --mode random --probability ${(1 / remaining).toFixed(11)} ` : ''
  const chain = `SEP-${pod}`
  const self = masquerade === 'self' ? [`-A ${chain} -s ${podAddress(pod)}/32 -j MARK --set-xmark 0x4000/0x4000`] : []
  const all = masquerade === 'all' ? [`-A ${chain} -j MARK --set-xmark 0x4000/0x4000`] : []
  return [
    `:${chain} - [0:0]`,
    `-A BACK ${chance}-j ${chain}`,
    ...self,
    ...all,
    `-A ${chain} -p tcp -j DNAT --to-destination ${podAddress(pod)}:8080`,
  ]
}

function compareAll(topology: Topology, facts: ClusterFacts): readonly string[] {
  const targets = [
    ...['a1', 'a2', 'b1'].map((pod) => `${podAddress(pod)}:8080`),
    `${podAddress('b1')}:8081`,
    `${VIP}:80`,
    `${VIP}:80`,
    `${VIP}:80`,
    `${EMPTY_VIP}:80`,
    `${SELF_VIP}:80`,
    ...NODES.flatMap((node) => [`${node.address}:${NODE_PORT}`, `${node.address}:9000`, `${node.podNetwork}.1:9000`]),
    `127.0.0.1:${NODE_PORT}`,
    `${OUTSIDE}:9000`,
    '10.60.0.77:80',
  ]
  const sources = [...NODES.flatMap((node) => [node.name, ...node.pods])]
  return sources.flatMap((source) => {
    const attempts = topology.attempt(source, targets)
    return targets.flatMap((target, index) => {
      const attempt = attempts[index]
      const from = NODES.some((node) => node.name === source) ? `host:${source}` : `pod:test/${source}`
      const answer = trace(facts, { from: parsePlace(from), to: parsePlace(`${target}/TCP`) }, { lanes: 'netfilter' })
      const [lane] = answer.lanes
      if (attempt === undefined || lane === undefined || explains(lane, attempt)) return []
      return [`${from} -> ${target}: ${JSON.stringify(attempt)}\n${formatTrace(answer)}`]
    })
  })
}

function explains(lane: Lane, attempt: Attempt): boolean {
  return lane.outcomes.some((outcome) => explainedBy(outcome, attempt))
}

function explainedBy(outcome: Outcome, attempt: Attempt): boolean {
  switch (attempt.kind) {
    case 'answer':
      return answered(outcome, attempt)
    case 'timeout':
      return outcome.verdict === 'dropped' || outcome.replyLost === true || noOneThere(outcome)
    case 'refused':
      return (
        outcome.verdict === 'rejected' || (outcome.verdict === 'delivered' && !listens(outcome)) || outcome.replyLost === true
      )
    case 'unreachable':
      return outcome.verdict === 'rejected' || noOneThere(outcome)
    case 'error':
      return false
  }
}

/** Answered by the pod or node it was delivered to, which saw the predicted source. */
function answered(outcome: Outcome, attempt: Extract<Attempt, { kind: 'answer' }>): boolean {
  if (outcome.replyLost === true || outcome.source.ip !== attempt.seen) return false
  const owner = ['a1', 'a2', 'b1'].find((pod) => podAddress(pod) === outcome.destination.ip)
  const node = NODES.find(({ address, podNetwork }) => [address, `${podNetwork}.1`, '127.0.0.1'].includes(outcome.destination.ip))
  if (outcome.verdict === 'forwarded') return attempt.server === 'out' && outcome.destination.ip === OUTSIDE
  return outcome.verdict === 'delivered' && attempt.server === (owner ?? node?.name ?? '')
}

function listens({ destination }: Outcome): boolean {
  return destination.port === 8080
    ? destination.ip.startsWith('10.50.') && !destination.ip.endsWith('.1')
    : destination.port === 9000
}

/** Beyond what the snapshot shows: nobody has the address, or the way back is unknown. */
function noOneThere(outcome: Outcome): boolean {
  return outcome.verdict === 'forwarded'
}
