// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openBundlePath } from '../../cli/files/openBundle.ts'
import { loadCluster } from '../facts/cluster.ts'
import { memoryFiles } from '../facts/memory.ts'
import { loadNodeSnapshot, type NodeSnapshot } from '../facts/snapshot.ts'
import { type HookPlace, nodeHooks } from './hooks.ts'

const BUNDLES = join(import.meta.dirname, '../../test/fixtures/bundles')

function recorded(bundle: string, node: string): readonly HookPlace[] {
  const snapshot = loadCluster(openBundlePath(join(BUNDLES, `${bundle}.zip`)).files).nodes.get(node)
  assert.ok(snapshot)
  return nodeHooks(snapshot)
}

function made(files: Readonly<Record<string, unknown>>): NodeSnapshot {
  const bytes = Object.entries(files).map(
    ([path, value]) => [`nodes/a/${path}`, new TextEncoder().encode(JSON.stringify(value))] as const,
  )
  return loadNodeSnapshot(memoryFiles('made', new Map(bytes)), 'a')
}

const hooks = (places: readonly HookPlace[], name: string) =>
  places.find((place) => place.name === name)?.points.map(({ attach, programs }) => [attach, programs.map((each) => each.name)])

test('a recorded Cilium node: its uplink, its host device, a pod and the sockets', () => {
  const places = recorded('cilium', 'n1')
  assert.deepEqual(hooks(places, 'eth0'), [
    ['tcx_ingress', ['cil_from_netdev']],
    ['tcx_egress', ['cil_to_netdev']],
  ])
  assert.deepEqual(hooks(places, 'cilium_host'), [
    ['tcx_ingress', ['cil_to_host']],
    ['tcx_egress', ['cil_from_host']],
  ])
  const client = places.find(({ pod }) => pod?.name === 'client-n1')
  assert.equal(client?.kind, 'interface')
  assert.match(client?.name ?? '', /^lxc/)
  assert.deepEqual(hooks(places, client?.name ?? ''), [['tcx_ingress', ['cil_from_container']]])
  const sockets = places.find(({ kind }) => kind === 'cgroup')
  assert.equal(sockets?.points.length, 11)
  assert.deepEqual(
    sockets?.points[0]?.programs.map(({ name }) => name),
    ['cil_sock4_connect'],
  )
  assert.deepEqual(
    new Set(places.flatMap(({ points }) => points.flatMap(({ programs }) => programs.map(({ owner }) => owner.name)))),
    new Set(['cilium']),
  )
})

test('interfaces of a node without programs are there, and each evidence points at its attachment', () => {
  const places = recorded('mixed', 'n1')
  assert.ok(places.some(({ name, points }) => name === 'cni0' && points.length === 0))
  for (const { points } of recorded('half', 'n1'))
    for (const { programs } of points) for (const { evidence } of programs) assert.match(evidence.pointer, /^\/[0-9]+$/)
})

test('programs run by position, hooks in the order a packet meets them, whatever the order in the file', () => {
  const program = (id: number, name: string, more: object = {}) => ({
    id,
    name,
    type: 'sched_cls',
    tag: 't',
    mapIds: [],
    own: false,
    ...more,
  })
  const at = (attach: string, programId: number, position: number) => ({
    id: 0,
    attach,
    programId,
    position,
    netns: 'host',
    ifindex: 2,
  })
  const snapshot = made({
    'netns/host/netns.json': { inode: '1', pods: [] },
    'netns/host/links.json': [{ ifindex: 2, ifname: 'eth0', flags: ['up'], mtu: 1500, operstate: 'up', kind: '' }],
    'bpf/programs.json': [
      program(1, 'late'),
      program(2, 'early', { runCount: '4', runNanoseconds: '900' }),
      program(3, 'drop', { type: 'xdp', mapIds: [7] }),
      program(4, 'ours', { own: true }),
      program(5, '', { type: 'cgroup_skb' }),
    ],
    'bpf/pins.json': [
      { path: '/sys/fs/bpf/cilium/devices/eth0/links/x', kind: 'program', id: 1 },
      { path: '/sys/fs/bpf/tc/globals/cilium_metrics', kind: 'map', id: 7 },
    ],
    'bpf/links.json': [
      at('tc_egress', 1, 1),
      at('tc_egress', 2, 0),
      at('tcx_egress', 2, 0),
      at('xdp', 3, 0),
      at('tcx_ingress', 4, 0),
      { id: 9, attach: 'cgroup_inet_egress', programId: 5, cgroup: '/system.slice/ssh.service', position: 0 },
      { id: 10, attach: 'tp_btf', programId: 99, target: 'kfree_skb' },
    ],
  })
  const places = nodeHooks(snapshot)
  assert.deepEqual(hooks(places, 'eth0'), [
    ['xdp', ['drop']],
    ['tcx_ingress', ['ours']],
    ['tcx_egress', ['early']],
    ['tc_egress', ['early', 'late']],
  ])
  const owners = new Map(
    places.flatMap(({ points }) => points.flatMap(({ programs }) => programs.map((each) => [each.id, each.owner] as const))),
  )
  assert.equal(owners.get(1)?.because, 'it is pinned at /sys/fs/bpf/cilium/devices/eth0/links/x')
  assert.equal(owners.get(3)?.because, 'it uses the map pinned at /sys/fs/bpf/tc/globals/cilium_metrics')
  assert.equal(owners.get(4)?.name, 'plumbline')
  assert.deepEqual(
    [owners.get(5)?.name, owners.get(5)?.because],
    ['systemd', 'it is attached to the control group of ssh.service'],
  )
  assert.equal(owners.get(2)?.name, 'unknown')
  const [early] = places[0]?.points.at(-1)?.programs ?? []
  assert.deepEqual(early?.runs, { count: 4, nanoseconds: 900 })
  const kernel = places.at(-1)
  assert.equal(kernel?.kind, 'kernel')
  // Its program has gone since: what was attached is still said.
  assert.deepEqual(
    kernel?.points[0]?.programs.map(({ name, target }) => [name, target]),
    [['kfree_skb', 'kfree_skb']],
  )
})

test('broken files are problems, never an exception', () => {
  const snapshot = made({
    'bpf/links.json': [
      { attach: 5 },
      7,
      { attach: 'xdp', programId: -1 },
      { attach: 'xdp', programId: 1, ifindex: 3, netns: 'host' },
    ],
    'bpf/programs.json': { not: 'a list' },
  })
  assert.deepEqual(
    nodeHooks(snapshot).map(({ name }) => name),
    ['interface 3'],
  )
  assert.ok(snapshot.problems.length >= 3)
})
