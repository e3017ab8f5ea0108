// SPDX-License-Identifier: Apache-2.0

/** Where the agents of a cluster are, and one client for each, reached through `pods/exec`. */

import { AgentClient } from './agentClient.ts'
import type { ApiServer, KubeObject } from './apiServer.ts'
import { PlumblineError, quoted } from './errors.ts'
import { listAll } from './objects.ts'
import { PodStream } from './podStream.ts'
import { PODS } from './resources.ts'

export const AGENT_NAMESPACE = 'plumbline'
export const AGENT_SELECTOR = 'app.kubernetes.io/name=plumbline-agent'
export const AGENT_CONTAINER = 'agent'
const CONNECT = ['/plumbline-agent', 'connect']

/** Of a pod, what tells whether an agent can be talked to and why not. */
export interface AgentPodObject extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string
    readonly containers?: readonly { readonly name: string; readonly image?: string }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
    }[]
    readonly containerStatuses?: readonly {
      readonly name: string
      readonly ready: boolean
      readonly restartCount: number
      readonly image?: string
      readonly state?: {
        readonly waiting?: { readonly reason?: string; readonly message?: string }
        readonly terminated?: { readonly reason?: string; readonly message?: string; readonly exitCode?: number }
      }
    }[]
  }
}

export interface AgentPod {
  readonly node: string
  readonly pod: string
  readonly uid: string
  readonly image: string
  readonly ready: boolean
  /** Why it is not ready; empty when it is. */
  readonly reason: string
}

export async function listAgentPods(server: ApiServer, signal?: AbortSignal): Promise<AgentPod[]> {
  const { items } = await listAll<AgentPodObject>(server, PODS, {
    namespace: AGENT_NAMESPACE,
    labelSelector: AGENT_SELECTOR,
    signal,
  })
  return items.map(agentPod).sort((a, b) => a.node.localeCompare(b.node))
}

export function agentPod(object: AgentPodObject): AgentPod {
  const container = object.status?.containerStatuses?.find((status) => status.name === AGENT_CONTAINER)
  const leaving = object.metadata?.deletionTimestamp !== undefined
  const ready = container?.ready === true && !leaving
  return {
    node: object.spec?.nodeName ?? targetNode(object),
    pod: object.metadata?.name ?? '',
    uid: object.metadata?.uid ?? '',
    image: container?.image ?? object.spec?.containers?.[0]?.image ?? '',
    ready,
    reason: ready ? '' : whyNotReady(object, leaving),
  }
}

/** A DaemonSet's pod names its node by affinity before it is scheduled. */
function targetNode(object: AgentPodObject): string {
  const spec = object.spec as { affinity?: { nodeAffinity?: unknown } } | undefined
  return /"metadata\.name"[^[]*"values":\["([^"]+)"/.exec(JSON.stringify(spec?.affinity ?? {}))?.[1] ?? ''
}

function whyNotReady(object: AgentPodObject, leaving: boolean): string {
  if (leaving) return 'it is being removed'
  const container = object.status?.containerStatuses?.find((status) => status.name === AGENT_CONTAINER)
  const { waiting, terminated } = container?.state ?? {}
  const unscheduled = object.status?.conditions?.find(
    (condition) => condition.type === 'PodScheduled' && condition.status === 'False',
  )
  if (unscheduled !== undefined) return sentence('not scheduled', unscheduled)
  if (waiting !== undefined) return sentence(waiting.reason ?? 'waiting', waiting)
  if (terminated !== undefined) return sentence(`ended with code ${terminated.exitCode ?? '?'}`, terminated)
  if (object.status?.phase === 'Failed') return sentence(object.status.reason ?? 'failed', object.status)
  return object.status?.phase === 'Running' ? 'it is starting' : (object.status?.phase ?? 'unknown')
}

function sentence(what: string, detail: { readonly message?: string }): string {
  return detail.message === undefined || detail.message === '' ? what : `${what}: ${detail.message}`
}

/** One client per agent pod, made on first use and kept. */
export class AgentPool {
  readonly #server: ApiServer
  readonly #onRetry: (node: string, error: unknown) => void
  readonly #clients = new Map<string, { readonly uid: string; readonly client: AgentClient }>()

  constructor(server: ApiServer, onRetry: (node: string, error: unknown) => void) {
    this.#server = server
    this.#onRetry = onRetry
  }

  list(signal?: AbortSignal): Promise<AgentPod[]> {
    return listAgentPods(this.#server, signal)
  }

  /** The client for a node. Throws "agent-absent" with the reason when no agent is ready there. */
  async forNode(node: string, signal?: AbortSignal): Promise<AgentClient> {
    const pods = await this.list(signal)
    const here = pods.filter((pod) => pod.node === node)
    const ready = here.find((pod) => pod.ready)
    if (ready !== undefined) return this.forPod(ready)
    const reason = here[0] === undefined ? 'none is deployed there' : `${quoted(here[0].pod)} is not ready: ${here[0].reason}`
    throw new PlumblineError('agent-absent', `No agent answers on node ${quoted(node)}: ${reason}`)
  }

  forPod(pod: AgentPod): AgentClient {
    const known = this.#clients.get(pod.node)
    if (known?.uid === pod.uid) return known.client
    known?.client.close()
    const target = { namespace: AGENT_NAMESPACE, pod: pod.pod, container: AGENT_CONTAINER, command: CONNECT }
    const client = new AgentClient(pod.node, {
      open: () => new PodStream(this.#server, target),
      onRetry: (error) => this.#onRetry(pod.node, error),
    })
    this.#clients.set(pod.node, { uid: pod.uid, client })
    return client
  }

  close(): void {
    for (const { client } of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}
