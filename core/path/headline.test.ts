// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lane, Outcome, Step, TraceAnswer } from './answer.ts'
import {
  bypassedByOwner,
  bypassedText,
  endPod,
  endpointText,
  failures,
  headline,
  laneNotes,
  laneSource,
  lostReplies,
} from './headline.ts'

test('the same backends in both lanes', () => {
  const outcomes = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((ip) =>
    outcome({ probability: 1 / 3, destination: { ip, port: 80 } }),
  )
  assert.deepEqual(headline(answer(outcomes, outcomes)), {
    mood: 'good',
    text: 'Both lanes deliver, to the same 3 backends (⅓ each).',
  })
})

test('as many backends, but others', () => {
  const to = (ip: string) => outcome({ probability: 0.5, destination: { ip, port: 80 } })
  const { text } = headline(answer([to('10.0.0.1'), to('10.0.0.2')], [to('10.0.0.1'), to('10.0.0.9')]))
  assert.equal(text, 'Both lanes deliver to 2 backends (½ each), but not to the same ones.')
})

test('one backend, one lane', () => {
  assert.equal(headline(answer([outcome({})])).text, 'Netfilter delivers to 10.244.1.7:5432.')
})

test('a drop names its place', () => {
  const dropped = outcome({ verdict: 'dropped', steps: [step({ node: 'node-b', hook: 'policy-ingress', effect: 'drop' })] })
  assert.deepEqual(headline(answer([outcome({})], [dropped])), {
    mood: 'mixed',
    text: 'Netfilter delivers to 10.244.1.7:5432; eBPF drops at node-b · policy-ingress.',
  })
  assert.deepEqual(headline(answer([dropped], [dropped])), { mood: 'bad', text: 'Both lanes drop at node-b · policy-ingress.' })
})

test('a lane that does both says how often', () => {
  const some = [outcome({ probability: 2 / 3 }), outcome({ probability: 1 / 3, verdict: 'rejected' })]
  assert.deepEqual(headline(answer(some)), {
    mood: 'mixed',
    text: 'Netfilter delivers ⅔ of the time, rejects ⅓ of the time.',
  })
})

test('arriving is not enough when the answers are lost', () => {
  const lost = outcome({ replyLost: true, reply: 'answered from 10.0.0.9, which was never asked' })
  assert.deepEqual(headline(answer([lost], [outcome({})])), {
    mood: 'mixed',
    text: 'Netfilter delivers to 10.244.1.7:5432, but the answers are lost; eBPF delivers to 10.244.1.7:5432.',
  })
  assert.deepEqual(
    lostReplies(answer([lost, lost], [outcome({})])).map(({ lane, text }) => [lane.lane, text]),
    [['netfilter', 'answered from 10.0.0.9, which was never asked']],
  )
})

test('missing facts are no verdict', () => {
  const unknowns = [{ what: 'match `bpf`', missing: 'the program', evidence: null }]
  const open = answer([outcome({ verdict: 'unknown' })])
  const [lane] = open.lanes
  assert.ok(lane)
  assert.deepEqual(headline({ ...open, lanes: [{ ...lane, unknowns }] }), {
    mood: 'unknown',
    text: 'Netfilter can’t be told: 1 fact is missing.',
  })
  const perhaps = answer([outcome({ probability: null }), outcome({ probability: null, verdict: 'dropped' })])
  assert.deepEqual(headline(perhaps), { mood: 'unknown', text: 'Netfilter delivers or drops.' })
})

test('no lane, no outcome', () => {
  assert.equal(headline(answer()).text, 'No lane could be traced.')
  assert.equal(headline(answer([], [])).text, 'Neither lane has an answer.')
  assert.equal(headline(answer([], [outcome({})])).text, 'Netfilter has no answer; eBPF delivers to 10.244.1.7:5432.')
})

test('failures with the same reason are one, with their probabilities added', () => {
  const end = step({ effect: 'drop', text: 'dropped by policy' })
  const dropped = (ip: string) => outcome({ probability: 1 / 3, verdict: 'dropped', destination: { ip, port: 80 }, steps: [end] })
  const [failure, ...more] = failures(answer([dropped('10.0.0.1'), dropped('10.0.0.2'), outcome({ probability: 1 / 3 })]))
  assert.equal(more.length, 0)
  assert.equal(failure?.probability, 2 / 3)
  assert.equal(failure?.step?.text, 'dropped by policy')
})

