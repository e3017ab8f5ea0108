// SPDX-License-Identifier: Apache-2.0

import type { Collected, CollectOptions } from '../cluster/collect.ts'
import type { ClusterSession } from '../cluster/session.ts'
import type { Io } from './io.ts'
import type { FactSource } from './sources.ts'

export type LiveSource = Extract<FactSource, { kind: 'live' }>

/**
 * Connects to a cluster, lets `use` work with it, and closes the connection whatever happens. The libraries for that are
 * loaded here and nowhere earlier: commands that read files stay quick.
 */
export async function withSession<T>(source: LiveSource, io: Io, use: (session: ClusterSession) => Promise<T>): Promise<T> {
  const { findContext, kubeconfigSources } = await import('../cluster/kubeconfig.ts')
  const { ClusterSession } = await import('../cluster/session.ts')
  const { messageOf } = await import('../cluster/errors.ts')
  const context = await findContext(kubeconfigSources(source.kubeconfig), source.context)
  io.say(`Connecting to ${context.name} (${context.server})`)
  const onRetry = (node: string, error: unknown) =>
    io.say(`Connection to the agent on ${node} was lost (${messageOf(error)}); trying again`)
  const session = await ClusterSession.open(context, { onRetry }, io.signal)
  try {
    return await use(session)
  } finally {
    session.close()
  }
}

/** Collects facts, and says on the way what it does and what is missing. */
export async function collectFacts(session: ClusterSession, io: Io, options: CollectOptions = {}): Promise<Collected> {
  const collected = await session.collect({
    ...options,
    signal: io.signal,
    onProgress: ({ text, done, of }) => io.say(`Collected ${text} (${done} of ${of})`),
  })
  for (const { path, reason } of collected.problems) io.say(`Incomplete: ${path}: ${reason}`)
  if (collected.missing.length > 0) {
    const { rbacSnippet } = await import('../cluster/rbac.ts')
    io.say(`These rights would make it complete:\n${rbacSnippet(collected.missing, session.context.user)}`)
  }
  return collected
}
