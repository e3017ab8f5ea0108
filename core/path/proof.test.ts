// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Outcome, type Step, TRACE_SCHEMA, type TraceAnswer, type Verdict } from './answer.ts'
import { compareProof, type ObservedAttempt } from './proof.ts'

const source = { ip: '10.244.0.4', port: null }

function outcome(verdict: Verdict, ip = '10.244.1.3'): Outcome {
  return { probability: 0.5, verdict, source, destination: { ip, port: 8080 }, masquerade: false, steps: [], unknowns: [] }
}

function answer(...outcomes: Outcome[]): TraceAnswer {
  const destination = { ip: '10.96.0.20', port: 80 }
  return {
    schema: TRACE_SCHEMA,
    question: { from: 'pod:a/b', to: 'svc:a/c:80/TCP', source, destination, protocol: 'TCP', ctState: 'new', mark: 0 },
    lanes: [{ lane: 'netfilter', source: 'rules', outcomes, unknowns: [] }],
    difference: null,
    proof: null,
  }
}

function attempt(
  result: ObservedAttempt['result'],
  ip: string | null = '10.244.1.3',
  from: string | null = '10.244.0.4',
): ObservedAttempt {
  return {
    result,
    detail: '',
    destination: ip === null ? null : { ip, port: 8080 },
    source: from === null ? null : { ip: from, port: 40000 },
    milliseconds: 1,
  }
}

test('packets that met predicted ends confirm, each at its outcome', () => {
  const proof = compareProof(
    answer(outcome('delivered', '10.244.0.2'), outcome('delivered')),
    [attempt('connected'), attempt('connected', '10.244.0.2')],
    'now',
  )
  assert.equal(proof.result, 'confirmed')
  assert.deepEqual(
    proof.attempts.map((each) => each.outcome),
    [1, 0],
  )
})

test('another backend, another source and another fate contradict', () => {
  const delivered = answer(outcome('delivered'))
  for (const odd of [attempt('connected', '10.244.9.9'), attempt('connected', '10.244.1.3', '10.0.0.1'), attempt('timeout')]) {
    assert.equal(compareProof(delivered, [attempt('connected'), odd], 'now').result, 'contradicted')
  }
  assert.equal(compareProof(answer(outcome('dropped')), [attempt('connected')], 'now').result, 'contradicted')
})

test('drops time out, rejections are refused', () => {
  assert.equal(compareProof(answer(outcome('dropped')), [attempt('timeout', null, null)], 'now').result, 'confirmed')
  assert.equal(compareProof(answer(outcome('rejected')), [attempt('refused', null, null)], 'now').result, 'confirmed')
  assert.equal(compareProof(answer(outcome('rejected')), [attempt('timeout', null, null)], 'now').result, 'contradicted')
})

test('what could not be tried or is unknown proves nothing', () => {
  assert.equal(compareProof(answer(outcome('delivered')), [attempt('error')], 'now').result, 'inconclusive')
  assert.equal(compareProof(answer(outcome('delivered')), [], 'now').result, 'inconclusive')
  assert.equal(compareProof(answer(outcome('unknown')), [attempt('timeout')], 'now').result, 'inconclusive')
  assert.equal(compareProof(answer(outcome('forwarded')), [attempt('timeout')], 'now').result, 'inconclusive')
})

test('what another node does to the packet can not be seen where it started', () => {
  const step = (node: string, effect: Step['effect'], before: string | null, after: string | null): Step => ({
    node,
    netns: 'host',
    hook: 'nat/PREROUTING',
    actor: { kind: 'rule', ref: 'r' },
    effect,
    before,
    after,
    evidence: null,
    text: '',
  })
  const elsewhere = {
    ...outcome('delivered'),
    steps: [
      step('n1', 'masquerade', '10.244.0.4 -> 10.200.0.12:30080', '10.200.0.11 -> 10.200.0.12:30080'),
      step('n2', 'dnat', '10.200.0.11 -> 10.200.0.12:30080', '10.200.0.11 -> 10.244.1.3:8080'),
    ],
  }
  const question = { ...answer().question, destination: { ip: '10.200.0.12', port: 30080 } }
  const proof = (seen: ObservedAttempt) => compareProof({ ...answer(elsewhere), question }, [seen], 'now').result
  const met = { ...attempt('connected', '10.200.0.12', '10.200.0.11'), destination: { ip: '10.200.0.12', port: 30080 } }
  assert.equal(proof(met), 'confirmed')
  assert.equal(proof(attempt('connected')), 'contradicted')
})

test('a node that has said often enough that it refuses falls silent', () => {
  const attempts = [attempt('refused', null, null), attempt('timeout', null, null)]
  assert.equal(compareProof(answer(outcome('rejected')), attempts, 'now').result, 'confirmed')
})
