// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawCluster } from '../../test/support/rawFixtures.ts'
import { recordedFlows } from '../../test/support/recordedFlows.ts'
import type { Outcome } from '../path/answer.ts'
import { parsePlace } from '../path/place.ts'
import { trace } from '../path/trace.ts'
import type { Flow } from './flow.ts'
import { type FlowQuestion, questionOfFlow } from './question.ts'

for (const { name, least } of [
  { name: 'cilium', least: 12 },
  { name: 'half', least: 12 },
]) {
  test(`${name}: what is traced for a flow ends as the flow did`, () => {
    const facts = rawCluster(name)
    const ends = new Map<string, readonly Outcome['verdict'][]>()
    for (const flow of recordedFlows(name)) {
      const question = questionOfFlow(facts.objects, flow)
      if (question === undefined) continue
      const key = `${flow.nodeName} saw ${flow.verdict} of ${JSON.stringify(question)}`
      const verdicts = ends.get(key) ?? ask(question, name)
      ends.set(key, verdicts)
      assert.ok(
        verdicts.some((verdict) => agrees(flow, verdict)),
        `${key}: ${verdicts.join(', ')}`,
      )
    }
    assert.ok(ends.size >= least, `${ends.size} different questions`)
  })
}

function ask({ from, to, ctState }: FlowQuestion, name: string): readonly Outcome['verdict'][] {
  const { lanes } = trace(rawCluster(name), { from: parsePlace(from), to: parsePlace(to), ctState }, { lanes: 'ebpf' })
  return (lanes[0]?.outcomes ?? []).map(({ verdict }) => verdict)
}

/** Elsewhere than at its end, a flow that is forwarded may still be dropped. */
function agrees({ verdict: seen, traceObservationPoint, destination }: Flow, verdict: Outcome['verdict']): boolean {
  if (seen === 'DROPPED') return verdict === 'dropped'
  const arrived = traceObservationPoint === 'TO_ENDPOINT' && destination?.id !== 0
  return arrived ? verdict === 'delivered' || verdict === 'forwarded' : verdict !== 'unknown'
}

const FLOWS = recordedFlows('cilium')

function questionAbout(wanted: (flow: Flow) => boolean): FlowQuestion | undefined {
  const flow = FLOWS.find(wanted)
  assert.ok(flow)
  return questionOfFlow(rawCluster('cilium').objects, flow)
}

test('what a socket asked for is asked by the name of the Service', () => {
  const question = questionAbout(
    ({ type, destinationService }) => type === 'SOCK' && destinationService?.name === 'edge-nodeport',
  )
  assert.deepEqual(question, { from: 'pod:shop/stranger', to: 'svc:shop/edge-nodeport:80/TCP', ctState: 'new' })
})

test('about an answer, the request is asked', () => {
  const answer = FLOWS.find(
    ({ isReply, source, l4 }) => isReply === true && source?.podName !== '' && l4?.tcp?.sourcePort === 8080,
  )
  assert.ok(answer?.source && answer.destination)
  assert.deepEqual(questionOfFlow(rawCluster('cilium').objects, answer), {
    from: `pod:shop/${answer.destination.podName}`,
    to: `pod:shop/${answer.source.podName}:8080/TCP`,
    ctState: 'established',
  })
})

test('a pod that is gone is asked about by its address', () => {
  const flow = FLOWS.find(({ source, l4 }) => source?.podName === 'client-n1' && l4?.tcp !== undefined)
  assert.ok(flow?.source && flow.ip)
  const gone = { ...flow, isReply: false, source: { ...flow.source, podName: 'gone' } }
  assert.equal(questionOfFlow(rawCluster('cilium').objects, gone)?.from, flow.ip.source)
})

test('without addresses, or with those of a link alone, there is nothing to ask', () => {
  const [flow] = FLOWS
  assert.ok(flow)
  const { objects } = rawCluster('cilium')
  assert.equal(questionOfFlow(objects, { ...flow, ip: null }), undefined)
  assert.ok(flow.ip)
  const solicitation = { ...flow.ip, source: 'fe80::1', destination: 'ff02::2', ipVersion: 'IPv6' }
  assert.equal(questionOfFlow(objects, { ...flow, ip: solicitation }), undefined)
})
