// SPDX-License-Identifier: Apache-2.0

/** Maps of a live node with Cilium: what the agent reads and core decodes, against cilium-dbg and bpftool on the same node. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { AgentDeployment } from '../../cluster/agentDeployment.ts'
import { readManifests } from '../../cluster/manifests.ts'
import { dumpMap, shapeOf } from '../../cluster/maps.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import { readNodeMaps } from '../../core/ebpf/maps/nodeMaps.ts'
import { type MapTable, tableOf } from '../../core/ebpf/maps/table.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import {
  checkConnections,
  checkEndpoints,
  checkIpcache,
  checkPolicies,
  checkServices,
  type Printed,
} from '../support/ciliumOracle.ts'
import { holdLab, kubectl, type Lab, lab as labCommand, MANIFESTS, openSession, ROOT, whyNoLab } from '../cluster/lab.ts'

const NODE = 'n1'
const PINS = '/sys/fs/bpf/tc/globals'
const PRINT: Readonly<Record<string, readonly string[]>> = {
  lb: ['lb', 'list'],
  ct: ['ct', 'list', 'global'],
  ipcache: ['ipcache', 'list'],
  endpoints: ['endpoint', 'list'],
  policy: ['policy', 'get', '--all', '-n'],
}

describe('maps of a live node with Cilium', { skip: whyNoLab() ?? false }, () => {
  let lab: Lab
  let session: ClusterSession
  let deployment: AgentDeployment
  let files: FactFiles
  const live = new Map<string, MapTable>()

  const tables = (name: string): MapTable => {
    const table = live.get(name)
    assert.ok(table, `no ${name} was read`)
    return table
  }
  const printed: Printed = (what) => JSON.parse(labCommand('cilium', NODE, 'bpf', ...(PRINT[what] ?? []), '-o', 'json'))

  async function readMaps(): Promise<void> {
    const agent = await session.agents.forNode(NODE)
    for (const map of readNodeMaps(files, NODE).maps) {
      if (map.path === undefined || map.layout === undefined) continue
      const dumped = await dumpMap(agent, { id: map.id })
      assert.equal(dumped.incomplete, undefined)
      assert.equal(shapeOf(dumped.info).name, map.name, 'the agent names a map by its pin')
      live.set(map.name, tableOf(shapeOf(dumped.info), dumped.entries))
    }
  }

  before(async () => {
    lab = await holdLab('cilium')
    session = await openSession(lab.kubeconfig)
    deployment = new AgentDeployment(session.server, await readManifests(MANIFESTS))
    await deployment.remove()
    await deployment.apply()
    await deployment.waitReady()
    for (let i = 0; i < 5; i++)
      kubectl('-n', 'shop', 'exec', 'client-n1', '--', '/app', 'dial', 'tcp', '10.96.0.20:80', '--count', '2')
    files = (await session.collect({ nodes: [NODE], snapshot: { parts: ['node', 'bpf', 'maps'] } })).files
    await readMaps()
  })

  after(async () => {
    await deployment?.remove()
    session?.close()
    await lab?.release()
  })

  test('services and backends', () => assert.ok(checkServices(printed, tables) > 100))
  test('identities of addresses', () => assert.ok(checkIpcache(printed, tables) > 20))
  test('endpoints', () => assert.ok(checkEndpoints(printed, tables) > 5))
  test('policies', () => assert.ok(checkPolicies(printed, tables) > 20))
  test('connections', () => {
    const { both, ours } = checkConnections(printed, tables)
    assert.ok(both > 5 && both > ours / 2, `${both} of ${ours}`)
  })

  test('bytes are those that bpftool dumps', () => {
    for (const name of [
      'cilium_lb4_services_v2',
      'cilium_lb4_backends_v3',
      'cilium_ipcache_v2',
      'cilium_lxc',
      'cilium_lb4_reverse_nat',
    ]) {
      const dumped = JSON.parse(labCommand('node', NODE, 'bpftool', '-j', 'map', 'dump', 'pinned', `${PINS}/${name}`)) as {
        key: string[]
        value: string[]
      }[]
      const theirs = dumped.map(({ key, value }) => [...key, ...value].map((byte) => byte.slice(2)).join(''))
      const table = tables(name)
      const ours = Array.from({ length: table.count }, (_, row) => {
        const { key, value } = table.raw(row)
        return Buffer.concat([key, value]).toString('hex')
      })
      assert.deepEqual(ours.sort(), theirs.sort(), name)
      assert.ok(ours.length > 0)
    }
  })

  test('a snapshot holds the same, and how Cilium is configured', () => {
    const { maps, problems } = readNodeMaps(files, NODE)
    assert.deepEqual(problems, [])
    for (const name of ['cilium_lb4_services_v2', 'cilium_ipcache_v2', 'cilium_lxc']) {
      const map = maps.find((each) => each.name === name && each.contents !== undefined)
      assert.ok(map?.contents)
      assert.equal(map.contents.count, tables(name).count)
      assert.equal(files.read(map.contents.file)?.length, map.contents.count * (map.keySize + map.valueSize))
    }
    const cilium = JSON.parse(Buffer.from(files.read(`nodes/${NODE}/bpf/cilium.json`) ?? []).toString())
    assert.equal(cilium.running, true)
    assert.equal(cilium.config.RoutingMode, 'native')
  })

  test('the command line shows entries with names, and follows changes', async () => {
    const run = (...args: string[]) => [join(ROOT, 'cli/main.ts'), 'maps', ...args, '--kubeconfig', lab.kubeconfig]
    const text = execFileSync(
      process.execPath,
      run(NODE, 'cilium_lb4_services_v2', '--filter', 'port=80 and address=10.96.0.20', '--json'),
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const document = JSON.parse(text)
    assert.equal(document.schema, 'plumbline.maps/v1')
    assert.equal(document.entries.length, 4, 'a frontend and three backends')
    assert.equal(document.scanned, tables('cilium_lb4_services_v2').count)
    assert.equal(document.entries[0].names['key.address'], 'svc shop/web')

    const watching = spawn(process.execPath, run(NODE, 'cilium_ct4_global', '--watch'), { stdio: ['ignore', 'pipe', 'ignore'] })
    let seen = ''
    const opened = /\+ TCP OUT 10\.244\.0\.\d+:\d+ -> 10\.244\.\S+:9000/
    for await (const chunk of watching.stdout.setEncoding('utf8')) {
      const first = seen === ''
      seen += chunk
      if (first) kubectl('-n', 'shop', 'exec', 'client-n1', '--', '/app', 'dial', 'tcp', '10.96.0.20:9000', '--count', '1')
      if (opened.test(seen)) break
    }
    watching.kill('SIGINT')
    if (watching.exitCode === null) await once(watching, 'exit')
    assert.match(seen, opened)
  })
})
