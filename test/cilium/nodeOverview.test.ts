// SPDX-License-Identifier: Apache-2.0

/** What the tree says of a live node's programs, against bpftool on that node. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type HookPlace, nodeHooks } from '../../core/overview/hooks.ts'
import { ciliumUnattended } from '../../core/overview/ciliumAgent.ts'
import { laneNotes } from '../../core/path/headline.ts'
import { parsePlace } from '../../core/path/place.ts'
import { trace } from '../../core/path/trace.ts'
import { kubectl, lab as labCommand, whyNoLab } from '../cluster/lab.ts'
import { type LiveCluster, openLiveCluster } from '../cluster/liveCluster.ts'

interface PinnedLink {
  readonly path: string
  readonly id: number
  readonly prog_id: number
}

interface CgroupPrograms {
  readonly cgroup: string
  readonly programs: readonly { readonly id: number; readonly attach_type: string }[]
}

/** Links that Cilium pinned below a folder, as bpftool finds them there. Its `net` knows no tcx before 7.4. */
function pinnedLinks(node: string, folder: string): readonly PinnedLink[] {
  const script = `for path in $(find /sys/fs/bpf/cilium/${folder} -path '*/links/*' -type f); do echo "$path $(bpftool -j link show pinned $path)"; done`
  const lines = labCommand('node', node, 'sh', '-c', script).trim().split('\n')
  return lines.map((line) => {
    const [path = '', json = ''] = line.split(/ (?=\{)/)
    return { path, ...JSON.parse(json) }
  })
}

describe('hooks of live nodes with Cilium', { skip: whyNoLab() ?? false }, () => {
  let cluster: LiveCluster
  const places = new Map<string, readonly HookPlace[]>()

  before(async () => {
    cluster = await openLiveCluster('cilium')
    const { nodes } = await cluster.facts()
    for (const [node, snapshot] of nodes) places.set(node, nodeHooks(snapshot))
  })
  after(() => cluster?.close())

  for (const node of ['n1', 'n2']) {
    test(`${node}: what Cilium attached to each device, by its pins and bpftool, is what its place has`, () => {
      const interfaces = (places.get(node) ?? []).filter(({ kind }) => kind === 'interface')
      const pinned = pinnedLinks(node, 'devices')
      assert.ok(pinned.length >= 5)
      const expected = pinned.map(({ path, id, prog_id }) => {
        const [, device, program] = /devices\/([^/]+)\/links\/([^/]+)$/.exec(path) ?? []
        return `${device} ${program} link ${id} program ${prog_id}`
      })
      const ours = interfaces
        .filter(({ pod }) => pod === undefined)
        .flatMap(({ name, points }) =>
          points.flatMap(({ programs }) => programs.map((each) => `${name} ${each.name} link ${each.linkId} program ${each.id}`)),
        )
      assert.deepEqual(ours.sort(), expected.sort())
      const endpoints = pinnedLinks(node, 'endpoints').map(({ id, prog_id }) => `link ${id} program ${prog_id}`)
      const pods = interfaces
        .filter(({ pod }) => pod !== undefined)
        .flatMap(({ points }) =>
          points.flatMap(({ programs }) => programs.map((each) => `link ${each.linkId} program ${each.id}`)),
        )
      assert.deepEqual(pods.sort(), endpoints.sort())
    })

    test(`${node}: programs of each control group in the order of \`bpftool cgroup tree\``, () => {
      const printed = JSON.parse(labCommand('node', node, 'bpftool', '-j', 'cgroup', 'tree')) as readonly CgroupPrograms[]
      const expected = new Map(
        printed
          .map(({ cgroup, programs }) => [groupOf(cgroup), programs.map(({ id }) => id)] as const)
          .filter(([group]) => group.startsWith(`/plab-${node}`)),
      )
      const ours = new Map(
        (places.get(node) ?? [])
          .filter(({ kind, name }) => kind === 'cgroup' && name.startsWith(`/plab-${node}`))
          .map(({ name, points }) => [name, points.flatMap(({ programs }) => programs.map(({ id }) => id))] as const),
      )
      assert.ok(expected.size > 0)
      // bpftool lists hooks by number, the tree by name; programs of one hook are alone here.
      const sets = (groups: ReadonlyMap<string, readonly number[]>) =>
        sorted(new Map([...groups].map(([group, ids]) => [group, [...ids].sort()])))
      assert.deepEqual(sets(ours), sets(expected))
    })
  }

  test('every program of the datapath is known as Cilium’s, by a pin of its link or program, or by its name', () => {
    const owners = [...places.values()].flatMap((each) =>
      each.flatMap(({ points }) => points.flatMap(({ programs }) => programs)),
    )
    const cilium = owners.filter(({ name }) => name.startsWith('cil_'))
    assert.ok(cilium.length > 20)
    assert.deepEqual(new Set(cilium.map(({ owner }) => owner.name)), new Set(['cilium']))
    assert.ok(
      cilium.some(({ owner }) => owner.because.startsWith('it is pinned at')),
      cilium[0]?.owner.because ?? '',
    )
  })
  test('Cilium’s agent is stopped: the datapath still forwards, the lane still answers, and both say so', async () => {
    labCommand('cilium-agent', 'stop', 'n1')
    try {
      const facts = await cluster.facts()
      const snapshot = facts.nodes.get('n1')
      assert.ok(snapshot && ciliumUnattended(snapshot))
      assert.equal(ciliumUnattended(facts.nodes.get('n2') ?? snapshot), false)
      const [lane] = trace(
        facts,
        { from: parsePlace('pod:shop/client-n1'), to: parsePlace('svc:shop/web:80/TCP') },
        { lanes: 'ebpf' },
      ).lanes
      assert.equal(lane?.source, 'cilium')
      assert.deepEqual(laneNotes(lane), [
        "Cilium's agent is not running on n1; its datapath still forwards, with maps that nobody updates",
      ])
      const real = kubectl('-n', 'shop', 'exec', 'client-n1', '--', '/app', 'dial', 'tcp', '10.96.0.20:80', '--count', '12')
      assert.ok(lane.outcomes.some(({ verdict }) => verdict === 'delivered'))
      assert.match(real, /web-/)
    } finally {
      labCommand('cilium-agent', 'start', 'n1')
    }
  })
})

function sorted(hooks: ReadonlyMap<string, readonly number[]>): readonly (readonly [string, readonly number[]])[] {
  return [...hooks].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Below the hierarchy's mount point. */
function groupOf(path: string): string {
  return path.replace(/^.*?(?=\/plab-)/, '')
}
