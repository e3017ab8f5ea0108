// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openBundlePath } from '../../cli/files/openBundle.ts'
import type { NodeMap } from '../ebpf/maps/nodeMaps.ts'
import { loadCluster } from '../facts/cluster.ts'
import { fillOf, nodeMapsOverview } from './maps.ts'

const BUNDLE = join(import.meta.dirname, '../../test/fixtures/bundles/cilium.zip')

test('maps of a recorded node: policy maps by their pods, fill, and the programs that use them', () => {
  const { files } = openBundlePath(BUNDLE)
  const cluster = loadCluster(files)
  const snapshot = cluster.nodes.get('n1')
  assert.ok(snapshot)
  const { maps, problems } = nodeMapsOverview(cluster, files, snapshot)
  assert.deepEqual(problems, [])
  const endpoints = maps.filter(({ map }) => map.group === 'policy').map(({ endpoint }) => endpoint)
  for (const pod of cluster.objects.pods.values()) {
    if (pod.nodeName !== 'n1' || pod.hostNetwork) continue
    assert.ok(endpoints.includes(`pod ${pod.meta.namespace}/${pod.meta.name}`), `${pod.meta.name} in ${endpoints.join(', ')}`)
  }
  const services = maps.find(({ map }) => map.name === 'cilium_lb4_services_v2')
  assert.ok(services?.programs.includes('cil_sock4_connect'))
  assert.ok(services?.fill && services.fill.count > 0 && services.fill.capacity === services.map.maxEntries)
})

test('a map is high from four fifths on; arrays are always full, and uncounted ones unknown', () => {
  const map = (count: number | undefined, type = 'hash') =>
    ({ type, maxEntries: 100, contents: count === undefined ? undefined : { count, truncated: count > 90 } }) as NodeMap
  assert.equal(fillOf(map(79))?.high, false)
  assert.deepEqual(fillOf(map(91)), { count: 91, atLeast: true, capacity: 100, share: 0.91, high: true })
  assert.equal(fillOf(map(100, 'percpu_array')), undefined)
  assert.equal(fillOf(map(undefined)), undefined)
})
