// SPDX-License-Identifier: Apache-2.0

/** Questions about recorded clusters (test/fixtures/raw): what kube-proxy programmed has to do what the API objects ask for. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { rawCluster, rawClusters } from '../../test/support/rawFixtures.ts'
import type { ClusterFacts } from '../facts/cluster.ts'
import { objectKey, type ServiceObject } from '../facts/objects.ts'
import { formatEndpoint } from '../net/address.ts'
import { chooseBackends } from '../services/backends.ts'
import { ServiceFrontends } from '../services/frontend.ts'
import type { Lane, TraceAnswer } from './answer.ts'
import { formatTrace } from './format.ts'
import { parsePlace } from './place.ts'
import { trace } from './trace.ts'

const CLIENTS = [
  ['client-n1', 'n1'],
  ['client-n2', 'n2'],
] as const

/** Clusters whose nodes run kube-proxy; on others the netfilter lane has no Service rules to follow. */
const KUBE_PROXY = ['iptables', 'iptables-legacy', 'nftables', 'mixed'].filter((name) => rawClusters().includes(name))

function ask(facts: ClusterFacts, from: string, to: string): TraceAnswer {
  return trace(facts, { from: parsePlace(from), to: parsePlace(to) })
}

function lane(answer: TraceAnswer, name: Lane['lane']): Lane {
  const found = answer.lanes.find((each) => each.lane === name)
  assert.ok(found, `there is a ${name} lane`)
  return found
}

/** Destination to probability; failures by verdict. */
function ends({ outcomes }: Lane): Readonly<Record<string, number>> {
  const result: Record<string, number> = {}
  for (const { verdict, destination, probability } of outcomes) {
    const good = verdict === 'delivered' || verdict === 'forwarded'
    const key = good ? `${destination.ip}:${destination.port}` : verdict
    result[key] = Math.round(((result[key] ?? 0) + (probability ?? Number.NaN)) * 1e6) / 1e6
  }
  return result
}

function wanted(facts: ClusterFacts, service: ServiceObject, port: number, node: string): Readonly<Record<string, number>> {
  const [frontend] = new ServiceFrontends(facts.objects)
    .of(service)
    .filter((each) => each.kind === 'ClusterIP' && each.address.family === 4 && each.servicePort.port === port)
  assert.ok(frontend)
  const { backends, none } = chooseBackends(facts.objects, frontend, { node: facts.objects.nodes.get(node), inCluster: true })
  if (none !== undefined) return { [none === 'reject' ? 'rejected' : 'dropped']: 1 }
  return Object.fromEntries(
    backends.map((backend) => [formatEndpoint(backend.address, backend.port), Math.round(1e6 / backends.length) / 1e6]),
  )
}

function sorted(record: Readonly<Record<string, number>>): string {
  return JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}

for (const name of KUBE_PROXY) {
  const facts = rawCluster(name)

  test(`${name}: from a pod on each node, every Service port leads to the endpoints the API asks for`, () => {
    assert.deepEqual(facts.problems, [])
    let asked = 0
    for (const service of facts.objects.services.values()) {
      if (service.headless || service.clusterIPs.length === 0) continue
      for (const { port, protocol } of service.ports) {
        for (const [client, node] of CLIENTS) {
          const answer = ask(facts, `pod:shop/${client}`, `svc:${objectKey(service.meta)}:${port}/${protocol}`)
          const what = `${client} -> ${objectKey(service.meta)}:${port}/${protocol}\n${formatTrace(answer)}`
          const [real, asks] = [ends(lane(answer, 'netfilter')), wanted(facts, service, port, node)]
          // Which backend a client keeps stands in a list that iptables doesn't save.
          if (service.sessionAffinity === 'ClientIP') assert.deepEqual(Object.keys(real).sort(), Object.keys(asks).sort(), what)
          else assert.equal(sorted(real), sorted(asks), what)
          asked++
        }
      }
    }
    assert.ok(asked > 30, `${asked} questions`)
  })

  test(`${name}: node ports from outside keep to externalTrafficPolicy, and say where the client's address goes`, () => {
    const cluster = ask(facts, '10.200.0.1', '10.200.0.11:30080/TCP')
    assert.ok(lane(cluster, 'netfilter').outcomes.every((outcome) => outcome.verdict === 'delivered' && outcome.masquerade))
    const ebpf = lane(cluster, 'ebpf').outcomes
    assert.ok(ebpf.some((outcome) => !outcome.masquerade) && ebpf.some((outcome) => outcome.masquerade))
    assert.equal(cluster.difference?.kind, 'source')
    for (const [node, address] of [
      ['n1', '10.200.0.11'],
      ['n2', '10.200.0.12'],
    ] as const) {
      const local = ask(facts, '10.200.0.1', `${address}:30081/TCP`)
      const edge = [...facts.objects.pods.values()].some((pod) => pod.meta.labels.get('app') === 'edge' && pod.nodeName === node)
      for (const each of local.lanes) {
        const [outcome] = each.outcomes
        assert.equal(outcome?.verdict, edge ? 'delivered' : 'dropped', `${node} ${each.lane}`)
        if (edge) assert.equal(outcome?.source.ip, '10.200.0.1', 'the client is seen')
      }
    }
  })

  test(`${name}: a pod that reaches itself through its Service needs masquerading`, () => {
    const [outcome, more] = lane(ask(facts, 'pod:shop/loner', 'svc:shop/loner:80/TCP'), 'netfilter').outcomes
    assert.deepEqual([outcome?.verdict, outcome?.masquerade, outcome?.replyLost, more], ['delivered', true, undefined, undefined])
  })

  test(`${name}: a policy the rules don't enforce is where the lanes part`, () => {
    const answer = ask(facts, 'pod:shop/client-n1', 'svc:vault/safe:8200/TCP')
    assert.equal(answer.difference?.kind, 'verdict')
    assert.equal(answer.difference?.at?.hook, 'policy-ingress')
    assert.equal(lane(answer, 'ebpf').outcomes[0]?.verdict, 'dropped')
    assert.match(lane(answer, 'ebpf').outcomes[0]?.remedy ?? '', /vault\/safe/)
  })

  test(`${name}: rules nobody owns are first among those eBPF would bypass`, () => {
    const rules = ask(facts, 'pod:shop/client-n1', 'svc:shop/web:80/TCP').difference?.bypassedRules ?? []
    assert.ok(rules.some((rule) => rule.owner === 'kube-proxy'))
    assert.ok(rules.some((rule) => /CORP|corp|ports/.test(rule.text)))
    const firstKnown = rules.findIndex((rule) => rule.owner !== 'unknown')
    assert.ok(firstKnown > 0 && rules.slice(firstKnown).every((rule) => rule.owner !== 'unknown'))
  })
}

