// SPDX-License-Identifier: Apache-2.0

/** The live connection against a real API server and real agents: deploy, collect, probe, every fault, remove. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { AgentDeployment } from '../../cluster/agentDeployment.ts'
import { ApiError, PlumblineError } from '../../cluster/errors.ts'
import { readManifests } from '../../cluster/manifests.ts'
import { probe } from '../../cluster/probe.ts'
import { rbacSnippet } from '../../cluster/rbac.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import { loadCluster } from '../../core/facts/cluster.ts'
import type { TraceQuestion } from '../../core/path/answer.ts'
import { holdLab, kubectl, type Lab, MANIFESTS, openSession, whyNoLab } from './lab.ts'

const reason = whyNoLab()

describe('a live cluster', { skip: reason ?? false }, () => {
  let lab: Lab
  let session: ClusterSession
  let deployment: AgentDeployment
  let folder: string
  const rejections: unknown[] = []
  const onRejection = (error: unknown) => rejections.push(error)

  before(async () => {
    process.on('unhandledRejection', onRejection)
    folder = await mkdtemp(join(tmpdir(), 'plumbline-connection-'))
    lab = await holdLab('mixed')
    session = await openSession(lab.kubeconfig)
    deployment = new AgentDeployment(session.server, await readManifests(MANIFESTS))
    await deployment.remove()
  })

  after(async () => {
    session?.close()
    await lab?.release()
    await rm(folder, { recursive: true, force: true })
    process.off('unhandledRejection', onRejection)
    assert.deepEqual(rejections, [], 'no promise was rejected unheard')
  })

  test('without agents, objects are collected and the absence is said', async () => {
    const { files, problems, nodes } = await session.collect({ nodes: ['n1'] })
    assert.deepEqual(nodes, [])
    assert.deepEqual(problems, [{ path: 'nodes/n1', reason: 'no agent is deployed on this node' }])
    const { objects } = loadCluster(files)
    assert.deepEqual([...objects.nodes.keys()], ['n1', 'n2'])
    assert.ok(!files.list().some((path) => /secrets|configmaps/.test(path)))
    assert.ok(!Buffer.from(files.read('objects/pods.json') ?? []).includes('managedFields'))
    await assert.rejects(session.agents.forNode('n1'), (error) => PlumblineError.is(error, 'agent-absent'))
  })

  test('plans, deploys and finds nothing left to change', async () => {
    assert.deepEqual(new Set((await deployment.plan()).map((entry) => entry.action)), new Set(['create']))
    await deployment.apply()
    const pods = await deployment.waitReady()
    assert.deepEqual(
      pods.map((pod) => pod.node),
      ['n1', 'n2'],
    )
    assert.deepEqual(new Set((await deployment.plan()).map((entry) => entry.action)), new Set(['unchanged']))
    for (const { info } of await deployment.status(session.agents)) assert.equal(info?.protocolVersion, 1)
  })

  test('an image that cannot be pulled is named as the reason', async () => {
    const manifests = await readManifests(MANIFESTS)
    const broken = new AgentDeployment(session.server, manifests, { image: 'registry.invalid/agent:0' })
    await broken.apply()
    await assert.rejects(broken.waitReady({ timeoutMs: 15_000 }), (error) => {
      assert.ok(PlumblineError.is(error, 'timeout'))
      assert.match(error.message, /registry\.invalid|ErrImage|ImagePull/)
      return true
    })
    await deployment.apply()
    await deployment.waitReady()
  })

  test('collects every node, whole', async () => {
    const progress: string[] = []
    const { files, problems, nodes } = await session.collect({ onProgress: ({ text }) => progress.push(text) })
    assert.deepEqual(nodes, ['n1', 'n2'])
    assert.deepEqual(problems, [])
    assert.ok(progress.includes('n1') && progress.includes('pods'))
    const { nodes: snapshots } = loadCluster(files)
    assert.match(snapshots.get('n1')?.host?.text('iptables-nft-save.4.txt') ?? '', /KUBE-SERVICES/)
    assert.match(snapshots.get('n2')?.host?.text('nft.txt') ?? '', /table ip kube-proxy/)
  })

  test('probes a service from a pod and says who answered', async () => {
    const start = { node: 'n1', pod: { namespace: 'shop', name: 'client-n1' } }
    const attempts = await probe(session.agents, start, question('10.96.0.20', 80), { count: 6, timeoutMs: 2000 })
    assert.equal(attempts.length, 6)
    for (const { result, destination } of attempts) {
      assert.equal(result, 'connected')
      assert.match(destination?.ip ?? '', /^10\.244\./)
      assert.equal(destination?.port, 8080)
    }
    const refused = await probe(session.agents, start, question('10.96.0.40', 80), { count: 6, timeoutMs: 2000 })
    assert.ok(
      refused.every((attempt) => attempt.result !== 'connected'),
      'a service without endpoints answers nobody',
    )
  })

  test('a cut tunnel and an absent API server are told apart from facts, and pass', async () => {
    const relay = await Relay.to(session.server.url)
    const behind = await openSession(await relayed(lab.kubeconfig, relay, folder))
    try {
      const agent = await behind.agents.forNode('n1')
      await agent.nodeInfo()
      let files = 0
      const sink = {
        file: () => {
          files += 1
          if (files === 3) relay.cut()
        },
        problem: () => {},
      }
      await assert.rejects(
        agent.snapshot({}, sink),
        (error) => PlumblineError.is(error, 'tunnel') && /`n1`|`plumbline-agent/.test(error.message),
      )
      assert.ok(files >= 3, 'whole files that came before are kept')
      assert.equal((await agent.nodeInfo()).nodeName, 'n1', 'the next call opens a new tunnel')
      relay.refuse()
      await assert.rejects(
        behind.collect(),
        (error) => PlumblineError.is(error, 'unreachable') && error.message.includes(relay.url),
      )
      setTimeout(() => relay.accept(), 300)
      assert.equal((await agent.nodeInfo()).nodeName, 'n1', 'it waits for the API server to come back')
    } finally {
      behind.close()
      relay.close()
    }
  })

  test('a cut within every attempt leaves partial facts, marked', async () => {
    const relay = await Relay.to(session.server.url)
    const behind = await openSession(await relayed(lab.kubeconfig, relay, folder))
    try {
      await (await behind.agents.forNode('n2')).nodeInfo()
      relay.cutAfter(60_000)
      const { files, problems } = await behind.collect({ objects: false, nodes: ['n2'] })
      assert.ok(
        problems.some((problem) => problem.path === 'nodes/n2' && /cut|lost/.test(problem.reason)),
        JSON.stringify(problems),
      )
      if (files.list().length > 1) {
        const node = JSON.parse(Buffer.from(files.read('nodes/n2/node.json') ?? []).toString())
        assert.match(JSON.stringify(node.problems), /cut|lost/)
      }
    } finally {
      behind.close()
      relay.close()
    }
  })

  test('a killed agent is replaced, and the client finds the new one', async () => {
    const [before] = (await session.agents.list()).filter((pod) => pod.node === 'n1')
    await (await session.agents.forNode('n1')).nodeInfo()
    kubectl('-n', 'plumbline', 'delete', 'pod', before?.pod ?? '', '--grace-period=0', '--force')
    await deployment.waitReady()
    const [now] = (await session.agents.list()).filter((pod) => pod.node === 'n1')
    assert.notEqual(now?.uid, before?.uid)
    assert.equal((await (await session.agents.forNode('n1')).nodeInfo()).nodeName, 'n1')
  })

  test('cancelling ends at once', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 30)
    const began = performance.now()
    await assert.rejects(session.collect({ signal: controller.signal }), (error) => PlumblineError.is(error, 'cancelled'))
    assert.ok(performance.now() - began < 1000)
  })

  test('missing rights are named; what is allowed is collected', async () => {
    const limited = await openSession(await readerKubeconfig(lab.kubeconfig, folder))
    try {
      const { files, problems, missing } = await limited.collect()
      assert.ok(files.list().includes('objects/services.json'))
      assert.ok(!files.list().includes('objects/networkpolicies.json'))
      assert.ok(
        problems.some(
          ({ path, reason }) =>
            path === 'objects/networkpolicies.json' && reason.includes('`list networkpolicies.networking.k8s.io`'),
        ),
      )
      assert.ok(
        problems.some(
          ({ path, reason }) =>
            path === 'nodes/n1' &&
            /Can't exec into `plumbline-agent-.+`: your user lacks `(create|get) pods\/exec` in `plumbline`/.test(reason),
        ),
      )
      assert.ok(missing.some((right) => right.resource === 'pods/exec'))
      const plan = await new AgentDeployment(limited.server, await readManifests(MANIFESTS)).plan()
      assert.ok(plan.every((entry) => entry.action === 'refused' && entry.reason !== ''))
      // The snippet grants what it says: applied, the same person can collect everything.
      const snippet = join(folder, 'rbac.yaml')
      await writeFile(snippet, rbacSnippet(missing, 'system:serviceaccount:default:plumbline-reader'))
      kubectl('apply', '-f', snippet)
      const after = await limited.collect()
      assert.deepEqual(after.problems, [])
      assert.deepEqual(after.nodes, ['n1', 'n2'])
      kubectl('delete', '-f', snippet)
    } finally {
      limited.close()
      kubectl('-n', 'default', 'delete', 'serviceaccount,clusterrolebinding,clusterrole', '-l', 'test=plumbline-reader')
    }
  })

  test('refused credentials say so', async () => {
    const config = parse(await readFile(lab.kubeconfig, 'utf8'))
    config.users[0].user = { token: 'not-a-token' }
    const path = join(folder, 'bad-token')
    await writeFile(path, stringify(config))
    await assert.rejects(
      openSession(path),
      (error) => ApiError.is(error, 'unauthorized') && error.message.includes('credentials'),
    )
  })

  test('removal leaves nothing', async () => {
    await deployment.remove()
    assert.deepEqual(await deployment.leftovers(), [])
    assert.deepEqual(await session.agents.list(), [])
    for (const kind of ['namespace/plumbline', 'clusterrole/plumbline-agent', 'clusterrolebinding/plumbline-agent']) {
      assert.throws(() => kubectl('get', kind), kind)
    }
  })
})

function question(ip: string, port: number): TraceQuestion {
  return {
    from: 'pod:shop/client-n1',
    to: `${ip}:${port}/TCP`,
    source: { ip: '', port: null },
    destination: { ip, port },
    protocol: 'TCP',
    ctState: 'new',
    mark: 0,
  }
}

/** A TCP relay in front of the API server, which can cut and refuse connections as a restarting server does. */
class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #port: number
  #refusing = false
  #budget = Number.POSITIVE_INFINITY

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
  }

  static async to(url: string): Promise<Relay> {
    const { hostname, port } = new URL(url)
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const relay = new Relay(server, (server.address() as AddressInfo).port)
    server.on('connection', (near) => relay.#join(near, hostname.replace(/^\[|\]$/g, ''), Number(port)))
    return relay
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Cuts each connection that carried this many bytes towards the client. */
  cutAfter(bytes: number): void {
    this.#budget = bytes
  }

  refuse(): void {
    this.#refusing = true
    this.cut()
  }

  accept(): void {
    this.#refusing = false
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  #join(near: Socket, host: string, port: number): void {
    if (this.#refusing) {
      near.destroy()
      return
    }
    const far = connect(port, host)
    let carried = 0
    far.on('data', (chunk: Buffer) => {
      carried += chunk.length
      if (carried > this.#budget) near.destroy()
    })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  }
}

async function relayed(kubeconfig: string, relay: Relay, folder: string): Promise<string> {
  const config = parse(await readFile(kubeconfig, 'utf8'))
  for (const { cluster } of config.clusters) {
    cluster.server = relay.url
  }
  const path = join(folder, 'relayed')
  await writeFile(path, stringify(config))
  return path
}

/** A service account that may read most things, but not policies, and exec nowhere. */
async function readerKubeconfig(kubeconfig: string, folder: string): Promise<string> {
  const metadata = { name: 'plumbline-reader', namespace: 'default', labels: { test: 'plumbline-reader' } }
  const subjects = [{ kind: 'ServiceAccount', name: metadata.name, namespace: metadata.namespace }]
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const rules = [
    { apiGroups: [''], resources: ['nodes', 'namespaces', 'pods', 'services'], verbs: ['get', 'list'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list'] },
  ]
  const objects = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion, kind: 'ClusterRole', metadata: { ...metadata, namespace: undefined }, rules },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { ...metadata, namespace: undefined },
      subjects,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
    },
  ]
  const file = join(folder, 'reader.yaml')
  await writeFile(file, objects.map((object) => stringify(object)).join('---\n'))
  kubectl('apply', '-f', file)
  const token = kubectl('-n', 'default', 'create', 'token', metadata.name).trim()
  const config = parse(await readFile(kubeconfig, 'utf8'))
  config.users[0].user = { token }
  const path = join(folder, 'reader')
  await writeFile(path, stringify(config))
  return path
}
