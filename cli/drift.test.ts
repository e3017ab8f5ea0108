// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { zipSync } from 'fflate'
import { plumbline } from '../test/support/cli.ts'
import { recordedBundle } from '../test/support/mapEdits.ts'

describe('plumbline drift on a bundle', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-drift-'))
  const broken = join(folder, 'broken.zip')
  const healthy = 'test/fixtures/bundles/half.zip'

  before(() => {
    const cluster = recordedBundle('cilium')
    const wanted = cluster.rows('n1', 'cilium_ipcache_v2').findIndex((row) => {
      const identity = Number(row['value.identity'])
      return identity >= 256 && identity < 65_536
    })
    writeFileSync(broken, zipSync(Object.fromEntries(cluster.filesWithout('n1', 'cilium_ipcache_v2', wanted))))
  })
  after(() => rmSync(folder, { recursive: true }))

  test('healthy nodes, whoever programs them', async () => {
    const { code, stdout, stderr } = await plumbline(['drift', '--bundle', healthy, '--fail-on', 'info'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^n1 \(Cilium's maps\): no drift in \d+ frontends, \d+ backends, \d+ addresses$/m)
    assert.match(stdout, /^n2 \(kube-proxy's rules\): no drift in \d+ frontends, \d+ backends$/m)
  })

  test('findings end with 1 when they are as bad as asked for, and with 0 when nobody asked', async () => {
    const text = await plumbline(['drift', '--bundle', broken, '--verbose'])
    assert.equal(text.code, 0, text.stderr)
    assert.match(
      text.stdout,
      /^ {2}✘ Pod \S+\/\S+: \S+ is not in cilium_ipcache_v2: to policies of this node it is not identity \d+/m,
    )
    assert.match(text.stdout, /^ {6}CiliumEndpoint \S+ status\.identity\.id$/m)
    assert.match(text.stdout, /^ {2}not compared: Policies of endpoints: /m)
    for (const threshold of ['error', 'warning', 'info'])
      assert.equal((await plumbline(['drift', '--bundle', broken, '--fail-on', threshold])).code, 1)
  })

  test('one JSON document, of the nodes that were asked for', async () => {
    const { code, stdout } = await plumbline(['drift', 'n1', '--bundle', broken, '--json', '--fail-on', 'error'])
    assert.equal(code, 1)
    const report = JSON.parse(stdout)
    assert.equal(report.schema, 'plumbline.drift/v1')
    assert.deepEqual(
      report.nodes.map((node: { node: string; findings: readonly { kind: string }[] }) => [
        node.node,
        node.findings.map(({ kind }) => kind),
      ]),
      [['n1', ['address-missing']]],
    )
    const other = await plumbline(['drift', 'n2', '--bundle', broken, '--fail-on', 'error'])
    assert.equal(other.code, 0)
  })

  test('a node that is not there, a severity that is none, objects alone', async () => {
    const missing = await plumbline(['drift', 'n9', '--bundle', healthy])
    assert.equal(missing.code, 3)
    assert.match(missing.stderr, /the facts hold no snapshot of node n9/)
    assert.equal((await plumbline(['drift', '--bundle', healthy, '--fail-on', 'fatal'])).code, 2)
    const objects = await plumbline(['drift', '--objects', 'test/fixtures/raw/iptables/objects'])
    assert.equal(objects.code, 2)
  })
})
