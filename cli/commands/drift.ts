// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterSession } from '../../cluster/session.ts'
import { type ClusterFacts, loadCluster } from '../../core/facts/cluster.ts'
import { driftOf } from '../../core/services/drift.ts'
import { formatDrift } from '../../core/services/drift/format.ts'
import {
  DRIFT_SEVERITIES,
  type DriftReport,
  type DriftSeverity,
  findingKey,
  type NodeDrift,
} from '../../core/services/drift/report.ts'
import { coloured } from '../colour.ts'
import { type Command, JSON_OPTION } from '../command.ts'
import { CliError, EXIT, UsageError } from '../errors.ts'
import { openBundlePath } from '../files/openBundle.ts'
import type { Io } from '../io.ts'
import { collectFacts, withSession } from '../live.ts'
import type { Options } from '../options.ts'
import { jsonText } from '../output.ts'
import { problemsOf, sayProblems } from '../problems.ts'
import { CLUSTER_OPTIONS, FILE_OPTIONS, factSource } from '../sources.ts'

/** A change takes its time from the API server to every node's datapath: what is drift is still there then. */
const SECOND_LOOK_MS = 3_000

export const driftCommand: Command = {
  name: 'drift',
  summary: "Compare each node's datapath with what the API objects ask for",
  usage: ['[NODE…] --context NAME [--fail-on SEVERITY]', '[NODE…] --bundle PATH [--fail-on SEVERITY]'],
  description:
    "Looks for every Service, endpoint, host port, pod and node in the datapath of each node: in Cilium's maps, or by following " +
    "kube-proxy's rules. Says what is missing, extra or different, with the object and the entry, and lists what was not compared. " +
    'A live cluster is looked at twice, and only what stays is told.',
  groups: [
    CLUSTER_OPTIONS,
    { title: FILE_OPTIONS.title, options: FILE_OPTIONS.options.filter(({ name }) => name === 'bundle') },
    {
      title: 'Output',
      options: [
        {
          name: 'fail-on',
          takes: 'value',
          choices: DRIFT_SEVERITIES,
          help: 'End with exit code 1 when there is a finding of this severity or a worse one',
        },
        JSON_OPTION,
        { name: 'verbose', short: 'v', takes: 'flag', help: 'Show the evidence, and why something was not compared' },
      ],
    },
  ],
  examples: [
    'plumbline drift --context prod-eu',
    'plumbline drift worker-3 --context prod-eu --verbose',
    'plumbline drift --bundle incident.zip --fail-on error --json',
  ],
  async run(options, io) {
    const nodes = options.positionals
    const report = await look(options, nodes, io)
    const unknown = nodes.find((name) => !report.nodes.some(({ node }) => node === name))
    if (unknown !== undefined) throw new CliError(EXIT.facts, `the facts hold no snapshot of node ${unknown}`)
    if (options.flag('json')) await io.out(jsonText(report))
    else {
      const text = formatDrift(report, options.flag('verbose'))
      await io.out(io.colour ? coloured(text) : text)
    }
    return fails(report, options.value('fail-on')) ? EXIT.findings : EXIT.answered
  },
}

async function look(options: Options, nodes: readonly string[], io: Io): Promise<DriftReport> {
  const source = factSource(options)
  switch (source.kind) {
    case 'bundle': {
      const { files, header } = openBundlePath(source.path)
      sayProblems(header?.problems.map(({ path, reason }) => `${path}: ${reason}`) ?? [], io)
      return only(reportOf(loadCluster(files), io), nodes)
    }
    case 'live':
      return withSession(source, io, (session) => lookTwice(session, nodes, io))
    default:
      throw new UsageError('drift needs nodes: a live cluster (`--context`) or a bundle (`--bundle`)')
  }
}

async function lookTwice(session: ClusterSession, nodes: readonly string[], io: Io): Promise<DriftReport> {
  const first = await lookOnce(session, nodes, io)
  const suspects = first.nodes.filter(({ findings }) => findings.length > 0).map(({ node }) => node)
  if (suspects.length === 0) return first
  io.say(`Looking again in ${SECOND_LOOK_MS / 1_000} s at ${suspects.join(', ')}: changes take their time`)
  await sleep(SECOND_LOOK_MS, undefined, { signal: io.signal })
  const second = await lookOnce(session, suspects, io)
  const before = new Set(first.nodes.flatMap(({ node, findings }) => findings.map((finding) => findingKey(node, finding))))
  const lasting = (drift: NodeDrift): NodeDrift => ({
    ...drift,
    findings: drift.findings.filter((finding) => before.has(findingKey(drift.node, finding))),
  })
  const again = new Map(second.nodes.map((drift) => [drift.node, lasting(drift)]))
  return { ...first, nodes: first.nodes.map((drift) => again.get(drift.node) ?? drift) }
}

async function lookOnce(session: ClusterSession, nodes: readonly string[], io: Io): Promise<DriftReport> {
  const { files } = await collectFacts(session, io, nodes.length === 0 ? {} : { nodes })
  return only(reportOf(loadCluster(files), io), nodes)
}

function reportOf(facts: ClusterFacts, io: Io): DriftReport {
  const report = driftOf(facts)
  // Maps and rules are read when they are compared: only now it is known what could not be.
  sayProblems(problemsOf(facts), io)
  return report
}

function only(report: DriftReport, nodes: readonly string[]): DriftReport {
  return nodes.length === 0 ? report : { ...report, nodes: report.nodes.filter(({ node }) => nodes.includes(node)) }
}

function fails({ nodes }: DriftReport, threshold: string | undefined): boolean {
  const worst = DRIFT_SEVERITIES.indexOf(threshold as DriftSeverity)
  return nodes.some(({ findings }) => findings.some(({ severity }) => DRIFT_SEVERITIES.indexOf(severity) <= worst))
}
