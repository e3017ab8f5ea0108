// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FactFiles } from './files.ts'
import { loadCluster } from './cluster.ts'
import { objectFiles, resourceName } from './manifests.ts'
import { memoryFiles } from './memory.ts'
import { importSysdump, isSysdump, isSysdumpFile } from './sysdump.ts'

const encode = (text: string) => new TextEncoder().encode(text)

function read(text: string, file = 'app.yaml'): FactFiles {
  return objectFiles('loose', [{ file, bytes: encode(text) }])
}

function list(files: FactFiles, resource: string): { kind: string; apiVersion: string; items: Record<string, unknown>[] } {
  return JSON.parse(new TextDecoder().decode(files.read(`objects/${resource}.json`)))
}

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop, managedFields: [{manager: kubectl}]}
spec: {clusterIP: 10.96.0.7}
`

test('documents of one file become lists by resource; managed fields and secrets go', () => {
  const files = read(`# heading
---
${SERVICE}---
apiVersion: v1
kind: Secret
metadata: {name: s}
---
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
`)
  assert.deepEqual(files.list(), ['objects/networkpolicies.json', 'objects/services.json'])
  const services = list(files, 'services')
  assert.equal(services.kind, 'ServiceList')
  assert.deepEqual(services.items, [
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db', namespace: 'shop' }, spec: { clusterIP: '10.96.0.7' } },
  ])
  assert.deepEqual(list(files, 'networkpolicies').items[0]?.['metadata'], { name: 'deny', namespace: 'default' })
})

test('lists are taken apart, typed ones lend their kind', () => {
  const mixed = '{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}]}'
  const typed = '{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"b","namespace":"n"}}]}'
  const files = objectFiles('loose', [
    { file: 'a.json', bytes: encode(mixed) },
    { file: 'b.yaml', bytes: encode(typed) },
  ])
  assert.deepEqual(
    list(files, 'pods').items.map((pod) => [pod['kind'], pod['apiVersion'], pod['metadata']]),
    [
      ['Pod', 'v1', { name: 'a', namespace: 'default' }],
      ['Pod', 'v1', { name: 'b', namespace: 'n' }],
    ],
  )
})

test('resources are named as the API names them; foreign groups keep theirs', () => {
  for (const [apiVersion, kind, resource] of [
    ['v1', 'Endpoints', 'endpoints'],
    ['discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'],
    ['cilium.io/v2', 'CiliumIdentity', 'ciliumidentities'],
    ['gateway.networking.k8s.io/v1', 'Gateway', 'gateways'],
    ['gateway.networking.k8s.io/v1', 'GatewayClass', 'gatewayclasses'],
    ['networking.k8s.io/v1', 'Ingress', 'ingresses'],
    ['crd.projectcalico.org/v1', 'NetworkPolicy', 'networkpolicies.crd.projectcalico.org'],
  ] as const) {
    assert.equal(resourceName(apiVersion, kind), resource)
  }
})

const refusals: readonly (readonly [what: string, text: string, message: RegExp, file?: string])[] = [
  ['broken YAML', 'a: 1\nb: [1, 2\nc: 3\n', /^app\.yaml:[234]: is not valid YAML: /],
  ['a scalar', '--- \nhello\n', /^app\.yaml:2: is not a Kubernetes object: the document is not a mapping$/],
  ['no kind', `${SERVICE}---\nfoo: bar\n`, /^app\.yaml:6: is not a Kubernetes object: it has no apiVersion and kind$/],
  ['no name', 'apiVersion: v1\nkind: Pod\n', /^app\.yaml:1: has a Pod without metadata\.name$/],
  ['a kind that is no name', 'apiVersion: v1\nkind: ../x\nmetadata: {name: a}\n', /has no apiVersion and kind/],
  ['an item that is no object', 'apiVersion: v1\nkind: List\nitems:\n- 3\n', /^app\.yaml:4: is not a Kubernetes list: item 0/],
  ['the same object twice', `${SERVICE}---\n${SERVICE}`, /^app\.yaml:6: services shop\/db is already defined in app\.yaml:1$/],
  [
    'alias bombs',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefgh'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]`).join('\n')}`,
    /can't be read: .*alias/i,
  ],
  ['binary', 'a: \0', /^app\.yaml:1: is binary data/],
  ['broken JSON', '{\n"a": 1,\n}', /^app\.json:3: is not valid JSON/, 'app.json'],
]

for (const [what, text, message, file] of refusals) {
  test(`refused: ${what}`, () => assert.throws(() => read(text, file), { name: 'FactsError', message }))
}

test('a Cilium sysdump is known by its files, and its objects and flows are imported', () => {
  const at = (path: string) => `cilium-sysdump-20260102-030405/${path}`
  const contents = new Map([
    [at('k8s-nodes-20260102-030405.yaml'), encode('apiVersion: v1\nkind: NodeList\nitems:\n- metadata: {name: n1}\n')],
    [
      at('ciliumnetworkpolicies-20260102-030405.yaml'),
      encode('apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicyList\nitems:\n- metadata: {name: p, namespace: x}\n'),
    ],
    [at('k8s-events-20260102-030405.yaml'), encode('not: [read')],
    [at('hubble-flows-cilium-abcde-20260102-030405.json'), encode('{"flow":{}}')],
    [at('cilium-bugtool-cilium-x-20260102-030405.tar.gz'), new Uint8Array([31, 139])],
  ])
  const files = memoryFiles('dump', contents)
  assert.ok(isSysdump(files.list()))
  assert.ok(!isSysdumpFile(at('k8s-events-20260102-030405.yaml')))
  assert.deepEqual(importSysdump(files).list(), [
    'flows/cilium-abcde.jsonl',
    'objects/ciliumnetworkpolicies.json',
    'objects/nodes.json',
  ])
  assert.equal(new TextDecoder().decode(importSysdump(files).read('flows/cilium-abcde.jsonl')), '{"flow":{}}')
  assert.ok(!isSysdump(['bundle.json', 'objects/nodes.json']))
  const logs = memoryFiles('dump', new Map([['cilium-bugtool-x.tar.gz', new Uint8Array()]]))
  assert.throws(() => importSysdump(logs), /sysdump without Kubernetes objects/)
})

test('what is wrong with an object is said where it was written', () => {
  const text = `apiVersion: v1
kind: Service
metadata: { name: one, namespace: a }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: two, namespace: a }
spec: { ports: 5 }
`
  const { problems } = loadCluster(objectFiles('x', [{ file: 'a/b.yaml', bytes: new TextEncoder().encode(text) }]))
  assert.deepEqual(
    problems.map(({ file, pointer }) => [file, pointer]),
    [['a/b.yaml:6', '/spec/ports']],
  )
})
