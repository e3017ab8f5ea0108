// SPDX-License-Identifier: Apache-2.0

/** The eBPF lane read from Cilium's maps, against real connections: on a cluster with Cilium, and on one that is half migrated. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { AgentDeployment } from '../../cluster/agentDeployment.ts'
import { readManifests } from '../../cluster/manifests.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import { type ClusterFacts, loadCluster } from '../../core/facts/cluster.ts'
import { objectKey } from '../../core/facts/objects.ts'
import { type Address, formatAddress, formatEndpoint, parseAddress } from '../../core/net/address.ts'
import type { Lane, Outcome, TraceAnswer } from '../../core/path/answer.ts'
import { formatTrace } from '../../core/path/format.ts'
import { parsePlace } from '../../core/path/place.ts'
import { trace } from '../../core/path/trace.ts'
import { holdLab, type Lab, MANIFESTS, openSession, ROOT, whyNoLab } from '../cluster/lab.ts'

const LAB = join(ROOT, 'lab/lab')
const AT_ONCE = 3
const ATTEMPTS = 3
const run = promisify(execFile)

/** One line of what `/app dial` prints. */
interface Attempt {
  readonly ok: boolean
  readonly answer?: { readonly host: string; readonly client: string }
  readonly error?: string
}

interface Asked {
  readonly answer: TraceAnswer
  readonly attempts: readonly Attempt[]
}

for (const proxy of ['cilium', 'half']) {
  describe(`predictions from Cilium's maps on a lab with --proxy=${proxy}`, { skip: whyNoLab() ?? false }, () => {
    let lab: Lab
    let session: ClusterSession
    let deployment: AgentDeployment
    let facts: ClusterFacts

    before(async () => {
      lab = await holdLab(proxy)
      session = await openSession(lab.kubeconfig)
      deployment = new AgentDeployment(session.server, await readManifests(MANIFESTS))
      await deployment.apply()
      await deployment.waitReady()
      const { files, problems } = await session.collect()
      assert.deepEqual(problems, [])
      facts = loadCluster(files)
    })

    after(async () => {
      await deployment?.remove()
      session?.close()
      await lab?.release()
    })

    test('the lane is read from the maps, without being asked', () => {
      const { lanes } = trace(facts, { from: parsePlace('pod:shop/client-n1'), to: parsePlace('svc:shop/web:80/TCP') })
      assert.deepEqual(
        lanes.map(({ source }) => source),
        ['rules', 'cilium'],
      )
    })

    test('what pods connect to ends as predicted', async (t) => {
      const questions = senders(facts).flatMap((from) => targets(facts).map((to) => ({ from, to })))
      const asked = await inParallel(questions, ({ from, to }) => ask(facts, from, to))
      const doubtful = asked.filter(({ answer }) => laneOf(answer).outcomes.some((outcome) => outcome.unknowns.length > 0))
      const wrong = asked.flatMap(({ answer, attempts }) => {
        const odd = attempts.find((attempt) => !laneOf(answer).outcomes.some((outcome) => explains(facts, outcome, attempt)))
        return odd === undefined ? [] : [`${JSON.stringify(odd)} was not predicted:\n${formatTrace(answer)}`]
      })
      t.diagnostic(`${asked.length} questions, ${wrong.length} wrong, ${doubtful.length} with something unknown`)
      assert.equal(wrong.length, 0, wrong.slice(0, 4).join('\n'))
      assert.ok(asked.length > 150, `${asked.length} questions`)
      assert.ok(doubtful.length < asked.length / 5, `${doubtful.length} of ${asked.length} answers are in doubt`)
    })
  })
}

function laneOf({ lanes }: TraceAnswer): Lane {
  const [lane] = lanes
  assert.ok(lane)
  return lane
}

/** Pods that have the dialler, all of which are made of one image, and that policies treat differently. */
function senders(facts: ClusterFacts): readonly string[] {
  const pods = [...facts.objects.pods.values()].filter(({ meta, phase }) => meta.namespace === 'shop' && phase === 'Running')
  const named = ['client-n1', 'client-n2', 'stranger', 'locked', 'loner']
  const web = ['n1', 'n2'].flatMap(
    (node) => pods.find((pod) => pod.nodeName === node && pod.meta.labels.get('app') === 'web') ?? [],
  )
  return [...pods.filter(({ meta }) => named.includes(meta.name)), ...web].map(({ meta }) => `pod:${objectKey(meta)}`)
}