test('bypassed rules: unknown owners first, then the many', () => {
  const rule = (owner: string) => ({
    node: 'n',
    hook: 'filter/FORWARD',
    text: '-A FORWARD',
    owner,
    evidence: { kind: 'file', file: 'f', line: 1, text: '-A FORWARD' } as const,
  })
  const bypassedRules = [rule('kubelet'), rule('kube-proxy'), rule('unknown'), rule('kube-proxy')]
  const difference = { kind: 'path', at: null, text: '', bypassedRules } as const
  assert.deepEqual(
    bypassedByOwner(difference).map(({ owner, rules }) => [owner, rules.length]),
    [
      ['unknown', 1],
      ['kube-proxy', 2],
      ['kubelet', 1],
    ],
  )
  assert.equal(bypassedText(difference), '4 netfilter rules are bypassed, 1 of unknown owner')
  assert.equal(
    bypassedText({ ...difference, bypassedRules: [rule('unknown')] }),
    '1 netfilter rule is bypassed, its owner unknown',
  )
  assert.equal(bypassedText({ ...difference, bypassedRules: [] }), null)
})

test('addresses and pods', () => {
  assert.equal(endpointText({ ip: 'fd00::1', port: 80 }), '[fd00::1]:80')
  assert.equal(endpointText({ ip: '10.0.0.1', port: null }), '10.0.0.1')
  assert.equal(endPod(outcome({ steps: [step({ netns: 'pod:shop/db-0', effect: 'deliver' })] })), 'shop/db-0')
  assert.equal(endPod(outcome({ verdict: 'dropped', steps: [step({ netns: 'pod:shop/db-0', effect: 'drop' })] })), null)
})

function step(part: Partial<Step>): Step {
  return {
    node: 'node-a',
    netns: 'host',
    hook: 'filter/FORWARD',
    actor: { kind: 'rule', ref: 'r' },
    effect: 'deliver',
    before: null,
    after: null,
    evidence: null,
    text: '',
    ...part,
  }
}

function outcome(part: Partial<Outcome>): Outcome {
  return {
    probability: 1,
    verdict: 'delivered',
    source: { ip: '10.244.0.5', port: 40000 },
    destination: { ip: '10.244.1.7', port: 5432 },
    masquerade: false,
    steps: [],
    unknowns: [],
    ...part,
  }
}

function answer(...outcomes: readonly (readonly Outcome[])[]): TraceAnswer {
  const names = ['netfilter', 'ebpf'] as const
  const lanes = outcomes.map((own, index): Lane => {
    const lane = names[index] ?? 'netfilter'
    return { lane, source: lane === 'ebpf' ? 'cilium' : 'rules', outcomes: own, unknowns: [] }
  })
  const endpoint = { ip: '10.96.0.1', port: 80 }
  const question = { from: 'a', to: 'b', source: endpoint, destination: endpoint, protocol: 'TCP', ctState: 'new', mark: 0 }
  return { schema: 'plumbline.trace/v1', question, lanes, difference: null, proof: null }
}

test('the source of an eBPF lane: one for all nodes, or each node with its own', () => {
  const lane = (nodes: Lane['nodes']) =>
    ({ lane: 'ebpf', source: 'cilium', outcomes: [], unknowns: [], nodes: nodes ?? [] }) as const
  const [n1, n2] = [
    { node: 'n1', source: 'cilium', note: 'the agent is down' } as const,
    { node: 'n2', source: 'rules' } as const,
  ]
  assert.equal(laneSource(lane([])), 'Cilium’s maps')
  assert.equal(laneSource(lane([n1])), 'Cilium’s maps')
  assert.equal(laneSource(lane([n1, n2])), 'Cilium’s maps on n1; no eBPF datapath on n2: its rules')
  assert.equal(laneSource(lane([n2])), 'no eBPF datapath on n2: its rules')
  assert.deepEqual(laneNotes(lane([n1, n2])), ['the agent is down'])
})
