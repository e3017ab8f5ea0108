// SPDX-License-Identifier: Apache-2.0

/** The Hubble of each node, through the tunnel of Plumbline's agent there. */

import { AGENT_CONTAINER, AGENT_NAMESPACE, type AgentPod } from '../agents.ts'
import { PlumblineError, quoted } from '../errors.ts'
import { CommandError, type ExecTarget, PodStream } from '../podStream.ts'
import type { ClusterSession } from '../session.ts'
import type { HubbleServer } from './server.ts'

const CONNECT = ['/plumbline-agent', 'connect', '--hubble']

/** One server a node; `nodes` undefined: all with an agent. Throws "agent-absent" when there is none, or not on a node that is named. */
export async function nodeServers(
  session: ClusterSession,
  nodes: readonly string[] | undefined,
  signal?: AbortSignal,
): Promise<readonly HubbleServer[]> {
  const ready = (await session.agents.list(signal)).filter((pod) => pod.ready)
  const missing = nodes?.find((node) => !ready.some((pod) => pod.node === node))
  if (missing !== undefined) throw new PlumblineError('agent-absent', `No agent answers on node ${quoted(missing)}`)
  const chosen = nodes === undefined ? ready : ready.filter(({ node }) => nodes.includes(node))
  if (chosen.length === 0) throw new PlumblineError('agent-absent', 'No node has an agent that answers')
  return chosen.map(({ node }) => nodeServer(session, node))
}

function nodeServer(session: ClusterSession, node: string): HubbleServer {
  return {
    name: `Hubble on ${quoted(node)}`,
    node,
    open: () => new PodStream(session.server, () => target(session, node)),
    host: 'localhost',
    tls: false,
    explain: (error) => explain(node, error),
  }
}

/** Exit codes of `plumbline-agent connect --hubble`. */
const WRONG_USAGE = 2
const NO_HUBBLE = 3

function explain(node: string, error: unknown): PlumblineError | undefined {
  if (!(error instanceof CommandError)) return undefined
  if (error.exitCode === WRONG_USAGE) {
    return new PlumblineError(
      'agent-version',
      `The agent on ${quoted(node)} is too old to reach Hubble: install it anew with \`plumbline agent install\``,
      error,
    )
  }
  if (error.exitCode !== NO_HUBBLE) return undefined
  const reason = /no Hubble on this node: (.+)$/.exec(error.message)?.[1]
  return new PlumblineError(
    'hubble-absent',
    `Node ${quoted(node)} has no Hubble${reason === undefined ? '' : `: ${reason}`}`,
    error,
  )
}

async function target(session: ClusterSession, node: string): Promise<ExecTarget> {
  const pod: AgentPod | undefined = (await session.agents.list()).find((each) => each.node === node && each.ready)
  if (pod === undefined) throw new PlumblineError('agent-absent', `No agent answers on node ${quoted(node)}`)
  return { namespace: AGENT_NAMESPACE, pod: pod.pod, container: AGENT_CONTAINER, command: CONNECT }
}
