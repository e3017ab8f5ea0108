// SPDX-License-Identifier: Apache-2.0

import { ciliumDatapaths } from '../ebpf/cilium/nodes.ts'
import { type Datapaths, everywhere } from '../ebpf/datapath.ts'
import { PlannedDatapath } from '../ebpf/planned.ts'
import type { ClusterFacts } from '../facts/cluster.ts'
import { type Address, formatAddress } from '../net/address.ts'
import type { CtState } from '../net/packet.ts'
import { TRACE_SCHEMA, type TraceAnswer, type TraceQuestion } from './answer.ts'
import { differenceOf } from './difference.ts'
import { ebpfLane } from './ebpfLane.ts'
import { netfilterLane } from './netfilterLane.ts'
import { type Place, PlaceError } from './place.ts'
import { familiesOf, protocolName, portOf, resolveSource, resolveTarget, type Source, type Target } from './resolve.ts'
import { realHooks } from './rules.ts'
import type { Resolved } from './start.ts'
import { World } from './world.ts'

/** A question as a person asks it; places by `parsePlace`. */
export interface Question {
  readonly from: Place
  readonly to: Place
  /** Default: new. */
  readonly ctState?: CtState
  /** Firewall mark the sender sets (SO_MARK), or a packet from outside has. Default: 0. */
  readonly mark?: number
  /** Device by which a packet from outside comes in. Default: the one its answers would leave by. */
  readonly iif?: string
}

export interface TraceOptions {
  /** Default: both. */
  readonly lanes?: 'netfilter' | 'ebpf' | 'both'
  /** What fills the eBPF lane. Default: `datapathsOf` the facts. */
  readonly datapaths?: Datapaths
}

/**
 * Where a packet goes, in the netfilter lane of the nodes' real rules and in the eBPF lane.
 *
 * Throws PlaceError when a place does not exist, or when no snapshot covers where the packet starts.
 */
export function trace(facts: ClusterFacts, question: Question, options: TraceOptions = {}): TraceAnswer {
  const resolved = resolve(facts, question)
  const world = new World(facts, realHooks)
  const wanted = options.lanes ?? 'both'
  const datapaths = options.datapaths ?? datapathsOf(facts)
  // Without any snapshot there are no rules to ask, and objects alone still answer for the eBPF lane.
  const netfilter =
    wanted === 'ebpf' || (wanted === 'both' && facts.nodes.size === 0) ? undefined : netfilterLane(world, resolved)
  const ebpf = wanted === 'netfilter' ? undefined : ebpfLane(world, datapaths, resolved)
  return {
    schema: TRACE_SCHEMA,
    question: questionOf(question, resolved),
    lanes: [netfilter, ebpf].flatMap((result) => result?.lane ?? []),
    difference: netfilter === undefined || ebpf === undefined ? null : differenceOf(netfilter, ebpf),
    proof: null,
  }
}

/** Cilium's datapaths where nodes have its maps, else one planned from the cluster's objects. */
export function datapathsOf(facts: ClusterFacts): Datapaths {
  return ciliumDatapaths(facts) ?? plannedDatapaths(facts)
}

export function plannedDatapaths({ objects }: ClusterFacts): Datapaths {
  return everywhere('planned', new PlannedDatapath(objects))
}

/** Looks up the names of a question. Throws PlaceError. */
export function resolve(facts: ClusterFacts, question: Question): Resolved {
  const source = resolveSource(facts, question.from)
  const target = resolveTarget(facts, question.to, familiesOf(facts, source))
  return {
    source,
    target,
    sourceAddress: addressOf(facts, source, target, question.to),
    sourcePort: portOf(question.from),
    ctState: question.ctState ?? 'new',
    mark: question.mark ?? 0,
    iif: question.iif,
  }
}

function addressOf(facts: ClusterFacts, source: Source, target: Target, to: Place): Address {
  const { family } = target.address
  const own =
    source.kind === 'address'
      ? [source.address]
      : source.kind === 'pod'
        ? source.pod.podIPs
        : [
            ...(facts.objects.nodes.get(source.node)?.internalIPs ?? []),
            ...(facts.nodes.get(source.node)?.host?.addresses ?? []).map((entry) => entry.address),
          ]
  const found = own.find((address) => address.family === family)
  if (found !== undefined) return found
  throw new PlaceError(
    `\`${to.text}\` is an IPv${family} destination (${formatAddress(target.address)}), and the source has no IPv${family} address`,
  )
}

function questionOf(question: Question, { sourceAddress, sourcePort, target, ctState, mark }: Resolved): TraceQuestion {
  return {
    from: question.from.text,
    to: question.to.text,
    source: { ip: formatAddress(sourceAddress), port: sourcePort ?? null },
    destination: { ip: formatAddress(target.address), port: target.port ?? null },
    protocol: protocolName(target.protocol),
    ctState,
    mark,
  }
}
