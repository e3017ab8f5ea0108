// SPDX-License-Identifier: Apache-2.0

import type { ProbeStart } from '../cluster/probe.ts'
import type { ClusterSession } from '../cluster/session.ts'
import type { ClusterFacts } from '../core/facts/cluster.ts'
import type { TraceAnswer } from '../core/path/answer.ts'
import { compareProof } from '../core/path/proof.ts'
import { resolveSource } from '../core/path/resolve.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'
import type { TraceRequest } from './question.ts'

/** Sends real packets from where the question starts, and puts beside the answer what they met. */
export async function proven(
  answer: TraceAnswer,
  request: TraceRequest,
  facts: ClusterFacts,
  session: ClusterSession,
  io: Io,
): Promise<TraceAnswer> {
  const { PROBE_DEFAULTS, probe } = await import('../cluster/probe.ts')
  const at = new Date().toISOString()
  const attempts = await probe(session.agents, probeStart(request, facts), answer.question, {
    ...PROBE_DEFAULTS,
    signal: io.signal,
    onProgress: (done, of) => io.say(`Sent ${done} of ${of} packets`),
  })
  return { ...answer, proof: compareProof(answer, attempts, at) }
}

function probeStart({ from }: TraceRequest, facts: ClusterFacts): ProbeStart {
  const source = resolveSource(facts, from)
  if (source.kind === 'address')
    throw new UsageError(`\`--prove\`: only pods and nodes of the cluster can send a packet, and \`${from.text}\` is neither`)
  if (source.kind === 'host') return { node: source.node, pod: undefined }
  const { namespace, name } = source.pod.meta
  return { node: source.node, pod: { namespace, name } }
}