const GOLDEN: readonly (readonly [cluster: string, file: string, from: string, to: string])[] = [
  ['iptables', 'web-iptables', 'pod:shop/client-n1', 'svc:shop/web:80/TCP'],
  ['nftables', 'ghost-nftables', 'pod:shop/client-n1', 'svc:shop/ghost:80/TCP'],
  ['mixed', 'nodeport-mixed', '10.200.0.1', '10.200.0.12:30080/TCP'],
]

for (const [cluster, file, from, to] of GOLDEN) {
  test(`text: ${from} to ${to} on ${cluster}`, {
    skip: rawClusters().includes(cluster) ? false : `skipped: no recording of ${cluster}`,
  }, () => {
    const path = join(import.meta.dirname, `../../test/fixtures/golden/${file}.txt`)
    const text = formatTrace(ask(rawCluster(cluster), from, to))
    if (process.env['PLUMBLINE_UPDATE_GOLDEN'] === '1' || !existsSync(path)) writeFileSync(path, text)
    assert.equal(text, readFileSync(path, 'utf8'))
  })
}

test('places that do not exist are answered with what does', () => {
  const facts = rawCluster('iptables')
  const message = (from: string, to: string) => {
    try {
      ask(facts, from, to)
    } catch (error) {
      return error instanceof Error ? error.message : ''
    }
    return ''
  }
  assert.match(
    message('pod:shop/cleint-n1', 'svc:shop/web:80'),
    /namespace shop has no pod `cleint-n1`; did you mean `client-n1`/,
  )
  assert.match(message('pod:shp/client-n1', 'svc:shop/web:80'), /no namespace `shp`; did you mean `shop`/)
  assert.match(message('pod:shop/client-n1', 'svc:shop/web:81'), /no port `81`; it has 80\/TCP \(http\)/)
  assert.match(message('pod:shop/client-n1', 'svc:vault/web:80'), /there is one in namespace shop/)
  assert.match(message('host:n9', 'svc:shop/web:80'), /no node `n9`.*n1/)
  assert.match(message('svc:shop/web:80', 'svc:shop/web:80'), /a Service is no place/)
})

test('a node without snapshot is named where the packet leaves what is known', () => {
  const facts = rawCluster('iptables')
  const half: ClusterFacts = { ...facts, nodes: new Map([...facts.nodes].filter(([node]) => node === 'n1')) }
  const answer = ask(half, 'pod:shop/client-n1', 'svc:shop/db:5432/TCP')
  const [outcome] = lane(answer, 'netfilter').outcomes
  assert.equal(outcome?.verdict, 'forwarded')
  assert.ok(outcome?.unknowns.some((unknown) => unknown.missing === 'the snapshot of node n2'))
  assert.throws(() => ask(half, 'pod:shop/client-n2', 'svc:shop/db:5432/TCP'), /no snapshot of it: there are snapshots of n1/)
})

test('objects alone answer for the eBPF lane', () => {
  const facts: ClusterFacts = { ...rawCluster('iptables'), nodes: new Map() }
  const answer = ask(facts, 'pod:shop/client-n1', 'svc:shop/web:80/TCP')
  assert.deepEqual(
    answer.lanes.map((each) => [each.lane, each.source, each.outcomes.length, each.unknowns.length]),
    [['ebpf', 'planned', 3, 0]],
  )
  assert.equal(answer.difference, null)
})