/** Every frontend of every Service, pods themselves in both families, and the machine outside. */
function targets(facts: ClusterFacts): readonly string[] {
  const services = [...facts.objects.services.values()].filter(
    ({ meta, clusterIPs }) => meta.name !== 'kubernetes' && clusterIPs.length > 0,
  )
  const nodes = [...facts.objects.nodes.values()].flatMap(({ internalIPs }) => internalIPs.filter(({ family }) => family === 4))
  const frontends = services.flatMap((service) =>
    service.ports.flatMap(({ port, protocol, nodePort }) => [
      ...[...service.clusterIPs, ...service.loadBalancerIPs.map(({ address }) => address)].map((address) => ({
        address,
        port,
        protocol,
      })),
      ...(nodePort === undefined ? [] : nodes.map((address) => ({ address, port: nodePort, protocol }))),
    ]),
  )
  const pods = [...facts.objects.pods.values()]
    .filter(({ meta, hostNetwork }) => !hostNetwork && /^(web|db|edge|inner|safe)/.test(meta.name))
    .flatMap(({ podIPs, ports }) =>
      podIPs.flatMap((address) => ports.map(({ containerPort: port, protocol }) => ({ address, port, protocol }))),
    )
  const all = [...frontends, ...pods].map(({ address, port, protocol }) => `${formatEndpoint(address, port)}/${protocol}`)
  const hostPorts = nodes.flatMap((address) => [8081, 8082].map((port) => `${formatAddress(address)}:${port}/TCP`))
  return [...all, ...hostPorts, '10.200.0.100:9000/TCP', '10.200.0.100:8080/TCP', '10.200.0.100:9001/UDP']
}

async function ask(facts: ClusterFacts, from: string, to: string): Promise<Asked> {
  const answer = trace(facts, { from: parsePlace(from), to: parsePlace(to) }, { lanes: 'ebpf' })
  const [, namespace = '', name = ''] = /^pod:(.+)\/(.+)$/.exec(from) ?? []
  const [, address = '', protocol = ''] = /^(.+)\/(.+)$/.exec(to) ?? []
  const dial = ['dial', protocol.toLowerCase(), address, '--count', String(ATTEMPTS), '--timeout', '400ms']
  const { stdout } = await run(LAB, ['kubectl', '-n', namespace, 'exec', name, '--', '/app', ...dial]).catch(
    // Failed connections are part of the answer.
    (error: { readonly stdout: string }) => error,
  )
  const attempts = stdout.split('\n').filter((line) => line.startsWith('{'))
  assert.equal(attempts.length, ATTEMPTS, `${from} to ${to}: ${stdout}`)
  return { answer, attempts: attempts.map((line) => JSON.parse(line)) }
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  const open = items.entries()
  const worker = async () => {
    for (const [index, item] of open) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}

/** Whether the connection looks, from both its ends, as this outcome says. */
function explains(facts: ClusterFacts, outcome: Outcome, { ok, answer, error }: Attempt): boolean {
  if (!ok) {
    if (error === 'timeout') return outcome.verdict === 'dropped'
    // Delivered to a node on whose port nobody listens.
    const atNode = outcome.verdict === 'delivered' && facts.objects.nodeAt(addressOf(outcome.destination.ip)) !== undefined
    return outcome.verdict === 'rejected' || (error === 'refused' && atNode)
  }
  if (answer === undefined || (outcome.verdict !== 'delivered' && outcome.verdict !== 'forwarded')) return false
  const client = answer.client.slice(0, answer.client.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  // Beyond what is known, others may translate again.
  if (outcome.verdict === 'forwarded') return true
  return client === outcome.source.ip && answer.host === hostAt(facts, outcome)
}

/** What whoever has the destination calls itself: a pod by its name, one in its node's network by the node's. */
function hostAt({ objects }: ClusterFacts, { destination }: Outcome): string | undefined {
  const address = addressOf(destination.ip)
  return objects.podAt(address)?.meta.name ?? objects.nodeAt(address)?.meta.name
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  assert.ok(address, text)
  return address
}
