// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../net/address.ts'
import { clusterOfObjects } from './cluster.ts'
import { selects } from './objects.ts'
import { ClusterObjects } from './objectsIndex.ts'
import { parseSelector } from './objectsParse.ts'
import { Shape } from './objectsShape.ts'

function load(...values: readonly unknown[]): ClusterObjects {
  return new ClusterObjects(values.map((value, index) => ({ file: `f${index}.json`, pointer: '', value })))
}

function ip(text: string) {
  const address = parseAddress(text)
  assert.ok(address)
  return address
}

const pod = (name: string, spec: object, status: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name },
  spec,
  status,
})

test('items of a typed list take its kind; a mixed list names them one by one', () => {
  const typed = load({ apiVersion: 'v1', kind: 'PodList', items: [{ metadata: { namespace: 'shop', name: 'web' } }] })
  assert.equal(typed.pods.get('shop/web')?.meta.kind, 'Pod')
  const mixed = load({
    kind: 'List',
    apiVersion: 'v1',
    items: [pod('web', {}, {}), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }],
  })
  assert.deepEqual([mixed.pods.size, mixed.namespaces.size], [1, 1])
})

test('an address belongs to the pod that has it for itself, not to host-network pods or finished ones', () => {
  const objects = load(
    pod('agent', { hostNetwork: true, nodeName: 'n1' }, { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] }),
    pod('done', { nodeName: 'n1' }, { phase: 'Succeeded', podIP: '10.244.0.9' }),
    pod('web', { nodeName: 'n1' }, { phase: 'Running', podIP: '10.244.0.9' }),
  )
  assert.equal(objects.podAt(ip('10.244.0.9'))?.meta.name, 'web')
  assert.equal(objects.podAt(ip('10.0.0.1')), undefined)
  assert.equal(objects.podsAt(ip('10.0.0.1')).length, 1)
})

test('ports of sidecars count, ports of ordinary init containers do not', () => {
  const containers = [{ ports: [{ name: 'http', containerPort: 8080 }] }]
  const initContainers = [
    { ports: [{ containerPort: 1 }] },
    { restartPolicy: 'Always', ports: [{ containerPort: 15001, hostPort: 31000, hostIP: '' }] },
  ]
  const ports = load(pod('web', { containers, initContainers }, {})).pods.get('shop/web')?.ports ?? []
  assert.deepEqual(
    ports.map((port) => port.containerPort),
    [15001, 8080],
  )
  assert.equal(ports[0]?.hostIP, undefined)
})

test('what can not be read is reported with its place, and the rest is kept', () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'shop', name: 'db' } }
  const objects = load({ ...service, spec: { clusterIP: '10.96.0.300', ports: [{ port: 'x' }, { port: 80 }], type: 'Nonsense' } })
  const db = objects.services.get('shop/db')
  assert.deepEqual([db?.type, db?.ports.length, db?.clusterIPs.length], ['ClusterIP', 1, 0])
  const pointers = objects.problems.map((problem) => problem.pointer)
  for (const pointer of ['/spec/clusterIP', '/spec/ports/0/port', '/spec/type']) assert.ok(pointers.includes(pointer), pointer)
})

test('policy types default as the API server fills them in', () => {
  const policy = (spec: object) => {
    const objects = load({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'shop', name: 'p' },
      spec,
    })
    const parsed = objects.networkPolicies.get('shop/p')
    return [parsed?.isolatesIngress, parsed?.isolatesEgress]
  }
  assert.deepEqual(policy({ podSelector: {} }), [true, false])
  assert.deepEqual(policy({ podSelector: {}, egress: [{}] }), [true, true])
  assert.deepEqual(policy({ podSelector: {}, policyTypes: ['Egress'] }), [false, true])
})

test('NotIn and DoesNotExist hold for absent keys; In does not', () => {
  const labels = new Map([['app', 'web']])
  const holds = (operator: string, key: string, values: readonly string[] = []) =>
    selects(parseSelector(new Shape({ matchExpressions: [{ key, operator, values }] }, '', '', [])), labels)
  assert.deepEqual(
    [
      holds('In', 'app', ['web', 'x']),
      holds('NotIn', 'app', ['web']),
      holds('NotIn', 'tier', ['web']),
      holds('Exists', 'tier'),
      holds('DoesNotExist', 'tier'),
    ],
    [true, false, true, false, true],
  )
  assert.equal(holds('Like', 'app', ['web']), false)
})

test('no object, however hostile, makes reading fail', () => {
  const kinds = ['Pod', 'Service', 'EndpointSlice', 'NetworkPolicy', 'Node', 'Namespace', 'PodList', 'List']
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom('10.0.0.1', 'None', '10.0.0.0/8', -1, 70000, 80, null))
  const body = fc.dictionary(
    fc.constantFrom(
      'ports',
      'podIPs',
      'clusterIPs',
      'addresses',
      'ingress',
      'egress',
      'podSelector',
      'endpoints',
      '__proto__',
      'hostIP',
    ),
    field,
  )
  const object = fc.record({
    apiVersion: fc.constantFrom('v1', 'discovery.k8s.io/v1', 'networking.k8s.io/v1', 7),
    kind: fc.constantFrom(...kinds),
    metadata: fc.oneof(
      fc.record({ name: fc.string(), namespace: fc.string(), labels: field, ownerReferences: field }),
      fc.jsonValue(),
    ),
    spec: fc.oneof(body, fc.jsonValue()),
    status: fc.oneof(body, fc.jsonValue()),
    items: fc.oneof(fc.array(fc.jsonValue()), fc.jsonValue()),
    endpoints: field,
  })
  fc.assert(
    fc.property(fc.array(object, { maxLength: 4 }), (values) => {
      const facts = clusterOfObjects(
        'fuzz',
        values.map((value, index) => ({ file: `f${index}`, pointer: '', value })),
      )
      for (const problem of facts.problems) assert.ok(problem.reason !== '')
    }),
  )
})
