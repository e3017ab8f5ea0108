// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawCluster } from '../../../test/support/rawFixtures.ts'
import { recordedFlows } from '../../../test/support/recordedFlows.ts'
import type { ClusterFacts } from '../../facts/cluster.ts'
import { attributeDrop } from './attribution.ts'
import type { DropAttribution } from './attributionModel.ts'
import type { Flow } from '../flow.ts'

/** What the lab's manifests say (lab/workloads/50-policies.yaml, cilium/60-policies.yaml): policies that isolate, by label. */
const ISOLATING: Readonly<Record<string, readonly string[]>> = {
  'ingress app=db': ['NetworkPolicy shop/db-from-web'],
  'ingress app=web': ['CiliumNetworkPolicy shop/web-from-nodes', 'NetworkPolicy shop/web-ingress'],
  'egress role=locked': ['CiliumNetworkPolicy shop/locked-egress'],
}

function attributed(facts: ClusterFacts, flow: Flow): DropAttribution {
  const attribution = attributeDrop(facts, flow)
  assert.ok(attribution)
  assert.deepEqual(attribution.unknowns, [])
  return attribution
}

function names({ policies }: DropAttribution): readonly string[] {
  return policies.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`).sort()
}

for (const name of ['cilium', 'half']) {
  const facts = rawCluster(name)
  const drops = recordedFlows(name).filter(({ verdict }) => verdict === 'DROPPED')

  test(`${name}: every drop has its policies, those of the manifests and those that Hubble names`, () => {
    assert.ok(drops.length > 10)
    for (const flow of drops) {
      const attribution = attributed(facts, flow)
      const named = [...flow.egressDeniedBy, ...flow.ingressDeniedBy].map((policy) => policy.name)
      if (flow.dropReasonDesc === 'POLICY_DENY') {
        assert.equal(attribution.kind, 'denied')
        assert.deepEqual(names(attribution), ['CiliumNetworkPolicy shop/edge-not-stranger'])
        if (named.length > 0) assert.deepEqual(named, ['edge-not-stranger'])
        continue
      }
      const end = flow.trafficDirection === 'EGRESS' ? flow.source : flow.destination
      const [, isolating] =
        Object.entries(ISOLATING).find(([of]) => {
          const [direction = '', label = ''] = of.split(' ')
          return attribution.direction === direction && end?.labels.includes(`k8s:${label}`)
        }) ?? []
      assert.deepEqual(names(attribution), isolating, attribution.text)
      assert.ok(attribution.nearRules.length > 0)
    }
  })

  test(`${name}: with objects alone the policies are the same, and entries of maps are missing`, () => {
    const [flow] = drops
    assert.ok(flow)
    const all = attributed(facts, flow)
    const objects = attributed({ ...facts, nodes: new Map() }, flow)
    assert.ok(all.look.some(({ evidence }) => evidence?.kind === 'map'))
    assert.deepEqual({ ...objects, look: [] }, { ...all, look: [] })
    assert.ok(!objects.look.some(({ evidence }) => evidence?.kind === 'map'))
  })
}

const CLUSTER = rawCluster('cilium')
const FLOWS = recordedFlows('cilium')

function dropOf(pod: string, port: number): Flow {
  const flow = FLOWS.find(
    (each) => each.verdict === 'DROPPED' && each.source?.podName === pod && each.l4?.tcp?.destinationPort === port,
  )
  assert.ok(flow)
  return flow
}

test('the closest rule says what keeps it from allowing', () => {
  const toDb = attributed(CLUSTER, dropOf('client-n1', 5432))
  assert.deepEqual(
    toDb.nearRules.map(({ field, mismatches }) => [field, mismatches.map((miss) => [miss.what, miss.field, miss.text])]),
    [
      [
        'spec.ingress[0]',
        [
          [
            'peer',
            'spec.ingress[0].from[0]',
            "asks for pods with app=web of the policy's namespace; the flow has pod shop/client-n1 (app=client)",
          ],
        ],
      ],
    ],
  )
  const outside = FLOWS.find((each) => each.verdict === 'DROPPED' && each.ip?.destination === '10.200.0.100')
  assert.ok(outside)
  const [closest, next] = attributed(CLUSTER, outside).nearRules
  assert.deepEqual(
    closest?.mismatches.map(({ what, text }) => [what, text]),
    [['port', 'asks for 8900–9099/TCP; the flow has 8080/TCP']],
  )
  assert.deepEqual(
    next?.mismatches.map(({ what }) => what),
    ['peer'],
  )
})

test('evidence points at the field of the object', () => {
  const { nearRules, look } = attributed(CLUSTER, dropOf('client-n1', 5432))
  const evidence = nearRules[0]?.mismatches[0]?.evidence
  assert.ok(evidence?.kind === 'object')
  assert.deepEqual([evidence.object, evidence.name, evidence.field], ['NetworkPolicy', 'db-from-web', 'spec.ingress[0].from[0]'])
  assert.deepEqual(look[0]?.evidence, evidence)
})

test('pods that are gone are judged by the labels they had', () => {
  const flow = dropOf('client-n1', 5432)
  assert.ok(flow.source && flow.destination)
  const [source, destination] = [
    { ...flow.source, podName: 'client-gone' },
    { ...flow.destination, podName: 'db-gone' },
  ]
  const gone = attributed(CLUSTER, { ...flow, source, destination })
  assert.deepEqual(names(gone), ['NetworkPolicy shop/db-from-web'])
  assert.equal(gone.endpoint, 'pod shop/db-gone')
  assert.deepEqual(
    gone.nearRules.map(({ mismatches }) => mismatches.map(({ what, text }) => `${what} ${text}`)),
    [["peer asks for pods with app=web of the policy's namespace; the flow has pod shop/client-gone (app=client)"]],
  )
})

test('a peer that is no pod has the names of its entities', () => {
  const flow = dropOf('client-n1', 5432)
  assert.ok(flow.ip && flow.source)
  const labels = ['reserved:kube-apiserver', 'reserved:remote-node']
  const source = { ...flow.source, id: 0, identity: 7, labels, podName: '', namespace: '' }
  const { text } = attributed(CLUSTER, { ...flow, ip: { ...flow.ip, source: '10.200.0.11' }, source })
  assert.match(text, /ingress from 10\.200\.0\.11 \(kube-apiserver, remote-node\), 5432\/TCP/)
})

test('a pod that counts as outside the cluster is said to be one', () => {
  const half = rawCluster('half')
  const flow = recordedFlows('half').find(({ verdict, ip, destination }) => {
    return verdict === 'DROPPED' && ip?.source.startsWith('10.244.1.') && destination?.labels.includes('k8s:app=web')
  })
  assert.ok(flow)
  const { text, remedy } = attributed(half, flow)
  assert.match(text, /That is pod shop\/client-n2, but this node's Cilium does not know it as one/)
  assert.match(remedy ?? '', /labels match once node n2 runs Cilium too/)
})

test('objects that changed since are told apart from those of the flow', () => {
  const flow = dropOf('client-n1', 5432)
  assert.ok(flow.source)
  const asWeb = { ...flow, source: { ...flow.source, labels: flow.source.labels.map((label) => label.replace('client', 'web')) } }
  const allowed = attributeDrop(rawCluster('cilium'), { ...asWeb, source: { ...asWeb.source, podName: 'gone', identity: 4711 } })
  assert.ok(allowed)
  assert.match(allowed.text, /none of its rules allow/)
  const nobody = attributeDrop({ ...CLUSTER, objects: rawCluster('iptables').objects }, { ...flow, destination: null })
  assert.deepEqual(nobody?.policies, [])
  assert.match(nobody?.unknowns[0]?.missing ?? '', /which pod it is/)
  const bare = attributeDrop({ ...CLUSTER, objects: rawCluster('iptables').objects }, { ...flow, trafficDirection: 'EGRESS' })
  assert.match(bare?.unknowns[0]?.missing ?? '', /policy objects of that moment/)
})

test('other reasons say what they mean, where to look and what would help', () => {
  const flow = dropOf('client-n1', 5432)
  const { ip } = flow
  assert.ok(ip)
  const other = (dropReasonDesc: string, destination: string, destinationPort: number) => {
    const tcp = { sourcePort: 40_000, destinationPort, flags: null }
    const l4 = { tcp, udp: null, icmpv4: null, icmpv6: null, sctp: null, vrrp: null, igmp: null }
    return attributed(CLUSTER, { ...flow, ip: { ...ip, destination }, l4, dropReasonDesc })
  }
  const ghost = other('SERVICE_BACKEND_NOT_FOUND', '10.96.0.40', 80)
  assert.equal(ghost.kind, 'datapath')
  assert.match(ghost.text, /svc shop\/ghost:80\/TCP/)
  assert.ok(ghost.look.some(({ evidence }) => evidence?.kind === 'object' && evidence.name === 'ghost'))
  assert.ok(ghost.look.some(({ evidence }) => evidence?.kind === 'map' && evidence.map === 'cilium_lb4_services_v2'))
  const range = other('DENIED_BY_LB_SRC_RANGE_CHECK', '203.0.113.10', 80)
  assert.ok(range.look.some(({ evidence }) => evidence?.kind === 'object' && evidence.field === 'spec.loadBalancerSourceRanges'))
  assert.match(other('STALE_OR_UNROUTABLE_IP', '10.244.0.9', 80).text, /nobody is known at its destination/)
  assert.match(other('SOMETHING_NEW', '10.244.0.9', 80).text, /something new/)
})

test('a pod that is known by its link-local address alone is not made up', () => {
  const flow = dropOf('client-n1', 5432)
  assert.ok(flow.ip && flow.source)
  const solicitation = attributeDrop(CLUSTER, {
    ...flow,
    trafficDirection: 'EGRESS',
    ip: { ...flow.ip, source: 'fe80::1', destination: 'ff02::2', ipVersion: 'IPv6' },
    source: { ...flow.source, id: 0, identity: 10, labels: ['reserved:world-ipv6'], podName: '', namespace: '' },
    destination: null,
  })
  assert.equal(solicitation?.endpoint, 'a pod of n2, as fe80::1')
  assert.deepEqual(solicitation?.policies, [])
  assert.match(solicitation?.unknowns[0]?.missing ?? '', /which pod it is/)
})

test('what was not dropped is not attributed', () => {
  const forwarded = FLOWS.find(({ verdict }) => verdict === 'FORWARDED')
  assert.ok(forwarded)
  assert.equal(attributeDrop(CLUSTER, forwarded), undefined)
})
