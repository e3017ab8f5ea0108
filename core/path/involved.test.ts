// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadCluster } from '../facts/cluster.ts'
import { memoryFiles } from '../facts/memory.ts'
import { formatAddress } from '../net/address.ts'
import { involved } from './involved.ts'
import { parsePlace } from './place.ts'

const RECORDED = 'test/fixtures/raw/iptables/objects'
const resources = ['nodes', 'pods', 'services', 'endpointslices']
const { objects } = loadCluster(
  memoryFiles('lab', new Map(resources.map((name) => [`objects/${name}.json`, readFileSync(`${RECORDED}/${name}.json`)]))),
)

function ask(from: string, to: string) {
  return involved(objects, parsePlace(from), parsePlace(to))
}

function nodesOf(service: string): readonly string[] {
  const nodes = [...objects.endpointSlices.values()]
    .filter((slice) => `${slice.meta.namespace}/${slice.serviceName}` === service)
    .flatMap((slice) => slice.endpoints.flatMap((endpoint) => endpoint.nodeName ?? []))
  return [...new Set(nodes)].sort()
}

test('a question between pods involves both and their nodes', () => {
  const pods = [...objects.pods.values()].filter((pod) => !pod.hostNetwork && pod.podIPs.length > 0)
  const first = pods.find((pod) => pod.nodeName === 'n1')
  const second = pods.find((pod) => pod.nodeName === 'n2')
  assert.ok(first?.podIPs[0] !== undefined && second !== undefined)
  const a = `${first.meta.namespace}/${first.meta.name}`
  const b = `${second.meta.namespace}/${second.meta.name}`
  const both = { nodes: ['n1', 'n2'], pods: [a, b].sort() }
  assert.deepEqual(ask(`pod:${a}`, `pod:${b}:80/TCP`), both)
  assert.deepEqual(ask(formatAddress(first.podIPs[0]), `pod:${b}:80/TCP`), both)
  assert.deepEqual(ask(`pod:${a}`, '192.0.2.1:80/TCP'), { nodes: ['n1'], pods: [a] })
})

test('a service involves the nodes of its endpoints, however it is addressed', () => {
  const service = objects.services.get('shop/web')
  const address = service?.clusterIPs[0]
  assert.ok(service !== undefined && address !== undefined)
  const port = service.ports[0]?.port
  const byName = ask('192.0.2.1', `svc:shop/web:${port}/TCP`)
  assert.deepEqual(byName.nodes, nodesOf('shop/web'))
  assert.ok(byName.pods.length > 0)
  assert.deepEqual(ask('192.0.2.1', `${formatAddress(address)}:${port}/TCP`), byName)
  assert.deepEqual(ask('192.0.2.1', `${formatAddress(address)}:1/TCP`).pods, [])
})

test('a node port involves the node and the endpoints behind it', () => {
  const service = [...objects.services.values()].find(
    (each) => each.type === 'NodePort' && nodesOf(`${each.meta.namespace}/${each.meta.name}`).length > 0,
  )
  const nodePort = service?.ports[0]?.nodePort
  assert.ok(service !== undefined && nodePort !== undefined)
  const { nodes } = ask('192.0.2.1', `host:n1:${nodePort}/TCP`)
  assert.deepEqual(nodes, [...new Set(['n1', ...nodesOf(`${service.meta.namespace}/${service.meta.name}`)])].sort())
  const n1 = objects.nodes.get('n1')?.internalIPs[0]
  assert.ok(n1 !== undefined)
  assert.deepEqual(ask('192.0.2.1', `${formatAddress(n1)}:${nodePort}/TCP`).nodes, nodes)
})
