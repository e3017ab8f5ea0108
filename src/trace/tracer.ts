// SPDX-License-Identifier: Apache-2.0

/** Asks questions of facts, and sends the packet for real. The engine is loaded with the first question. */

import * as vscode from 'vscode'
import { PlumblineError } from '../../cluster/errors.ts'
import type { ProbeStart } from '../../cluster/probe.ts'
import type { ClusterObjects } from '../../core/facts/objectsIndex.ts'
import type { Proof, TraceAnswer } from '../../core/path/answer.ts'
import { objectKey } from '../../core/facts/objects.ts'
import type { FactSource, Facts, FactsOptions } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import { readSetting } from '../typed.ts'
import { type AskedTrace, parseTrace } from './question.ts'

export interface Traced {
  readonly answer: TraceAnswer
  readonly facts: Facts
}

/** Collects the facts the question needs, no older than the setting allows, and answers it. */
export async function ask(source: FactSource, asked: AskedTrace, options: FactsOptions = {}): Promise<Traced> {
  const { trace } = await import('../../core/path/trace.ts')
  const { involved } = await import('../../core/path/involved.ts')
  const parsed = parseTrace(asked)
  const maxAge = options.maxAge ?? readSetting('plumbline.trace.factsMaxAge') * 1000
  const known = await source.facts({ ...options, maxAge })
  const { nodes } = involved(known.cluster.objects, parsed.from, parsed.to)
  const facts = source.kind === 'context' ? await source.facts({ ...options, maxAge, nodes: withAgent(source, nodes) }) : known
  return { answer: trace(facts.cluster, parsed), facts }
}

/** Nodes without an agent have no snapshot to wait for; the answer says what is missing there. */
function withAgent(source: FactSource, nodes: readonly string[]): readonly string[] {
  if (!(source instanceof LiveSource)) return []
  return nodes.filter((node) => source.agents.some((agent) => agent.node === node && agent.ready))
}

/** Why a question can't be proved, or undefined. */
export function whyNoProof(source: FactSource, facts: Facts, asked: AskedTrace): string | undefined {
  if (!(source instanceof LiveSource)) return vscode.l10n.t('A bundle can’t send packets; connect to the cluster to prove it.')
  const start = probeStart(facts.cluster.objects, asked)
  if (start === undefined) return vscode.l10n.t('Only pods and nodes of the cluster can send a packet; this starts elsewhere.')
  if (source.agents.some((agent) => agent.node === start.node && agent.ready)) return undefined
  return vscode.l10n.t('No agent answers on node {0}, where the packet starts.', start.node)
}

export interface ProveOptions {
  readonly signal: AbortSignal
  readonly onProgress: (done: number, of: number) => void
}

/** Sends real packets from where the question starts, and compares what happened with the answer. */
export async function prove(
  source: FactSource,
  { answer, facts }: Traced,
  asked: AskedTrace,
  options: ProveOptions,
): Promise<Proof> {
  const reason = whyNoProof(source, facts, asked)
  const start = probeStart(facts.cluster.objects, asked)
  if (reason !== undefined || start === undefined || !(source instanceof LiveSource))
    throw new PlumblineError('agent-absent', reason ?? '')
  const session = await source.connect({ signal: options.signal })
  const { probe } = await import('../../cluster/probe.ts')
  const { compareProof } = await import('../../core/path/proof.ts')
  const count = readSetting('plumbline.trace.proofConnections')
  const at = new Date().toISOString()
  const attempts = await probe(session.agents, start, answer.question, { count, timeoutMs: 2_000, ...options })
  return compareProof(answer, attempts, at)
}

function probeStart(objects: ClusterObjects, asked: AskedTrace): ProbeStart | undefined {
  const { from } = parseTrace(asked)
  if (from.kind === 'host') return { node: from.node, pod: undefined }
  const pod =
    from.kind === 'pod' ? objects.pods.get(objectKey(from)) : from.kind === 'address' ? objects.podAt(from.address) : undefined
  if (pod?.nodeName !== undefined) {
    return { node: pod.nodeName, pod: pod.hostNetwork ? undefined : { namespace: pod.meta.namespace, name: pod.meta.name } }
  }
  const node = from.kind === 'address' ? objects.nodeAt(from.address) : undefined
  return node && { node: node.meta.name, pod: undefined }
}
