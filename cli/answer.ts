// SPDX-License-Identifier: Apache-2.0

import type { ClusterSession } from '../cluster/session.ts'
import { ciliumDatapaths } from '../core/ebpf/cilium/nodes.ts'
import type { Datapaths } from '../core/ebpf/datapath.ts'
import { type ClusterFacts, loadCluster } from '../core/facts/cluster.ts'
import type { TraceAnswer } from '../core/path/answer.ts'
import { involved } from '../core/path/involved.ts'
import { PlaceError } from '../core/path/place.ts'
import { datapathsOf, plannedDatapaths, trace } from '../core/path/trace.ts'
import { CliError, EXIT } from './errors.ts'
import { openManifests } from './files/manifests.ts'
import { openBundlePath } from './files/openBundle.ts'
import type { Io } from './io.ts'
import { collectFacts, withSession } from './live.ts'
import { answerLoose } from './loose.ts'
import { problemsOf, sayProblems } from './problems.ts'
import { proven } from './prove.ts'
import type { TraceRequest } from './question.ts'
import type { FactSource } from './sources.ts'

/** Gets the facts, and the answer from them. What is missing is said on the way. */
export async function answer(request: TraceRequest, source: FactSource, io: Io): Promise<TraceAnswer> {
  switch (source.kind) {
    case 'live':
      return withSession(source, io, (session) => answerLive(request, session, io))
    case 'bundle': {
      const { files, header } = openBundlePath(source.path)
      sayProblems(header?.problems.map(({ path, reason }) => `${path}: ${reason}`) ?? [], io)
      return answerFrom(loadCluster(files), request, io)
    }
    case 'objects':
      return answerFrom(loadCluster(openManifests(source.paths)), request, io)
    case 'rules':
      if (request.ebpfSource === 'cilium' || request.ebpfSource === 'plumbline')
        throw withoutMaps('the rules', request.ebpfSource)
      return answerLoose(request, source, io)
  }
}

async function answerLive(request: TraceRequest, session: ClusterSession, io: Io): Promise<TraceAnswer> {
  const { objects } = loadCluster((await session.collect({ nodes: [], signal: io.signal })).files)
  const { nodes, pods } = involved(objects, request.from, request.to)
  const { files } = await collectFacts(session, io, { ...(nodes.length === 0 ? {} : { nodes }), snapshot: { pods: [...pods] } })
  const facts = loadCluster(files)
  const predicted = answerFrom(facts, request, io)
  return request.prove ? proven(predicted, request, facts, session, io) : predicted
}

function answerFrom(facts: ClusterFacts, request: TraceRequest, io: Io): TraceAnswer {
  const datapaths = datapathsFor(facts, request)
  const { from, to, mark, ctState, iif, lane } = request
  try {
    return trace(facts, { from, to, mark, ctState, ...(iif === undefined ? {} : { iif }) }, { lanes: lane ?? 'both', datapaths })
  } catch (error) {
    if (error instanceof PlaceError) throw new CliError(EXIT.facts, `${facts.name}: ${error.message}`)
    throw error
  } finally {
    // Rules and routes are read when the packet meets them: only now it is known what could not be.
    sayProblems(problemsOf(facts), io)
  }
}

/** What was asked for, and nothing else in its place. */
function datapathsFor(facts: ClusterFacts, { ebpfSource }: TraceRequest): Datapaths {
  switch (ebpfSource) {
    case undefined:
      return datapathsOf(facts)
    case 'planned':
      return plannedDatapaths(facts)
    case 'cilium': {
      const found = ciliumDatapaths(facts)
      if (found === undefined) throw withoutMaps(facts.name, ebpfSource)
      return found
    }
    case 'plumbline':
      throw withoutMaps(facts.name, ebpfSource)
  }
}

const WHOSE = { cilium: 'of Cilium', plumbline: 'of Plumbline that can be read' } as const

function withoutMaps(what: string, source: keyof typeof WHOSE): CliError {
  const remedy = '`--ebpf-source planned` compiles the lane from the objects'
  return new CliError(EXIT.facts, `${what}: no eBPF maps ${WHOSE[source]}; ${remedy}`)
}
