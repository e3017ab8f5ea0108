// SPDX-License-Identifier: Apache-2.0

import type { FlowsOptions, FlowStream } from '../../cluster/hubble/flowsEvent.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import type { Command } from '../command.ts'
import { EXIT, UsageError } from '../errors.ts'
import { printBundle, printFile } from '../flows/files.ts'
import { printStream } from '../flows/live.ts'
import { FILTER_OPTIONS, OUTPUT_OPTIONS, SELECTION_OPTIONS, SERVER_OPTIONS } from '../flows/options.ts'
import { type OutputFormat, printerFor } from '../flows/printer.ts'
import { queryOf, requestOf } from '../flows/query.ts'
import { flowSource, tlsOf } from '../flows/source.ts'
import type { Io } from '../io.ts'
import { withSession } from '../live.ts'
import type { Options } from '../options.ts'
import { CLUSTER_OPTIONS, FILE_OPTIONS } from '../sources.ts'

export const flowsCommand: Command = {
  name: 'flows',
  summary: "Show what Cilium's Hubble saw: of a live cluster, a Hubble server, or a recording",
  usage: [
    '[--context NAME] [--follow] [--last N] [FILTERS]',
    '--server ADDRESS [--follow] [--last N] [FILTERS]',
    '--input-file FILE|- | --bundle PATH [FILTERS]',
  ],
  description:
    'Options have the names and meanings of `hubble observe`. Where the output is no terminal, it is JSON lines as the hubble client ' +
    'prints them. A stream that breaks is taken up where it was; flows that are lost are told on standard error.',
  groups: [
    SELECTION_OPTIONS,
    FILTER_OPTIONS,
    CLUSTER_OPTIONS,
    SERVER_OPTIONS,
    {
      title: 'Recorded flows',
      options: [
        {
          name: 'input-file',
          takes: 'value',
          placeholder: 'FILE',
          help: 'JSON lines of `hubble observe -o json` or of Hubble’s exporter; "-" is standard input',
        },
        ...FILE_OPTIONS.options.filter(({ name }) => name === 'bundle'),
      ],
    },
    OUTPUT_OPTIONS,
  ],
  examples: [
    'plumbline flows --context prod-eu --follow --verdict DROPPED',
    'plumbline flows --pod shop/client --since 5m -o compact',
    'plumbline flows --server localhost:4245 --last 1000 --json',
    'plumbline flows --bundle sysdump.zip --to-port 443 --not --protocol udp',
  ],
  async run(options, io) {
    if (options.positionals[0] !== undefined) throw new UsageError(`unexpected \`${options.positionals[0]}\``)
    const source = flowSource(options)
    const format = formatOf(options, io)
    const query = queryOf(options, source.kind === 'file' || source.kind === 'bundle')
    const print = printerFor(format)
    if (source.kind === 'file') return printFile(source.path, query, print, io)
    if (source.kind === 'bundle') return printBundle(source.path, query, print, io)
    const asked = { request: requestOf(query), tls: tlsOf(options), signal: io.signal }
    if (source.kind === 'server') {
      return answer(undefined, { ...asked, way: { kind: 'address', address: source.address } }, format, io)
    }
    return withSession(source.cluster, io, (session) => answer(session, { ...asked, way: source.way }, format, io))
  },
}

function formatOf(options: Options, io: Io): OutputFormat {
  const named = options.flag('json') ? 'json' : options.value('output')
  if (named === 'jsonpb') return 'json'
  if (named !== undefined) return named as OutputFormat
  if (!io.terminal) return 'json'
  return options.flag('follow') ? 'compact' : 'table'
}

async function answer(session: ClusterSession | undefined, asked: FlowsOptions, format: OutputFormat, io: Io): Promise<number> {
  const { openFlows } = await import('../../cluster/hubble/flows.ts')
  const stream: FlowStream = await openFlows(session, asked)
  io.say(`Asking the ${stream.description}`)
  const wholeTable = format === 'table' && !asked.request.follow
  const count = await printStream(stream, printerFor(format), wholeTable ? 'at the end' : 'at once', io)
  io.say(`${count} ${count === 1 ? 'flow' : 'flows'}`)
  return EXIT.answered
}
