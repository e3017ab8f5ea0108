// SPDX-License-Identifier: Apache-2.0

/** The netfilter lane on nodes whose devices have programs of somebody else's: Cilium's, as recorded. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openBundlePath } from '../../cli/files/openBundle.ts'
import { loadCluster } from '../facts/cluster.ts'
import type { TraceAnswer } from './answer.ts'
import { formatTrace } from './format.ts'
import { parsePlace } from './place.ts'
import { trace } from './trace.ts'

const FIXTURES = join(import.meta.dirname, '../../test/fixtures')
const HALF = loadCluster(openBundlePath(join(FIXTURES, 'bundles/half.zip')).files)

function ask(from: string, to: string, lanes: 'netfilter' | 'both' = 'netfilter'): TraceAnswer {
  return trace(HALF, { from: parsePlace(from), to: parsePlace(to) }, { lanes })
}

test('where rules hand a packet to Cilium, their lane ends instead of going round between cilium_host and cilium_net', () => {
  const outcomes = ask('pod:shop/client-n2', 'svc:shop/web:80/TCP').lanes[0]?.outcomes ?? []
  const taken = outcomes.filter(({ verdict }) => verdict === 'unknown')
  assert.ok(taken.length > 0)
  for (const { steps, probability, unknowns } of taken) {
    const last = steps.at(-1)
    assert.deepEqual([last?.node, last?.hook, last?.actor.ref], ['n1', 'tc', 'cil_from_host'])
    assert.ok(last?.evidence?.kind === 'fact')
    assert.match(last.evidence.text, /cil_from_host at tcx_egress of cilium_host/)
    assert.equal(probability, null)
    assert.ok(unknowns.some(({ what }) => what.includes('cil_from_host')))
    assert.ok(steps.length < 60, `${steps.length} steps`)
  }
  const others = outcomes.filter((outcome) => !taken.includes(outcome))
  assert.deepEqual(new Set(others.map(({ verdict }) => verdict)), new Set(['delivered']))
})

test('programs on the way out of other devices end nothing', () => {
  const outcomes = ask('host:n1', '10.200.0.100:9000/TCP').lanes[0]?.outcomes ?? []
  assert.deepEqual(new Set(outcomes.map(({ verdict }) => verdict)), new Set(['forwarded']))
})

test('text: a pod on kube-proxy to a Service with backends behind Cilium', () => {
  const path = join(FIXTURES, 'golden/web-half.txt')
  const text = formatTrace(ask('pod:shop/client-n2', 'svc:shop/web:80/TCP', 'both'))
  if (process.env['PLUMBLINE_UPDATE_GOLDEN'] === '1') writeFileSync(path, text)
  assert.equal(text, readFileSync(path, 'utf8'))
})
