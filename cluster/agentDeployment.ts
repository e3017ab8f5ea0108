// SPDX-License-Identifier: Apache-2.0

/**
 * Deploys the agent, says how it fares, and removes it without a trace. Objects are written by server-side apply under the
 * field manager `plumbline`; a plan is the same request with `dryRun=All`, so admission and RBAC have their say before
 * anything is changed.
 */

import { isDeepStrictEqual } from 'node:util'
import type { NodeInfo } from '../gen/agent_pb.js'
import { type AgentPod, AGENT_NAMESPACE, AGENT_SELECTOR, type AgentPool, listAgentPods } from './agents.ts'
import type { ApiServer, KubeObject } from './apiServer.ts'
import { ApiError, messageOf, type MissingRight, PlumblineError, quoted, throwIfCancelled } from './errors.ts'
import { type AgentOptions, fitted, type Manifest } from './manifests.ts'
import { listAll } from './objects.ts'
import { EVENTS, PODS } from './resources.ts'
import { pause } from './retry.ts'

export const FIELD_MANAGER = 'plumbline'

export type PlanAction = 'create' | 'change' | 'unchanged' | 'refused'

export interface PlanEntry {
  readonly manifest: Manifest
  readonly action: PlanAction
  /** Why it was refused; empty otherwise. */
  readonly reason: string
  readonly missing: MissingRight | undefined
}

export interface DeployProgress {
  readonly text: string
  readonly ready: number
  readonly of: number
}

export interface DeployOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: DeployProgress) => void
  /** How long to wait for every pod, in milliseconds. */
  readonly timeoutMs?: number
}

export interface AgentStatus extends AgentPod {
  /** Undefined when the agent did not answer; then `reason` says why. */
  readonly info: NodeInfo | undefined
}

const POLL = 500
const READY_TIMEOUT = 180_000
const GONE_TIMEOUT = 120_000

export class AgentDeployment {
  readonly #server: ApiServer
  readonly #manifests: readonly Manifest[]

  constructor(server: ApiServer, manifests: readonly Manifest[], options: AgentOptions = {}) {
    this.#server = server
    this.#manifests = fitted(manifests, options)
  }

  /** What applying would do, object by object, as the API server judges it. Changes nothing. */
  async plan(signal?: AbortSignal): Promise<PlanEntry[]> {
    const entries: PlanEntry[] = []
    let namespaceIsNew = false
    for (const manifest of this.#manifests) {
      throwIfCancelled(signal)
      // Nothing in a namespace can be tried before the namespace is there.
      const entry =
        namespaceIsNew && manifest.namespace !== undefined
          ? await this.#assumeNew(manifest, signal)
          : await this.#tryOut(manifest, signal)
      if (manifest.kind === 'Namespace' && entry.action === 'create') namespaceIsNew = true
      entries.push(entry)
    }
    return entries
  }

