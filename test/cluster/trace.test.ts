// SPDX-License-Identifier: Apache-2.0

/** Prediction and proof on a real cluster: from pods and nodes to every kind of Service, real packets end as predicted. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { probe } from '../../cluster/probe.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { objectKey } from '../../core/facts/objects.ts'
import { formatAddress } from '../../core/net/address.ts'
import { formatTrace } from '../../core/path/format.ts'
import { parsePlace } from '../../core/path/place.ts'
import { compareProof } from '../../core/path/proof.ts'
import { resolveSource } from '../../core/path/resolve.ts'
import { trace } from '../../core/path/trace.ts'
import { whyNoLab } from './lab.ts'
import { type LiveCluster, openLiveCluster } from './liveCluster.ts'

const SOURCES = ['pod:shop/client-n1', 'pod:shop/client-n2', 'pod:shop/loner', 'host:n1', 'host:n2']
const PROXY = process.env['PLUMBLINE_LAB_PROXY'] ?? 'mixed'

describe('predictions against real packets', { skip: whyNoLab() ?? false }, () => {
  let cluster: LiveCluster
  let facts: ClusterFacts

  before(async () => {
    cluster = await openLiveCluster(PROXY)
    facts = await cluster.facts()
  })

  after(() => cluster?.close())

  test('the snapshot says everything a trace needs', () => {
    const { lanes } = trace(facts, { from: parsePlace('pod:shop/client-n1'), to: parsePlace('svc:shop/db:5432/TCP') })
    assert.deepEqual(
      lanes.map((lane) => lane.unknowns),
      [[], []],
    )
  })

  for (const from of SOURCES) {
    test(`${from}: every target ends as predicted`, async () => {
      const wrong: string[] = []
      for (const to of targets(facts)) {
        const answer = trace(facts, { from: parsePlace(from), to: parsePlace(to) })
        const source = resolveSource(facts, parsePlace(from))
        assert.ok(source.kind !== 'address')
        const pod = source.kind === 'pod' ? { namespace: source.pod.meta.namespace, name: source.pod.meta.name } : undefined
        const start = { node: source.node, pod }
        const attempts = await probe(cluster.session.agents, start, answer.question, { count: 5, timeoutMs: 700 })
        const proof = compareProof(answer, attempts, 'now')
        if (proof.result !== 'confirmed') wrong.push(`${proof.result}: ${formatTrace({ ...answer, proof })}`)
      }
      assert.equal(wrong.length, 0, wrong.slice(0, 3).join('\n'))
    })
  }
})

/** Every address and port a Service answers at, pods themselves, nodes, and the machine outside. */
function targets(facts: ClusterFacts): readonly string[] {
  const services = [...facts.objects.services.values()].filter((service) => !service.headless && service.clusterIPs.length > 0)
  const clusterIPs = services.flatMap((service) =>
    service.ports.map(({ port, protocol }) => `svc:${objectKey(service.meta)}:${port}/${protocol}`),
  )
  const nodePorts = services.flatMap((service) =>
    service.ports.flatMap(({ nodePort, protocol }) =>
      nodePort === undefined ? [] : ['10.200.0.11', '10.200.0.12'].map((node) => `${node}:${nodePort}/${protocol}`),
    ),
  )
  const external = services.flatMap((service) =>
    [...service.externalIPs, ...service.loadBalancerIPs.map((ingress) => ingress.address)]
      .filter((address) => address.family === 4)
      .flatMap((address) => service.ports.map(({ port, protocol }) => `${formatAddress(address)}:${port}/${protocol}`)),
  )
  const pods = [...facts.objects.pods.values()]
    .filter((pod) => pod.meta.namespace === 'shop' && pod.meta.labels.get('app') === 'web')
    .map((pod) => `pod:${objectKey(pod.meta)}:8080/TCP`)
  return [...clusterIPs, ...nodePorts, ...external, ...pods, '10.200.0.11:8081/TCP', '10.200.0.100:9000/TCP']
}
