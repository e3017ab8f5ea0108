// SPDX-License-Identifier: Apache-2.0

/**
 * Collects what a bundle holds (docs/bundle.md) from a live cluster, in memory. What can't be had is left out and listed
 * in `problems`, which also stands in bundle.json: partial facts are facts, as long as everybody can see what is missing.
 */

import { BUNDLE_HEADER, BUNDLE_SCHEMA, type BundleFile } from '../core/facts/bundle.ts'
import type { FactFiles } from '../core/facts/files.ts'
import { memoryFiles } from '../core/facts/memory.ts'
import type { NodeFile, ProblemFact } from '../core/facts/node.ts'
import type { NodeInfo, SnapshotRequest } from '../gen/agent_pb.js'
import type { SnapshotSink } from './agentClient.ts'
import type { AgentPod, AgentPool } from './agents.ts'
import type { ApiServer, ResourceType } from './apiServer.ts'
import { ApiError, messageOf, type MissingRight, PlumblineError, throwIfCancelled } from './errors.ts'
import { listAll, servedResources } from './objects.ts'
import { mapBounded, withRetry } from './retry.ts'

export interface CollectOptions {
  /** False: snapshots alone. */
  readonly objects?: boolean
  /** Nodes to ask for a snapshot; absent: every node that has an agent. */
  readonly nodes?: readonly string[]
  readonly snapshot?: Partial<Omit<SnapshotRequest, '$typeName'>>
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: CollectProgress) => void
}

export interface CollectProgress {
  readonly text: string
  readonly done: number
  readonly of: number
}

export interface Collected {
  readonly files: FactFiles
  readonly createdAt: string
  /** Paths relative to the bundle: "objects/pods.json", "nodes/node-a", "nodes/node-a/netns/host/nft.json". */
  readonly problems: readonly ProblemFact[]
  /** Rights that would have made it complete. */
  readonly missing: readonly MissingRight[]
  /** Nodes whose snapshot is complete. */
  readonly nodes: readonly string[]
}

export interface CollectSource {
  /** What a person knows the cluster by. */
  readonly name: string
  readonly server: ApiServer
  readonly agents: AgentPool
}

const OBJECTS_AT_ONCE = 4
const NODES_AT_ONCE = 8

export async function collect(source: CollectSource, options: CollectOptions = {}): Promise<Collected> {
  const job = new Collection(source, options)
  return job.run()
}

/** Objects alone, without any snapshot: enough for names, services and the planned lane. */
export async function collectObjects(source: CollectSource, options: CollectOptions = {}): Promise<Collected> {
  return collect(source, { ...options, nodes: [] })
}

class Collection {
  readonly #source: CollectSource
  readonly #options: CollectOptions
  readonly #contents = new Map<string, Uint8Array>()
  /** Of the cluster, for bundle.json. What a node misses stands in its node.json. */
  readonly #problems: ProblemFact[] = []
  readonly #nodeProblems: ProblemFact[] = []
  readonly #missing: MissingRight[] = []
  readonly #complete: string[] = []
  #done = 0
  #of = 0

  constructor(source: CollectSource, options: CollectOptions) {
    this.#source = source
    this.#options = options
  }

