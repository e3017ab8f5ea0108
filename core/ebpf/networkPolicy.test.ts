// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterObjects } from '../facts/objectsIndex.ts'
import { parseAddress } from '../net/address.ts'
import { PlannedDatapath } from './planned.ts'

const PODS = [
  { namespace: 'shop', name: 'web', ip: '10.244.0.2', node: 'n1', labels: { app: 'web' } },
  { namespace: 'shop', name: 'db', ip: '10.244.1.2', node: 'n2', labels: { app: 'db' } },
  { namespace: 'ops', name: 'probe', ip: '10.244.1.3', node: 'n2', labels: { app: 'probe' } },
]

function datapath(...policies: readonly (readonly [name: string, spec: object])[]): PlannedDatapath {
  const values: unknown[] = [
    ...['n1', 'n2'].map((name, i) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      spec: { podCIDR: `10.244.${i}.0/24` },
      status: { addresses: [{ type: 'InternalIP', address: `10.0.0.${i + 1}` }] },
    })),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ops', labels: { team: 'ops' } } },
    ...PODS.map(({ namespace, name, ip, node, labels }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels },
      spec: { nodeName: node, containers: [{ ports: [{ name: 'sql', containerPort: 5432 }] }] },
      status: { phase: 'Running', podIP: ip },
    })),
    ...policies.map(([name, spec]) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'shop', name },
      spec,
    })),
  ]
  return new PlannedDatapath(new ClusterObjects(values.map((value) => ({ file: 'f', pointer: '', value }))))
}

function ask(model: PlannedDatapath, direction: 'egress' | 'ingress', from: string, to: string, port = 5432, protocol = 6) {
  const address = (name: string) => {
    const found = parseAddress(PODS.find((pod) => pod.name === name)?.ip ?? name)
    assert.ok(found)
    return found
  }
  return model.policy({ direction, source: address(from), destination: address(to), protocol, port })
}

const DB = { podSelector: { matchLabels: { app: 'db' } } }

test('nothing isolates a pod without policies; one that selects it denies all it does not allow', () => {
  assert.equal(ask(datapath(), 'ingress', 'web', 'db').verdict, 'allow')
  const closed = ask(datapath(['closed', DB]), 'ingress', 'web', 'db')
  assert.equal(closed.verdict, 'deny')
  assert.equal(closed.actor, 'shop/closed')
  assert.match(closed.remedy ?? '', /ingress rule.*shop\/db.*pod shop\/web, port 5432\/TCP/)
  assert.equal(ask(datapath(['closed', DB]), 'egress', 'web', 'db').verdict, 'allow', 'the sender is not selected')
})

test('a podSelector alone means the policy’s namespace; with namespaceSelector both must hold', () => {
  const own = datapath(['p', { ...DB, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'probe' } } }] }] }])
  assert.equal(ask(own, 'ingress', 'probe', 'db').verdict, 'deny')
  const both = datapath([
    'p',
    {
      ...DB,
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: 'probe' } }, namespaceSelector: { matchLabels: { team: 'ops' } } }] },
      ],
    },
  ])
  const allowed = ask(both, 'ingress', 'probe', 'db')
  assert.equal(allowed.verdict, 'allow')
  assert.deepEqual(allowed.evidence, {
    kind: 'object',
    apiVersion: 'networking.k8s.io/v1',
    object: 'NetworkPolicy',
    namespace: 'shop',
    name: 'p',
    field: 'spec.ingress[0].from[0]',
  })
  const byName = datapath([
    'p',
    { ...DB, ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ops' } } }] }] },
  ])
  assert.equal(ask(byName, 'ingress', 'probe', 'db').verdict, 'allow')
})

test('ports: numbers, ranges, names of the receiver’s container ports; protocols apart', () => {
  const port = (entry: object) => datapath(['p', { ...DB, ingress: [{ ports: [entry] }] }])
  const verdict = (entry: object, number = 5432, protocol = 6) =>
    ask(port(entry), 'ingress', 'web', 'db', number, protocol).verdict
  assert.deepEqual(
    [
      verdict({ port: 5432 }),
      verdict({ port: 5433 }),
      verdict({ port: 5000, endPort: 6000 }),
      verdict({ port: 'sql' }),
      verdict({ port: 'sql' }, 80),
    ],
    ['allow', 'deny', 'allow', 'allow', 'deny'],
  )
  assert.deepEqual(
    [verdict({ protocol: 'UDP', port: 5432 }), verdict({ protocol: 'UDP', port: 5432 }, 5432, 17)],
    ['deny', 'allow'],
  )
  const named = datapath([
    'out',
    { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'sql' }] }] },
  ])
  assert.equal(ask(named, 'egress', 'web', 'db').verdict, 'allow')
  assert.equal(ask(named, 'egress', 'web', '192.0.2.1').verdict, 'deny', 'outside nobody has a port of that name')
})

test('ipBlock with exceptions; whether it means pods is said to be open', () => {
  const rule = {
    podSelector: { matchLabels: { app: 'web' } },
    policyTypes: ['Egress'],
    egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['192.0.2.0/24'] } }] }],
  }
  const model = datapath(['out', rule])
  assert.equal(ask(model, 'egress', 'web', '198.51.100.1').verdict, 'allow')
  assert.equal(ask(model, 'egress', 'web', '192.0.2.7').verdict, 'deny')
  assert.equal(ask(model, 'egress', 'web', '198.51.100.1').unknowns.length, 0)
  assert.equal(ask(model, 'egress', 'web', 'db').unknowns.length, 1)
})

test('a pod reaches itself and its own node whatever the policies', () => {
  const model = datapath(['closed', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }])
  assert.equal(ask(model, 'egress', 'db', 'db').verdict, 'allow')
  assert.equal(ask(model, 'ingress', '10.0.0.2', 'db').verdict, 'allow')
  assert.equal(ask(model, 'ingress', '10.0.0.1', 'db').verdict, 'deny')
})

test('policies add up', () => {
  const model = datapath(
    ['closed', DB],
    [
      'open',
      { ...DB, ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['x'] }] } }] }] },
    ],
  )
  assert.equal(ask(model, 'ingress', 'web', 'db').verdict, 'allow')
})
