// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterObjects } from '../facts/objectsIndex.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import { chooseBackends } from './backends.ts'
import { ServiceFrontends } from './frontend.ts'

interface End {
  readonly ip: string
  readonly node: string
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
  readonly zones?: readonly string[]
  readonly nodes?: readonly string[]
}

function cluster(spec: object, ends: readonly End[], status: object = {}): ClusterObjects {
  const values = [
    ...['n1', 'n2'].map((name, i) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'topology.kubernetes.io/zone': `z${i + 1}` } },
      status: { addresses: [{ type: 'InternalIP', address: `10.0.0.${i + 1}` }] },
    })),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'shop', name: 'web' },
      spec: { clusterIPs: ['10.96.0.1'], ports: [{ name: 'http', port: 80, nodePort: 30080 }], ...spec },
      status,
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: 'shop', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: ends.map(({ ip, node, ready, serving, terminating, zones, nodes }) => ({
        addresses: [ip],
        nodeName: node,
        conditions: { ready, serving, terminating },
        hints: { forZones: zones?.map((name) => ({ name })), forNodes: nodes?.map((name) => ({ name })) },
      })),
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'edge' },
      spec: { nodeName: 'n1', containers: [{ ports: [{ containerPort: 8080, hostPort: 8081 }] }] },
      status: { phase: 'Running', podIP: '10.244.0.9' },
    },
  ]
  return new ClusterObjects(values.map((value) => ({ file: 'f', pointer: '', value })))
}

function choose(objects: ClusterObjects, address: string, port: number, node: string, inCluster: boolean) {
  const ip = parseAddress(address)
  assert.ok(ip)
  const frontend = new ServiceFrontends(objects).lookup(ip, port, 'TCP')
  assert.ok(frontend, `${address}:${port} is a frontend`)
  const { backends, none } = chooseBackends(objects, frontend, { node: objects.nodes.get(node), inCluster })
  return none ?? backends.map((backend) => formatAddress(backend.address)).join(' ')
}

const A: End = { ip: '10.244.0.2', node: 'n1' }
const B: End = { ip: '10.244.1.2', node: 'n2' }

test('every frontend of a Service, and host ports of pods on their node', () => {
  const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { ip: '203.0.113.2', ipMode: 'Proxy' }] } }
  const frontends = new ServiceFrontends(
    cluster({ type: 'LoadBalancer', externalIPs: ['198.51.100.1'], healthCheckNodePort: 31000 }, [A], status),
  )
  const kindAt = (text: string, port: number) => {
    const ip = parseAddress(text)
    return ip && frontends.lookup(ip, port, 'TCP')?.kind
  }
  assert.deepEqual(
    [
      kindAt('10.96.0.1', 80),
      kindAt('198.51.100.1', 80),
      kindAt('203.0.113.1', 80),
      kindAt('10.0.0.2', 30080),
      kindAt('10.0.0.1', 31000),
    ],
    ['ClusterIP', 'ExternalIP', 'LoadBalancer', 'NodePort', 'HealthCheckNodePort'],
  )
  assert.equal(kindAt('203.0.113.2', 80), undefined, 'ipMode Proxy leaves the address to the load balancer')
  assert.deepEqual([kindAt('10.0.0.1', 8081), kindAt('10.0.0.2', 8081)], ['HostPort', undefined])
})

test('ready endpoints; without any, those that terminate and still serve; without these, nobody', () => {
  const going: End = { ...B, ready: false, serving: true, terminating: true }
  assert.equal(choose(cluster({}, [A, going]), '10.96.0.1', 80, 'n1', true), '10.244.0.2')
  assert.equal(choose(cluster({}, [{ ...A, ready: false, serving: false }, going]), '10.96.0.1', 80, 'n1', true), '10.244.1.2')
  assert.equal(choose(cluster({}, [{ ...A, ready: false, serving: false }]), '10.96.0.1', 80, 'n1', true), 'reject')
  assert.equal(choose(cluster({}, []), '10.96.0.1', 80, 'n1', true), 'reject')
})

test('traffic policy Local keeps to the node, and is silent where the node has none', () => {
  const internal = cluster({ internalTrafficPolicy: 'Local' }, [A])
  assert.equal(choose(internal, '10.96.0.1', 80, 'n1', true), '10.244.0.2')
  assert.equal(choose(internal, '10.96.0.1', 80, 'n2', true), 'drop')
  const external = cluster({ type: 'NodePort', externalTrafficPolicy: 'Local' }, [A, B])
  assert.equal(choose(external, '10.0.0.2', 30080, 'n2', false), '10.244.1.2')
  assert.equal(
    choose(external, '10.0.0.2', 30080, 'n2', true),
    '10.244.0.2 10.244.1.2',
    'inside the cluster every endpoint will do',
  )
  assert.equal(
    choose(cluster({ type: 'NodePort', externalTrafficPolicy: 'Local' }, []), '10.0.0.2', 30080, 'n2', false),
    'reject',
  )
})

test('hints count only when every ready endpoint has one and one is for this place', () => {
  const zoned = [
    { ...A, zones: ['z1'] },
    { ...B, zones: ['z2'] },
  ]
  assert.equal(choose(cluster({}, zoned), '10.96.0.1', 80, 'n2', true), '10.244.1.2')
  assert.equal(choose(cluster({}, [{ ...A, zones: ['z1'] }, B]), '10.96.0.1', 80, 'n2', true), '10.244.0.2 10.244.1.2')
  assert.equal(choose(cluster({}, [{ ...A, zones: ['z9'] }]), '10.96.0.1', 80, 'n2', true), '10.244.0.2')
  const noded = [
    { ...A, nodes: ['n1'], zones: ['z2'] },
    { ...B, nodes: ['n2'], zones: ['z1'] },
  ]
  assert.equal(choose(cluster({}, noded), '10.96.0.1', 80, 'n1', true), '10.244.0.2', 'node hints come before zone hints')
})

test('an endpoint that is in two slices is one backend', () => {
  assert.equal(choose(cluster({}, [A, A]), '10.96.0.1', 80, 'n1', true), '10.244.0.2')
})