  /** Writes every object. The first refusal ends it; what was written before stays, and `remove` takes it away. */
  async apply(options: DeployOptions = {}): Promise<void> {
    for (const [index, manifest] of this.#manifests.entries()) {
      throwIfCancelled(options.signal)
      options.onProgress?.({ text: `${manifest.kind} ${manifest.name}`, ready: index, of: this.#manifests.length })
      try {
        await this.#apply(manifest, {}, options.signal)
      } catch (error) {
        throw rethrow(error, `Can't create ${manifest.kind} ${quoted(manifest.name)}`)
      }
    }
  }

  /** Waits until the agent is ready on every node it is meant for. On time-out the error names the nodes and the reasons. */
  async waitReady(options: DeployOptions = {}): Promise<AgentPod[]> {
    const end = Date.now() + (options.timeoutMs ?? READY_TIMEOUT)
    for (;;) {
      const { desired, current, pods } = await this.#state(options.signal)
      const ready = pods.filter((pod) => pod.ready)
      options.onProgress?.({ text: describeWaiting(pods), ready: ready.length, of: desired })
      if (current && desired > 0 && ready.length >= desired && ready.length === pods.length) return ready
      if (Date.now() > end) throw await this.#notReady(desired, pods, options.signal)
      await pause(POLL, options.signal)
    }
  }

  /** Every agent pod, and what its agent says about its node. */
  async status(agents: AgentPool, signal?: AbortSignal): Promise<AgentStatus[]> {
    const pods = await agents.list(signal)
    return Promise.all(
      pods.map(async (pod) => {
        if (!pod.ready) return { ...pod, info: undefined }
        try {
          return { ...pod, info: await agents.forPod(pod).nodeInfo(signal) }
        } catch (error) {
          throwIfCancelled(signal)
          return { ...pod, ready: false, reason: messageOf(error), info: undefined }
        }
      }),
    )
  }

  /** Deletes in reverse order and waits until the API server has none of the objects nor any agent pod left. */
  async remove(options: DeployOptions = {}): Promise<void> {
    const reversed = this.#manifests.toReversed()
    for (const [index, manifest] of reversed.entries()) {
      options.onProgress?.({ text: `${manifest.kind} ${manifest.name}`, ready: index, of: reversed.length })
      await this.#delete(manifest, options.signal)
      // Pods go before the rights they run with, so that agents can end in order.
      if (manifest.kind === 'DaemonSet') await this.#waitGone('agent pods', () => this.#podsLeft(options.signal), options)
    }
    await this.#waitGone('objects', () => this.leftovers(options.signal), options)
  }

  /** What is left in the cluster of everything `apply` creates, as "Kind name". Empty: nothing. */
  async leftovers(signal?: AbortSignal): Promise<string[]> {
    const left: string[] = []
    for (const manifest of this.#manifests) {
      if ((await this.#get(manifest, signal)) !== undefined) left.push(`${manifest.kind} ${manifest.name}`)
    }
    return [...left, ...(await this.#podsLeft(signal))]
  }

  async #podsLeft(signal?: AbortSignal): Promise<string[]> {
    const { items } = await listAll<KubeObject>(this.#server, PODS, { labelSelector: AGENT_SELECTOR, signal })
    return items.map((pod) => `Pod ${pod.metadata?.namespace}/${pod.metadata?.name}`)
  }

  async #tryOut(manifest: Manifest, signal: AbortSignal | undefined): Promise<PlanEntry> {
    const entry = (action: PlanAction, reason = '', missing?: MissingRight): PlanEntry => ({ manifest, action, reason, missing })
    try {
      const before = await this.#get(manifest, signal)
      const after = await this.#apply(manifest, { dryRun: 'All' }, signal)
      if (before === undefined) return entry('create')
      return entry(isDeepStrictEqual(meaningful(before), meaningful(after)) ? 'unchanged' : 'change')
    } catch (error) {
      if (!ApiError.is(error)) throw error
      return entry('refused', messageOf(error), error.missing)
    }
  }

  /** Asks about the right alone, because the namespace is not there yet. */
  async #assumeNew(manifest: Manifest, signal: AbortSignal | undefined): Promise<PlanEntry> {
    const { group, resource } = manifest.type
    for (const verb of ['create', 'patch']) {
      const missing: MissingRight = { verb, group, resource, namespace: manifest.namespace }
      if (!(await isAllowed(this.#server, missing, signal))) {
        return {
          manifest,
          action: 'refused',
          reason: `your user lacks \`${verb} ${resource}\` in ${quoted(manifest.namespace ?? '')}`,
          missing,
        }
      }
    }
    return { manifest, action: 'create', reason: '', missing: undefined }
  }

  #apply(manifest: Manifest, query: Record<string, string>, signal: AbortSignal | undefined): Promise<KubeObject> {
    return this.#server.json<KubeObject>({
      verb: 'patch',
      ...address(manifest),
      query: { fieldManager: FIELD_MANAGER, force: 'true', ...query },
      // JSON is YAML, and the server takes an apply patch in no other content type.
      body: { contentType: 'application/apply-patch+yaml', text: JSON.stringify(manifest.object) },
      ...(signal && { signal }),
    })
  }

  async #get(manifest: Manifest, signal: AbortSignal | undefined): Promise<KubeObject | undefined> {
    try {
      return await this.#server.json<KubeObject>({ verb: 'get', ...address(manifest), ...(signal && { signal }) })
    } catch (error) {
      if (ApiError.is(error, 'not-found')) return undefined
      throw error
    }
  }

  async #delete(manifest: Manifest, signal: AbortSignal | undefined): Promise<void> {
    try {
      const body = { contentType: 'application/json', text: '{"propagationPolicy":"Foreground"}' }
      await this.#server.json({ verb: 'delete', ...address(manifest), body, ...(signal && { signal }) })
    } catch (error) {
      if (!ApiError.is(error, 'not-found')) throw rethrow(error, `Can't delete ${manifest.kind} ${quoted(manifest.name)}`)
    }
  }

  async #waitGone(what: string, left: () => Promise<string[]>, options: DeployOptions): Promise<void> {
    const end = Date.now() + (options.timeoutMs ?? GONE_TIMEOUT)
    for (;;) {
      const names = await left()
      if (names.length === 0) return
      if (Date.now() > end) throw new PlumblineError('timeout', `Some ${what} are still there: ${names.join(', ')}`)
      options.onProgress?.({ text: `waiting for ${names.join(', ')}`, ready: 0, of: names.length })
      await pause(POLL, options.signal)
    }
  }

