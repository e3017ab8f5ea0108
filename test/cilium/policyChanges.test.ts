// SPDX-License-Identifier: Apache-2.0

/** What changes when policies and backends do: attributed drops pass without their policies, and connections that exist are asked about too. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { attributeDrop } from '../../core/flows/attribution/attribution.ts'
import { formatAddress } from '../../core/net/address.ts'
import type { CtState } from '../../core/net/packet.ts'
import type { Outcome } from '../../core/path/answer.ts'
import { parsePlace } from '../../core/path/place.ts'
import { trace } from '../../core/path/trace.ts'
import { kubectl, ROOT, whyNoLab } from '../cluster/lab.ts'
import { type LiveCluster, openLiveCluster } from '../cluster/liveCluster.ts'
import { type Attempt, dial, diallerPath } from './dialler.ts'
import { Observer } from './observer.ts'
import { addressOf, type Sender, senders, type Target } from './questions.ts'

const LAB = join(ROOT, 'lab/lab')
const PATIENCE_MS = 20_000
/** Asked until it is as expected, once is enough. */
const BRIEFLY = { attempts: 1, timeout: '700ms' }

/** Connections that policies drop, and every policy that has to go before they pass: from the manifests in lab/workloads. */
const DROPPED = [
  { from: 'pod:shop/client-n1', to: 'db', port: 5432, policies: ['NetworkPolicy shop/db-from-web'] },
  { from: 'pod:shop/stranger', to: 'edge', port: 8080, policies: ['CiliumNetworkPolicy shop/edge-not-stranger'] },
  { from: 'pod:shop/locked', to: 'hostport', port: 8080, policies: ['CiliumNetworkPolicy shop/locked-egress'] },
  { from: '10.200.0.100', to: 'inner', port: 8080, policies: ['CiliumClusterwideNetworkPolicy /inner-only-cluster'] },
  { from: '10.200.0.100', to: 'shelf', port: 8080, policies: ['CiliumClusterwideNetworkPolicy /shelf-not-for-some'] },
  {
    from: 'pod:shop/loner',
    to: 'web',
    port: 6666,
    policies: ['CiliumNetworkPolicy shop/web-from-nodes', 'NetworkPolicy shop/web-for-reader', 'NetworkPolicy shop/web-ingress'],
  },
] as const

