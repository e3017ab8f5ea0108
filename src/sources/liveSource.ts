// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { AgentPod } from '../../cluster/agents.ts'
import type { Collected } from '../../cluster/collect.ts'
import { type MissingRight, PlumblineError } from '../../cluster/errors.ts'
import type { ContextInfo } from '../../cluster/kubeconfig.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import type { NodeSnapshot } from '../../core/facts/snapshot.ts'
import { Owner } from '../disposable.ts'
import { oldest } from './bundleSource.ts'
import type { FactSource, Facts, FactsOptions } from './factSource.ts'

export type LiveState = 'idle' | 'connecting' | 'connected'

interface Part<T> {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly collected: Collected
  readonly value: T
}

/** One context of a kubeconfig. Not connected until somebody asks; objects and each node's snapshot age on their own. */
export class LiveSource extends Owner implements FactSource {
  readonly kind = 'context'
  readonly context: ContextInfo
  readonly #log: vscode.LogOutputChannel
  readonly #changed = this.own(new vscode.EventEmitter<void>())
  readonly onDidChange = this.#changed.event
  #state: LiveState = 'idle'
  #session: ClusterSession | undefined
  #connecting: Promise<ClusterSession> | undefined
  #objects: Part<ClusterFacts> | undefined
  readonly #nodes = new Map<string, Part<NodeSnapshot>>()
  #agents: readonly AgentPod[] = []
  #failure: Error | undefined
  #current: Facts | undefined

  constructor(context: ContextInfo, log: vscode.LogOutputChannel) {
    super()
    this.context = context
    this.#log = log
    this.own({ dispose: () => this.#session?.close() })
  }

  get id(): string {
    return `context:${this.context.file}#${this.context.name}`
  }

  get name(): string {
    return this.context.name
  }

  get state(): LiveState {
    return this.#state
  }

  get session(): ClusterSession | undefined {
    return this.#session
  }

  get agents(): readonly AgentPod[] {
    return this.#agents
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get current(): Facts | undefined {
    return this.#current
  }

  get missingRights(): readonly MissingRight[] {
    return [...(this.#objects?.collected.missing ?? []), ...[...this.#nodes.values()].flatMap((part) => part.collected.missing)]
  }

  /** Connects and lists objects. Called again while it runs, it waits for the same attempt. */
  connect(options: FactsOptions = {}): Promise<ClusterSession> {
    if (this.#session !== undefined) return Promise.resolve(this.#session)
    this.#connecting ??= this.#connect(options).finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  disconnect(): void {
    this.#session?.close()
    this.#session = undefined
    this.#objects = undefined
    this.#nodes.clear()
    this.#agents = []
    this.#current = undefined
    this.#failure = undefined
    this.#setState('idle')
  }

  async facts(options: FactsOptions = {}): Promise<Facts> {
    const session = await this.connect(options)
    const maxAge = options.maxAge ?? Number.POSITIVE_INFINITY
    await this.#collectObjects(session, maxAge, options)
    await this.#collectNodes(session, maxAge, options)
    this.#current = this.#compose()
    this.#changed.fire()
    return this.#current
  }

  /** Asks anew where agents are and how they fare. */
  async refreshAgents(signal?: AbortSignal): Promise<void> {
    if (this.#session === undefined) return
    try {
      this.#agents = await this.#session.agents.list(signal)
    } catch (error) {
      if (!PlumblineError.is(error, 'forbidden')) throw error
      this.#log.warn(`${this.name}: ${error.message}`)
      this.#agents = []
    }
    this.#changed.fire()
  }

  async #connect(options: FactsOptions): Promise<ClusterSession> {
    this.#setState('connecting')
    try {
      const { ClusterSession } = await import('../../cluster/session.ts')
      const onRetry = (node: string, error: unknown) =>
        this.#log.warn(`${this.name}: agent on ${node}: ${String(error)}; trying again`)
      const session = await ClusterSession.open(this.context, { onRetry }, options.signal)
      this.#log.info(`Connected to ${this.name}, ${session.server.url}, Kubernetes ${session.version.gitVersion}`)
      await this.#collectObjects(session, 0, options)
      this.#session = session
      this.#failure = undefined
      await this.refreshAgents(options.signal)
      this.#current = this.#compose()
      this.#setState('connected')
      return session
    } catch (error) {
      if (!PlumblineError.is(error, 'cancelled')) this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#session?.close()
      this.#session = undefined
      this.#setState('idle')
      throw error
    }
  }

  async #collectObjects(session: ClusterSession, maxAge: number, options: FactsOptions): Promise<void> {
    if (this.#objects !== undefined && Date.now() - this.#objects.at <= maxAge) return
    const { loadCluster } = await import('../../core/facts/cluster.ts')
    const collected = await session.collect({ ...progressOf(options), nodes: [] })
    this.#objects = { at: Date.now(), collected, value: loadCluster(collected.files) }
  }

  async #collectNodes(session: ClusterSession, maxAge: number, options: FactsOptions): Promise<void> {
    const isOld = (node: string) => Date.now() - (this.#nodes.get(node)?.at ?? Number.NEGATIVE_INFINITY) > maxAge
    const wanted = [...new Set(options.nodes ?? [])].filter((node) => !this.#nodes.has(node) || isOld(node))
    if (wanted.length === 0) return
    const { loadNodeSnapshot } = await import('../../core/facts/snapshot.ts')
    const collected = await session.collect({ ...progressOf(options), nodes: wanted, objects: false })
    for (const node of wanted)
      this.#nodes.set(node, { at: Date.now(), collected, value: loadNodeSnapshot(collected.files, node) })
  }

  #compose(): Facts {
    const parts = [...(this.#objects ? [this.#objects] : []), ...this.#nodes.values()]
    const files = mergedFiles(this.name, new Set(parts.map((part) => part.collected.files)))
    const taken = [...this.#nodes].filter(([, part]) => part.value.capturedAt !== undefined)
    const nodes = new Map(taken.map(([name, part]) => [name, part.value]))
    const objects = this.#objects?.value
    if (objects === undefined) throw new Error('objects are collected before facts are put together')
    const problems = [...objects.problems, ...[...nodes.values()].flatMap((node) => node.problems)]
    const collected = new Set(parts.flatMap((part) => part.collected.problems.map(({ path, reason }) => `${path}: ${reason}`)))
    return { files, cluster: { ...objects, nodes, problems }, capturedAt: oldest(nodes.values()), partial: [...collected] }
  }

  #setState(state: LiveState): void {
    this.#state = state
    this.#changed.fire()
  }
}

function progressOf({ signal, onProgress }: FactsOptions) {
  return { signal, ...(onProgress && { onProgress }) }
}

function mergedFiles(name: string, sets: Iterable<FactFiles>): FactFiles {
  const contents = new Map<string, Uint8Array>()
  for (const files of sets) {
    for (const path of files.list()) contents.set(path, files.read(path) ?? new Uint8Array())
  }
  return memoryFiles(name, contents)
}