  async #state(signal: AbortSignal | undefined): Promise<{ desired: number; current: boolean; pods: AgentPod[] }> {
    const manifest = this.#manifests.find((one) => one.kind === 'DaemonSet')
    const set = manifest && ((await this.#get(manifest, signal)) as DaemonSetState | undefined)
    const status = set?.status
    const current =
      status?.observedGeneration === set?.metadata?.generation &&
      status?.updatedNumberScheduled === status?.desiredNumberScheduled
    return { desired: status?.desiredNumberScheduled ?? 0, current, pods: await listAgentPods(this.#server, signal) }
  }

  async #notReady(desired: number, pods: readonly AgentPod[], signal: AbortSignal | undefined): Promise<PlumblineError> {
    const waiting = pods.filter((pod) => !pod.ready)
    const reasons = waiting.map((pod) => `${pod.node === '' ? quoted(pod.pod) : quoted(pod.node)}: ${pod.reason}`)
    // Pods that admission refuses are never created; only the DaemonSet's events say so.
    if (pods.length < desired || desired === 0) reasons.push(...(await daemonSetWarnings(this.#server, signal)))
    if (reasons.length === 0)
      reasons.push(desired === 0 ? 'no node matches its node selector and tolerations' : 'pods are still being made')
    return new PlumblineError(
      'timeout',
      `The agent is ready on ${pods.length - waiting.length} of ${desired} nodes. ${reasons.join('; ')}`,
    )
  }
}

interface DaemonSetState extends KubeObject {
  readonly metadata?: KubeObject['metadata'] & { readonly generation?: number }
  readonly status?: {
    readonly observedGeneration?: number
    readonly desiredNumberScheduled?: number
    readonly updatedNumberScheduled?: number
  }
}

interface Event extends KubeObject {
  readonly type?: string
  readonly reason?: string
  readonly message?: string
}

async function daemonSetWarnings(server: ApiServer, signal: AbortSignal | undefined): Promise<string[]> {
  try {
    const fieldSelector = 'involvedObject.kind=DaemonSet,type=Warning'
    const { items } = await listAll<Event>(server, EVENTS, { namespace: AGENT_NAMESPACE, fieldSelector, signal })
    return [...new Set(items.map((event) => `${event.reason ?? 'warning'}: ${event.message ?? ''}`))].slice(-3)
  } catch (error) {
    throwIfCancelled(signal)
    return [`its events can't be read: ${messageOf(error)}`]
  }
}

/** Whether the person has a right, by the API server's own answer (SelfSubjectAccessReview). */
export async function isAllowed(server: ApiServer, right: MissingRight, signal?: AbortSignal): Promise<boolean> {
  const type = { group: 'authorization.k8s.io', version: 'v1', resource: 'selfsubjectaccessreviews', namespaced: false }
  const [resource, subresource] = right.resource.split('/')
  const resourceAttributes = { verb: right.verb, group: right.group, resource, subresource, namespace: right.namespace }
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } }
  const answer = await server.json<{ status?: { allowed?: boolean } }>({
    verb: 'create',
    type,
    body: { contentType: 'application/json', text: JSON.stringify(body) },
    ...(signal && { signal }),
  })
  return answer.status?.allowed === true
}

function address(manifest: Manifest): { type: Manifest['type']; name: string; namespace?: string } {
  return { type: manifest.type, name: manifest.name, ...(manifest.namespace !== undefined && { namespace: manifest.namespace }) }
}

/** An object without what the server keeps about it. */
function meaningful(object: KubeObject): unknown {
  const { status: _status, ...rest } = object as KubeObject & { status?: unknown }
  const { resourceVersion: _r, managedFields: _m, generation: _g, ...metadata } = { ...rest.metadata } as Record<string, unknown>
  return { ...rest, metadata }
}

function describeWaiting(pods: readonly AgentPod[]): string {
  const first = pods.find((pod) => !pod.ready)
  return first === undefined ? 'waiting for pods' : `${first.node}: ${first.reason}`
}

function rethrow(error: unknown, what: string): unknown {
  if (!PlumblineError.is(error) || error.code === 'cancelled') return error
  return new PlumblineError(error.code, `${what}: ${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`, error)
}