describe('policies and backends that change, on a lab with --proxy=cilium', { skip: whyNoLab() ?? false }, () => {
  let cluster: LiveCluster
  let facts: ClusterFacts
  let app: string
  let all: readonly Sender[]

  before(async () => {
    cluster = await openLiveCluster('cilium')
    facts = await cluster.facts()
    app = await diallerPath()
    all = senders(facts, app)
  })

  after(async () => {
    // Who follows shall not meet pods that take their time to leave.
    kubectl('delete', '--ignore-not-found', '--force', '--grace-period=0', '-f', join(ROOT, 'test/cilium/manifests'))
    restorePolicies()
    await cluster?.close()
  })

  const senderOf = (from: string): Sender => {
    const sender = all.find((each) => each.from === from)
    assert.ok(sender, from)
    return sender
  }
  const target = (name: string, port: number): Target => {
    const pod = [...facts.objects.pods.values()].find(({ meta }) => meta.name === name || meta.labels.get('app') === name)
    const [address] = pod?.podIPs ?? []
    assert.ok(address, name)
    const end = `${formatAddress(address)}:${port}`
    return { to: `${end}/TCP`, dialled: `tcp/${end}`, address }
  }
  const askAll = (): Promise<readonly (readonly Attempt[])[]> =>
    Promise.all(DROPPED.map(({ from, to, port }) => dial(senderOf(from), [target(to, port)], app, BRIEFLY)))
  const verdicts = (from: string, to: string, ctState: CtState = 'new'): readonly Outcome['verdict'][] => {
    const { lanes } = trace(facts, { from: parsePlace(from), to: parsePlace(to), ctState }, { lanes: 'ebpf' })
    return [...new Set((lanes[0]?.outcomes ?? []).map(({ verdict }) => verdict))]
  }

  test('an attributed drop passes when its policies are gone, and not before the last of them', async () => {
    const observer = new Observer()
    assert.ok((await askAll()).flat().every(({ error }) => error === 'timeout'))
    const { flows } = await observer.finish()
    const attributed = DROPPED.map(({ from, to, port }) => {
      const { address } = target(to, port)
      const drop = flows.find(({ verdict, ip, source, l4 }) => {
        const same = ip?.destination === formatAddress(address) && l4?.tcp?.destinationPort === port
        return same && verdict === 'DROPPED' && (from === ip?.source || from === `pod:${source?.namespace}/${source?.podName}`)
      })
      assert.ok(drop, `${from} to ${to}`)
      return (attributeDrop(facts, drop)?.policies ?? [])
        .map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`)
        .sort()
    })
    assert.deepEqual(
      attributed,
      DROPPED.map(({ policies }) => [...policies]),
    )
    removePolicies(attributed.flatMap((policies) => policies.slice(policies.length > 1 ? 1 : 0)))
    const pass = async () => (await askAll()).map((attempts) => attempts.every(({ ok }) => ok))
    // Where several isolate, one that is left is enough.
    await until('all pass but those with a policy left', async () =>
      isDeepStrictEqual(
        await pass(),
        attributed.map(({ length }) => length === 1),
      ),
    )
    removePolicies(attributed.flat())
    await until('without their policies all pass', async () => !(await pass()).includes(false))
    restorePolicies()
    await until('with their policies nothing passes', async () => (await askAll()).flat().every(({ ok }) => !ok))
  })

  test('a connection that exists is judged again, and answers pass', async () => {
    const { address } = target('web', 9000)
    const to = `${formatAddress(address)}:9000/TCP`
    assert.deepEqual(verdicts('pod:shop/client-n1', to, 'established'), ['delivered'])
    const stream = spawn(LAB, [
      'kubectl',
      '-n',
      'shop',
      'exec',
      'client-n1',
      '--',
      '/app',
      'stream',
      to.replace('/TCP', ''),
      '--for',
      '40s',
    ])
    let lines = 0
    let broken = false
    stream.stdout.on('data', () => lines++)
    stream.on('exit', () => {
      broken = true
    })
    // Answers pass, though web may send nothing to clients by itself.
    await until('the connection is in use', async () => lines > 3)
    kubectl('apply', '-f', join(ROOT, 'test/cilium/manifests/no-echo.yaml'))
    await until('the connection breaks', async () => broken)
    facts = await cluster.facts()
    assert.deepEqual(verdicts('pod:shop/client-n1', to, 'established'), ['dropped'])
    assert.deepEqual(verdicts('pod:shop/client-n1', to), ['dropped'])
    kubectl('delete', '-f', join(ROOT, 'test/cilium/manifests/no-echo.yaml'))
  })

  test('backends that are terminating get no new connections while others are there, and all of them when no others are', async () => {
    const sender = senderOf('pod:shop/client-n1')
    const service: Target = { to: '10.96.0.75:80/TCP', dialled: 'tcp/10.96.0.75:80', address: addressOf('10.96.0.75') }
    const met = async () => (await dial(sender, Array<Target>(12).fill(service), app, BRIEFLY)).map(({ answer }) => answer?.host)
    const predicted = async () => {
      facts = await cluster.facts()
      const { lanes } = trace(facts, { from: parsePlace(sender.from), to: parsePlace(service.to) }, { lanes: 'ebpf' })
      const outcomes = lanes[0]?.outcomes ?? []
      return outcomes
        .map(({ destination, verdict }) => `${verdict} ${facts.objects.podAt(addressOf(destination.ip))?.meta.name}`)
        .sort()
    }
    kubectl('apply', '-f', join(ROOT, 'test/cilium/manifests/leaving.yaml'))
    await until('both answer', async () => new Set(await met()).size === 2)
    kubectl('-n', 'shop', 'delete', 'pod', 'leaving-1', '--wait=false')
    await until('one answers', async () => new Set(await met()).size === 1)
    assert.deepEqual(await predicted(), ['delivered leaving-2'])
    assert.deepEqual([...new Set(await met())], ['leaving-2'])
    kubectl('-n', 'shop', 'delete', 'pod', 'leaving-2', '--wait=false')
    await until('both answer again, though they are leaving', async () => new Set(await met()).size === 2)
    assert.deepEqual(await predicted(), ['delivered leaving-1', 'delivered leaving-2'])
  })
})

function removePolicies(names: readonly string[]): void {
  const known = names.map((each) => each.split(/[ /]/))
  for (const namespace of new Set(known.map(([, where]) => where ?? ''))) {
    const objects = known.filter(([, where]) => where === namespace).map(([kind, , name]) => `${kind}/${name}`)
    kubectl('delete', '--ignore-not-found', ...(namespace === '' ? [] : ['-n', namespace]), ...objects)
  }
}

function restorePolicies(): void {
  execFileSync(LAB, ['kubectl', 'apply', '-f', 'lab/workloads/50-policies.yaml', '-f', 'lab/workloads/cilium'], {
    cwd: ROOT,
    stdio: 'ignore',
  })
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await pause(200)) if (await holds()) return
  assert.fail(`not within ${PATIENCE_MS / 1000} s: ${what}`)
}
