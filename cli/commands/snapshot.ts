// SPDX-License-Identifier: Apache-2.0

import type { Collected } from '../../cluster/collect.ts'
import { BUNDLE_HEADER, BUNDLE_SCHEMA, type BundleFile, openBundle } from '../../core/facts/bundle.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import type { ProblemFact } from '../../core/facts/node.ts'
import { printableLines } from '../../core/text/printable.ts'
import { type Command, JSON_OPTION } from '../command.ts'
import { CliError, EXIT, UsageError } from '../errors.ts'
import { openManifests } from '../files/manifests.ts'
import { openBundlePath } from '../files/openBundle.ts'
import { checkBundleTarget, writeBundle } from '../files/writeBundle.ts'
import type { Io } from '../io.ts'
import { collectFacts, withSession } from '../live.ts'
import { jsonText } from '../output.ts'
import { CLUSTER_OPTIONS, FILE_OPTIONS, type FactSource, factSource } from '../sources.ts'
import { VERSION } from '../version.ts'

const SNAPSHOT_SCHEMA = 'plumbline.snapshot/v1'

export const snapshotCommand: Command = {
  name: 'snapshot',
  summary: 'Collect the facts of a cluster in a bundle',
  usage: ['--context NAME -o BUNDLE', '--bundle SYSDUMP -o BUNDLE', '--objects PATH… -o BUNDLE'],
  description:
    'Collects cluster objects, and a snapshot of every node that has the agent, in a bundle: a folder, or a zip if its name ' +
    'ends so. It holds addresses, names, rules and policies of the cluster; secrets and config maps are never read. From a ' +
    'Cilium sysdump or from loose objects it makes a bundle of what they hold.',
  groups: [
    CLUSTER_OPTIONS,
    FILE_OPTIONS,
    {
      title: 'Collecting',
      options: [
        {
          name: 'output',
          short: 'o',
          takes: 'value',
          placeholder: 'BUNDLE',
          help: 'Folder or .zip to write; only a bundle is replaced',
        },
        { name: 'node', takes: 'values', placeholder: 'NAME', help: 'Only these nodes; live clusters only' },
        JSON_OPTION,
      ],
    },
  ],
  examples: [
    'plumbline snapshot --context prod-eu -o incident.zip',
    'plumbline snapshot --bundle cilium-sysdump-20260102-030405.zip -o sysdump-bundle',
  ],
  async run(options, io) {
    if (options.positionals[0] !== undefined) throw new UsageError(`unexpected \`${options.positionals[0]}\``)
    const output = options.required('output')
    const source = factSource(options)
    const nodes = options.values('node')
    if (nodes.length > 0 && source.kind !== 'live') throw new UsageError('`--node` works with a live cluster only')
    checkBundleTarget(output)
    const bundle = await gather(source, nodes, io)
    if (bundle.files.list().every((path) => path === BUNDLE_HEADER))
      throw new CliError(EXIT.facts, 'nothing could be collected; no bundle was written')
    writeBundle(bundle.files, output)
    await io.out(options.flag('json') ? jsonText(summary(output, bundle)) : summaryText(output, bundle))
    return EXIT.answered
  },
}

interface Gathered {
  readonly files: FactFiles
  readonly problems: readonly ProblemFact[]
}

async function gather(source: FactSource, nodes: readonly string[], io: Io): Promise<Gathered> {
  switch (source.kind) {
    case 'live':
      return withSession(source, io, async (session) =>
        stamped(await collectFacts(session, io, nodes.length === 0 ? {} : { nodes })),
      )
    case 'bundle': {
      const { files, header } = openBundlePath(source.path)
      return header === undefined ? headed(files) : { files, problems: header.problems }
    }
    case 'objects':
      return headed(openManifests(source.paths))
    case 'rules':
      throw new UsageError('a bundle is made of a cluster, a bundle or objects, not of loose rules')
  }
}

/** Facts that were imported get the header a bundle needs. */
function headed(files: FactFiles): Gathered {
  const header: BundleFile = { schema: BUNDLE_SCHEMA, createdAt: new Date().toISOString(), source: files.name, problems: [] }
  return withHeader(files, header)
}

/** What was collected live says which Plumbline wrote it. */
function stamped({ files }: Collected): Gathered {
  return withHeader(files, openBundle(files).header)
}

function withHeader(files: FactFiles, header: BundleFile): Gathered {
  const contents = new Map<string, Uint8Array>()
  for (const path of files.list()) contents.set(path, files.read(path) ?? new Uint8Array())
  contents.set(BUNDLE_HEADER, new TextEncoder().encode(jsonText({ ...header, plumblineVersion: VERSION })))
  return { files: memoryFiles(files.name, contents), problems: header.problems }
}

function summary(bundle: string, { files, problems }: Gathered) {
  return { schema: SNAPSHOT_SCHEMA, bundle, files: files.list().length, nodes: nodesOf(files), problems }
}

function summaryText(bundle: string, gathered: Gathered): string {
  const { files, nodes, problems } = summary(bundle, gathered)
  const incomplete =
    problems.length === 0 ? '' : `; ${problems.length} ${problems.length === 1 ? 'part is' : 'parts are'} missing`
  const snapshots = nodes.length === 0 ? 'no node snapshots' : `snapshots of ${nodes.join(', ')}`
  return printableLines(`${bundle}: ${files} files, ${snapshots}${incomplete}\n`)
}

function nodesOf(files: FactFiles): readonly string[] {
  const nodes = files.list().flatMap((path) => /^nodes\/([^/]+)\/node\.json$/.exec(path)?.[1] ?? [])
  return [...new Set(nodes)]
}
