// SPDX-License-Identifier: Apache-2.0

/** Drift where the objects changed, where facts are missing, and in kube-proxy's rules. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findingsOf } from '../../../test/support/findings.ts'
import { type ApiObject, type EditableCluster, recordedBundle } from '../../../test/support/mapEdits.ts'
import { formatAddress } from '../../net/address.ts'
import { driftOf } from '../drift.ts'
import { formatDrift } from './format.ts'

const cluster = recordedBundle('cilium')
const NODE = 'n1'

describe('objects that changed while the maps did not', () => {
  test('a Service that is gone leaves its frontends behind', () => {
    const facts = cluster.withObjects({ services: (items) => items.filter(({ metadata }) => metadata.name !== 'web-sticky') })
    const found = findingsOf(facts, NODE)
    assert.deepEqual(
      found.map(({ kind, subject }) => [kind, subject]),
      [['frontend-extra', '10.96.0.25:80/TCP']],
    )
  })

  test('an endpoint that is not ready any more is a backend too many', () => {
    const facts = cluster.withObjects({
      endpointslices: (items) =>
        items.map((slice) => {
          if (slice.metadata.labels?.['kubernetes.io/service-name'] !== 'web-sticky') return slice
          const [first, ...rest] = slice.endpoints ?? []
          return {
            ...slice,
            endpoints: [{ ...first, conditions: { ready: false, serving: false, terminating: false } }, ...rest],
          }
        }),
    })
    const found = findingsOf(facts, NODE)
    assert.deepEqual(
      found.map(({ kind, severity, subject }) => [kind, severity, subject]),
      [['backends-different', 'error', 'Service shop/web-sticky']],
    )
  })

  test('a pod that is gone is still somebody to policies', () => {
    const stay = (items: readonly ApiObject[]) => items.filter(({ metadata }) => metadata.name !== 'client-n2')
    const found = findingsOf(cluster.withObjects({ pods: stay, ciliumendpoints: stay }), NODE)
    assert.ok(found.length >= 1)
    for (const { kind, severity } of found) assert.deepEqual([kind, severity], ['address-extra', 'warning'])
  })

  test('a pod that Cilium has no endpoint for is a stranger to policies, if it is not in the ipcache', () => {
    const objects = cluster.withObjects({
      ciliumendpoints: (items) => items.filter(({ metadata }) => metadata.name !== 'client-n2'),
    })
    assert.deepEqual(findingsOf(objects, NODE), [], 'the ipcache still has it')
    const [address] =
      [...objects.objects.pods.values()].find(({ meta }) => meta.name === 'client-n2')?.podIPs.map(formatAddress) ?? []
    const row = cluster.rows(NODE, 'cilium_ipcache_v2').findIndex((each) => each['key.address'] === address)
    const found = findingsOf({ ...objects, nodes: cluster.without(NODE, 'cilium_ipcache_v2', row).nodes }, NODE)
    assert.deepEqual(
      found.map(({ kind, severity, subject }) => [kind, severity, subject]),
      [['address-missing', 'error', 'Pod shop/client-n2']],
    )
    assert.match(found[0]?.text ?? '', /it may have been started before/)
  })

  test('what a Service asks for besides its endpoints', () => {
    const asks = (change: Readonly<Record<string, unknown>>) =>
      findingsOf(
        cluster.withObjects({
          services: (items) =>
            items.map((each) => (each.metadata.name === 'web-nodeport' ? { ...each, spec: { ...each.spec, ...change } } : each)),
        }),
        NODE,
      )
    const affinity = asks({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } })
    assert.equal(affinity.length, 6, 'two ports at the cluster IP, at address 0 and at the address of the node')
    for (const { text } of affinity)
      assert.match(text, /lets clients change their backend, and the object asks for the contrary$/)
    const local = asks({ externalTrafficPolicy: 'Local' })
    assert.ok(local.some(({ kind, text }) => kind === 'frontend-missing' && text.includes('from inside of the cluster')))
    assert.ok(
      local.some(({ kind, text }) => kind === 'frontend-different' && text.includes('lets traffic from outside leave the node')),
    )
    assert.ok(
      local.some(({ kind, severity }) => kind === 'backends-different' && severity === 'error'),
      'backends of other nodes',
    )
  })

  test('Services that somebody else programs are listed as not compared', () => {
    const facts = cluster.withObjects({
      services: (items) =>
        items.map((service) =>
          service.metadata.name === 'web-sticky'
            ? { ...service, metadata: { ...service.metadata, labels: { 'service.kubernetes.io/service-proxy-name': 'mine' } } }
            : service,
        ),
    })
    const [node] = driftOf(facts).nodes
    assert.deepEqual(node?.findings, [])
    assert.match(
      node?.notCompared.map(({ what, reason }) => `${what}: ${reason}`).join('\n') ?? '',
      /^Service shop\/web-sticky: .* leaves it to mine$/m,
    )
  })
})

describe('what cannot be compared', () => {
  const index = (edit: (map: Record<string, unknown>) => void, edited: EditableCluster = cluster) => {
    const file = `nodes/${NODE}/bpf/maps/index.json`
    const list = JSON.parse(edited.text(file)) as Record<string, unknown>[]
    for (const map of list) edit(map)
    return edited.withNode(NODE, new Map([[file, Buffer.from(JSON.stringify(list))]]))
  }

  test('maps that were cut off tell nothing that is missing', () => {
    const [node] = driftOf(index((map) => Object.assign(map, { truncated: true }))).nodes
    assert.deepEqual(node?.findings, [])
    assert.match(JSON.stringify(node?.notCompared), /does not hold cilium_lb4_services_v2 and its backends as a whole/)
  })

  test('maps of an unknown version are no finding', () => {
    const facts = index((map) => {
      if (map['name'] === 'cilium_lb4_services_v2') map['valueSize'] = 16
    })
    const [node] = driftOf(facts).nodes
    assert.deepEqual(node?.findings, [])
    assert.match(JSON.stringify(node?.notCompared), /Services of IPv4/)
    assert.match(JSON.stringify(facts.nodes.get(NODE)?.problems), /which no known version of Cilium has/)
  })

  test('kube-proxy with IPVS', () => {
    const rules = '*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n'
    const recorded = recordedBundle('iptables')
    const file = 'nodes/n1/netns/host/iptables-legacy-save.4.txt'
    const [node] = driftOf(recorded.withNode('n1', new Map([[file, Buffer.from(rules)]]))).nodes
    assert.deepEqual([node?.datapath, node?.findings], ['unknown', []])
    assert.match(JSON.stringify(node?.notCompared), /IPVS/)
  })

  test('endpoints with topology hints, on a node in a zone', () => {
    const facts = cluster.withObjects({
      nodes: (items) =>
        items.map((each) => ({ ...each, metadata: { ...each.metadata, labels: { 'topology.kubernetes.io/zone': 'a' } } })),
      endpointslices: (items) =>
        items.map((slice) =>
          slice.metadata.labels?.['kubernetes.io/service-name'] === 'web-sticky'
            ? { ...slice, endpoints: slice.endpoints?.map((each) => ({ ...each, hints: { forZones: [{ name: 'b' }] } })) ?? [] }
            : slice,
        ),
    })
    const [node] = driftOf(facts).nodes
    assert.deepEqual(node?.findings, [])
    assert.match(JSON.stringify(node?.notCompared), /Service shop\/web-sticky.*topology hints/)
  })

  test('a node without a datapath that is known', () => {
    const facts = cluster.withNode('n3', new Map([['nodes/n3/node.json', Buffer.from('{}')]]))
    assert.deepEqual(driftOf(facts).nodes.find(({ node }) => node === 'n3')?.datapath, 'unknown')
  })
})

test('the ipcache of 1.17 and before, whose tunnels have four bytes', () => {
  const index = `nodes/${NODE}/bpf/maps/index.json`
  const list = JSON.parse(cluster.text(index)) as Record<string, unknown>[]
  const older = list.map((map) =>
    map['name'] === 'cilium_ipcache_v2'
      ? { ...map, name: 'cilium_ipcache', file: 'bpf/maps/cilium_ipcache.bin', valueSize: 12 }
      : map,
  )
  const entries = cluster.entries(NODE, 'cilium_ipcache_v2').map(({ key, value }) => {
    const [identity, tunnel, encryptKey, flags] = [
      value.subarray(0, 4),
      value.subarray(4, 8),
      value[22] ?? 0,
      (value[23] ?? 0) & 1,
    ]
    return Buffer.concat([key, identity, tunnel, Uint8Array.of(0, 0, encryptKey, flags)])
  })
  const changed = (some: readonly Buffer[]) =>
    cluster.withNode(
      NODE,
      new Map([
        [index, Buffer.from(JSON.stringify(older))],
        [`nodes/${NODE}/bpf/maps/cilium_ipcache.bin`, Uint8Array.from(Buffer.concat(some))],
      ]),
    )
  assert.deepEqual(findingsOf(changed(entries), NODE), [])
  assert.equal(driftOf(changed(entries)).nodes[0]?.compared.addresses, driftOf(cluster.facts).nodes[0]?.compared.addresses)
  assert.ok(
    findingsOf(changed([]), NODE).every(({ kind, text }) => kind === 'address-missing' && text.includes('cilium_ipcache:')),
  )
})

describe("kube-proxy's rules", () => {
  for (const { name, node, file, pattern } of [
    { name: 'iptables', node: 'n1', file: 'iptables-nft-save.4.txt', pattern: /--to-destination 10\.244\.\d+\.\d+:5432/ },
    { name: 'nftables', node: 'n1', file: 'nft.txt', pattern: /dnat to 10\.244\.\d+\.\d+:5432/ },
  ]) {
    test(`${name}: a rule that leads elsewhere`, () => {
      const recorded = recordedBundle(name)
      const path =
        recorded.files().find((each) => each === `nodes/${node}/netns/host/${file}` && pattern.test(recorded.text(each))) ??
        recorded.files().find((each) => each.startsWith(`nodes/${node}/netns/host/`) && pattern.test(recorded.text(each)))
      assert.ok(path)
      const text = recorded.text(path).replace(pattern, (rule) => rule.replace(/10\.244\.\d+\.\d+/, '10.244.9.9'))
      const found = findingsOf(recorded.withNode(node, new Map([[path, Buffer.from(text)]])))
      assert.deepEqual(
        found.map(({ kind, severity, subject }) => [kind, severity, subject]),
        [['backends-different', 'error', 'Service shop/db']],
      )
      assert.match(found[0]?.text ?? '', /lead to 10\.244\.9\.9:5432, which no usable endpoint is/)
      assert.ok(
        found[0]?.evidence.some((each) => each.kind === 'file' && each.file === path),
        'the rule is the evidence',
      )
    })
  }
})

test('text for a terminal names both sides, and with --verbose where to look', () => {
  const at = cluster
    .rows(NODE, 'cilium_lb4_services_v2')
    .findIndex((row) => row['key.address'] === '10.96.0.21' && row['key.slot'] === 0 && row['key.port'] === 5432)
  const report = driftOf(cluster.without(NODE, 'cilium_lb4_services_v2', at))
  assert.match(
    formatDrift(report),
    /^n1 \(Cilium's maps\): 1 finding in \d+ frontends, .*\n {2}✘ Service shop\/db: 10\.96\.0\.21:5432\/TCP is not in/m,
  )
  assert.match(
    formatDrift(report, true),
    /Service shop\/db spec\.clusterIPs\n {6}cilium_lb4_services_v2 address=10\.96\.0\.21 .* = no entry/,
  )
})
