// SPDX-License-Identifier: Apache-2.0

/** `plumbline maps --find`: everything the facts hold about an address or an identity. */

import { type FindAnswer, findEverything } from '../core/find/find.ts'
import { FIND_GROUP_TITLES, FIND_GROUPS, type Found } from '../core/find/found.ts'
import { FindError, parseWanted, type Wanted, wantedText } from '../core/find/wanted.ts'
import { type ClusterFacts, loadCluster } from '../core/facts/cluster.ts'
import type { FactFiles } from '../core/facts/files.ts'
import type { Evidence } from '../core/path/answer.ts'
import { printable } from '../core/text/printable.ts'
import { EXIT, UsageError } from './errors.ts'
import { openBundlePath } from './files/openBundle.ts'
import type { Io } from './io.ts'
import { collectFacts, withSession } from './live.ts'
import type { Options } from './options.ts'
import { jsonText } from './output.ts'
import { factSource } from './sources.ts'

const FIND_SCHEMA = 'plumbline.find/v1'

export async function findCommand(options: Options, io: Io): Promise<number> {
  const query = options.value('find') ?? ''
  const useless = options.given(['filter', 'watch', 'limit']).map((name) => `--${name}`)[0] ?? options.positionals[0]
  if (useless !== undefined) throw new UsageError(`\`${useless}\` can't be used with \`--find\``)
  const source = factSource(options)
  switch (source.kind) {
    case 'bundle':
      return find(openBundlePath(source.path).files, query, options.flag('json'), io)
    case 'live':
      return withSession(source, io, async (session) =>
        find((await collectFacts(session, io, {})).files, query, options.flag('json'), io),
      )
    default:
      throw new UsageError('`--find` looks in a live cluster (`--context`) or a bundle (`--bundle`)')
  }
}

async function find(files: FactFiles, query: string, json: boolean, io: Io): Promise<number> {
  const cluster = loadCluster(files)
  const wanted = wantedIn(query, cluster)
  const answer = await findEverything(cluster, files, wanted)
  for (const gap of answer.gaps) io.say(`Incomplete: ${gap}`)
  if (answer.truncated) io.say('Incomplete: there is more than is kept; ask about something more particular')
  await io.out(json ? jsonText(findDocument(query, wanted, answer)) : findText(answer))
  const left = answer.everything === 0 ? '' : `; ${answer.everything} for any address at all are left out`
  io.say(`${answer.found.length} places mention ${wantedText(wanted)}${left}`)
  return EXIT.answered
}

function wantedIn(query: string, cluster: ClusterFacts): Wanted {
  try {
    return parseWanted(query, cluster.objects)
  } catch (error) {
    if (error instanceof FindError) throw new UsageError(`\`--find\`: ${error.message}`)
    throw error
  }
}

function findDocument(query: string, wanted: Wanted, { found, everything, truncated, nodes, gaps }: FindAnswer) {
  return {
    schema: FIND_SCHEMA,
    query,
    wanted: wantedText(wanted),
    nodes,
    /** `within`: the length of the network the address is in; null for the address itself. */
    found: found.map(({ within, ...rest }) => ({ ...rest, within: within ?? null })),
    everything,
    truncated,
    gaps,
  }
}

function findText({ found }: FindAnswer): string {
  return FIND_GROUPS.flatMap((group) => {
    const rows = found.filter((each) => each.group === group)
    return rows.length === 0 ? [] : [FIND_GROUP_TITLES[group], ...rows.map((row) => `  ${line(row)}`), '']
  })
    .map((text) => `${printable(text)}\n`)
    .join('')
}

function line({ node, place, text, within, evidence }: Found): string {
  const where = [...(node === '' ? [] : [node]), place].join(' · ')
  return `${where}${within === undefined ? '' : ` (in /${within})`}: ${text}${position(evidence)}`
}

function position(evidence: Evidence): string {
  return evidence.kind === 'file' ? `  [${evidence.file}:${evidence.line}]` : ''
}
