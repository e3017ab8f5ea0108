// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { memoryFiles } from '../../core/facts/memory.ts'
import { packZip } from '../../core/facts/zip.ts'
import { recordedBundle } from '../support/mapEdits.ts'
import { runSuite } from './runSuite.ts'

test('the extension without a cluster', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'plumbline-offline-'))
  try {
    const bundle = packZip(
      memoryFiles('bundle', new Map(Object.entries(objectsOnly()).map(([path, value]) => [path, encode(value)]))),
    )
    await writeFile(join(folder, 'bundle.zip'), bundle)
    await writeFile(join(folder, 'truncated.zip'), bundle.subarray(0, bundle.length / 2))
    await writeFile(join(folder, 'text.zip'), 'not a zip')
    await writeFile(
      join(folder, 'newer.zip'),
      packZip(memoryFiles('newer', new Map([['bundle.json', encode({ schema: 'plumbline.bundle/v2' })]]))),
    )
    await writeFile(join(folder, 'drift.zip'), packZip(memoryFiles('drift', withoutService())))
    await runSuite(context, {
      suite: 'offline',
      folder,
      env: { KUBECONFIG: join(folder, 'absent-kubeconfig') },
      timeoutSeconds: 120,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** A recorded cluster with Cilium, of which one node has forgotten the database's frontend. */
function withoutService(): ReadonlyMap<string, Uint8Array> {
  const cluster = recordedBundle('cilium')
  const services = 'cilium_lb4_services_v2'
  const row = cluster.rows('n1', services).findIndex((each) => each['key.port'] === 5432 && each['key.slot'] === 0)
  return cluster.filesWithout('n1', services, row)
}

/** A bundle that was made without the agent: many nodes, a service, and a namespace nobody should trust the name of. */
function objectsOnly() {
  const nodes = Array.from({ length: 250 }, (_, index) => ({
    metadata: { name: `node-${String(index).padStart(3, '0')}` },
    status: {},
  }))
  const service = {
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20'],
      ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
    },
  }
  return {
    'bundle.json': { schema: 'plumbline.bundle/v1', problems: [] },
    'objects/nodes.json': { apiVersion: 'v1', kind: 'NodeList', items: nodes },
    'objects/services.json': { apiVersion: 'v1', kind: 'ServiceList', items: [service] },
    'objects/namespaces.json': {
      apiVersion: 'v1',
      kind: 'NamespaceList',
      items: [{ metadata: { name: 'shop' } }, { metadata: { name: 'evil\u202ename\n' } }],
    },
  }
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
