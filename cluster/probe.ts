// SPDX-License-Identifier: Apache-2.0

/** Sends the packet of a question for real, through the agent of the node it starts on. */

import { isIPv6 } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { printable } from '../core/text/printable.ts'
import type { Endpoint, ProofAttempt, TraceQuestion } from '../core/path/answer.ts'
import type { ObservedAttempt } from '../core/path/proof.ts'
import {
  type ConntrackEntry,
  type Endpoint as WireEndpoint,
  type ProbeAttempt,
  ProbeAttempt_Result,
  type ProbeRequest,
  ProbeRequestSchema,
} from '../gen/agent_pb.js'
import type { AgentPool } from './agents.ts'
import { PlumblineError, quoted } from './errors.ts'

/** Where a probe starts: a pod on its node, or a node itself. */
export interface ProbeStart {
  readonly node: string
  readonly pod: { readonly namespace: string; readonly name: string } | undefined
}

export interface ProbeOptions {
  /** Connections to make, so that several backends show. */
  readonly count: number
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (done: number, of: number) => void
}

const BATCH = 5
/** Long enough for a first SYN, its retransmission after one second, and an answer. */
export const PROBE_DEFAULTS: ProbeOptions = { count: 10, timeoutMs: 2_000 }

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 }

export async function probe(
  agents: AgentPool,
  start: ProbeStart,
  question: TraceQuestion,
  options: ProbeOptions = PROBE_DEFAULTS,
): Promise<ObservedAttempt[]> {
  const agent = await agents.forNode(start.node, options.signal)
  const attempts: ObservedAttempt[] = []
  while (attempts.length < options.count) {
    const count = Math.min(BATCH, options.count - attempts.length)
    const { attempts: made } = await agent.probe(probeRequest(start, question, count, options.timeoutMs), options.signal)
    if (made.length === 0) throw new PlumblineError('agent', `The agent on ${quoted(start.node)} reported no attempt`)
    attempts.push(...made.map(observed))
    options.onProgress?.(attempts.length, options.count)
    // A failing destination fails again; waiting for more time-outs tells nothing new.
    if (made.every((attempt) => attempt.result !== ProbeAttempt_Result.CONNECTED)) break
  }
  return attempts
}

export function probeRequest(start: ProbeStart, question: TraceQuestion, count: number, timeoutMs: number): ProbeRequest {
  return create(ProbeRequestSchema, {
    ...(start.pod && { pod: { namespace: start.pod.namespace, name: start.pod.name } }),
    destinationAddress: question.destination.ip,
    destinationPort: question.destination.port ?? 0,
    protocol: protocolNumber(question),
    timeoutMilliseconds: timeoutMs,
    sourcePort: question.source.port ?? 0,
    count,
  })
}

function protocolNumber({ protocol, destination }: TraceQuestion): number {
  const name = protocol.toUpperCase()
  if (name === 'ICMP' || name === 'ICMPV6') return isIPv6(destination.ip) ? 58 : 1
  const known = PROTOCOL_NUMBERS[name] ?? Number(protocol)
  if (!Number.isInteger(known)) throw new PlumblineError('agent', `A probe can't be sent with protocol ${quoted(protocol)}`)
  return known
}

const RESULTS: Readonly<Record<ProbeAttempt_Result, ProofAttempt['result']>> = {
  [ProbeAttempt_Result.UNSPECIFIED]: 'error',
  [ProbeAttempt_Result.CONNECTED]: 'connected',
  [ProbeAttempt_Result.REFUSED]: 'refused',
  [ProbeAttempt_Result.UNREACHABLE]: 'unreachable',
  [ProbeAttempt_Result.TIMEOUT]: 'timeout',
  [ProbeAttempt_Result.ERROR]: 'error',
}

export function observed(attempt: ProbeAttempt): ObservedAttempt {
  const entry = decisiveEntry(attempt)
  return {
    result: RESULTS[attempt.result] ?? 'error',
    detail: printable(attempt.detail),
    destination: endpoint(entry?.replySource),
    source: endpoint(entry?.replyDestination),
    milliseconds: Number(attempt.durationNanoseconds) / 1e6,
  }
}

/** The node's own entry tells what happened last; a pod's namespace sees the packet before the node translates it. */
function decisiveEntry({ conntrack, remote }: ProbeAttempt): ConntrackEntry | undefined {
  const ours = conntrack.filter((entry) => remote === undefined || sameEndpoint(entry.originalDestination, remote))
  return ours.find((entry) => entry.netns === 'host') ?? ours[0]
}

function sameEndpoint(a: WireEndpoint | undefined, b: WireEndpoint): boolean {
  return a?.address === b.address && a.port === b.port
}

function endpoint(wire: WireEndpoint | undefined): Endpoint | null {
  if (wire === undefined || wire.address === '') return null
  return { ip: wire.address, port: wire.port === 0 ? null : wire.port }
}