  async run(): Promise<Collected> {
    const { signal } = this.#options
    const createdAt = new Date().toISOString()
    const asksObjects = this.#options.objects ?? true
    const served = asksObjects ? await servedResources(this.#source.server, signal) : { types: [], problems: [] }
    for (const { group, reason } of served.problems) this.#problem(`objects/*.${group}`, reason)
    const agents = await this.#agents()
    this.#of = served.types.length + agents.length
    await Promise.all([
      mapBounded(served.types, OBJECTS_AT_ONCE, (type) => this.#objects(type)),
      mapBounded(agents, NODES_AT_ONCE, (pod) => this.#node(pod)),
    ])
    throwIfCancelled(signal)
    this.#write(BUNDLE_HEADER, {
      schema: BUNDLE_SCHEMA,
      createdAt,
      source: this.#source.name,
      problems: this.#problems,
    } satisfies BundleFile)
    return {
      files: memoryFiles(this.#source.name, this.#contents),
      createdAt,
      problems: [...this.#problems, ...this.#nodeProblems],
      missing: this.#missing,
      nodes: this.#complete.sort(),
    }
  }

  async #agents(): Promise<AgentPod[]> {
    const { nodes, signal } = this.#options
    if (nodes?.length === 0) return []
    const pods = await this.#tolerate('nodes', () => this.#source.agents.list(signal))
    const wanted = (pods ?? []).filter((pod) => pod.node !== '' && (nodes === undefined || nodes.includes(pod.node)))
    for (const pod of wanted)
      if (!pod.ready) this.#problem(`nodes/${pod.node}`, `agent \`${pod.pod}\` is not ready: ${pod.reason}`)
    const asked = wanted.filter((pod) => pod.ready)
    for (const node of nodes ?? []) {
      if (pods !== undefined && !wanted.some((pod) => pod.node === node))
        this.#problem(`nodes/${node}`, 'no agent is deployed on this node')
    }
    return asked
  }

  async #objects(type: ResourceType): Promise<void> {
    const path = `objects/${type.resource}.json`
    const list = await this.#tolerate(path, () => listAll(this.#source.server, type, { signal: this.#options.signal }))
    if (list !== undefined) this.#write(path, list)
    this.#progress(type.resource)
  }

  async #node(pod: AgentPod): Promise<void> {
    const folder = `nodes/${pod.node}`
    const client = this.#source.agents.forPod(pod)
    let partial = new NodeFiles()
    const whole = await this.#tolerate(folder, () =>
      withRetry(
        async () => {
          const attempt = new NodeFiles()
          try {
            await client.snapshot(this.#options.snapshot ?? {}, attempt, this.#options.signal)
            return attempt
          } catch (error) {
            // Two attempts are two moments: they are not mixed, the longer one is kept.
            if (attempt.files.size >= partial.files.size) partial = attempt
            throw error
          }
        },
        {
          attempts: 2,
          baseMs: 500,
          maxMs: 1_000,
          signal: this.#options.signal,
          isPassing: (error) => PlumblineError.is(error, 'tunnel'),
        },
      ),
    )
    if (whole === undefined) this.#keepPartial(pod, client.lastInfo, partial)
    else this.#complete.push(pod.node)
    const kept = whole ?? partial
    for (const [path, content] of kept.files) this.#contents.set(`${folder}/${path}`, content)
    for (const { path, reason } of kept.problems)
      this.#nodeProblems.push({ path: path === '' ? folder : `${folder}/${path}`, reason })
    this.#progress(pod.node)
  }

  /** Says in node.json that the rest is missing; writes one if the stream was cut before it came. */
  #keepPartial(pod: AgentPod, info: NodeInfo | undefined, partial: NodeFiles): void {
    if (partial.files.size === 0) return
    const reason = this.#problems.findLast((problem) => problem.path === `nodes/${pod.node}`)?.reason ?? 'the snapshot was cut'
    const cut: ProblemFact = { path: '', reason }
    const sent = partial.files.get('node.json')
    const node: NodeFile =
      sent === undefined
        ? {
            schema: 'plumbline.node/v1',
            node: pod.node,
            agentVersion: info?.agentVersion ?? '',
            capturedAt: new Date().toISOString(),
            kernelRelease: info?.kernelRelease ?? '',
            architecture: info?.architecture ?? '',
            bootId: info?.bootId ?? '',
            capabilities: info?.capabilities.map(({ name, available, reason }) => ({ name, available, reason })) ?? [],
            tools: {},
            problems: [cut, ...partial.problems],
          }
        : addProblem(JSON.parse(Buffer.from(sent).toString()) as NodeFile, cut)
    partial.files.set('node.json', Buffer.from(JSON.stringify(node)))
  }

  async #tolerate<T>(path: string, task: () => Promise<T>): Promise<T | undefined> {
    try {
      return await task()
    } catch (error) {
      throwIfCancelled(this.#options.signal)
      const cause = PlumblineError.is(error) && ApiError.is(error.cause) ? error.cause : error
      if (ApiError.is(cause) && cause.missing !== undefined) this.#missing.push(cause.missing)
      this.#problem(path, messageOf(error))
      return undefined
    }
  }

  #problem(path: string, reason: string): void {
    this.#problems.push({ path, reason })
  }

  #write(path: string, value: unknown): void {
    this.#contents.set(path, Buffer.from(`${JSON.stringify(value)}\n`))
  }

  #progress(text: string): void {
    this.#done += 1
    this.#options.onProgress?.({ text, done: this.#done, of: this.#of })
  }
}

/** What one attempt at a node's snapshot brought. */
class NodeFiles implements SnapshotSink {
  readonly files = new Map<string, Uint8Array>()
  readonly problems: ProblemFact[] = []

  file(path: string, content: Uint8Array): void {
    this.files.set(path, content)
  }

  problem(path: string, reason: string): void {
    this.problems.push({ path, reason })
  }
}

function addProblem(node: NodeFile, problem: ProblemFact): NodeFile {
  return { ...node, problems: [problem, ...node.problems] }
}
