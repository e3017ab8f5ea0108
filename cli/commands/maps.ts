// SPDX-License-Identifier: Apache-2.0

import type { DumpedMap } from '../../cluster/maps.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import { entryDocuments, MAPS_SCHEMA, mapDocument } from '../../core/ebpf/maps/documents.ts'
import { byteFilters } from '../../core/ebpf/maps/filterBytes.ts'
import { compileFilter, type FilterExpression, parseFilter } from '../../core/ebpf/maps/filter.ts'
import type { MapNames } from '../../core/ebpf/maps/names.ts'
import { namesOfNode } from '../../core/ebpf/maps/nodeMaps.ts'
import { type MapShape, type MapTable, tableOf } from '../../core/ebpf/maps/table.ts'
import { FilterError } from '../../core/text/filterError.ts'
import { printable } from '../../core/text/printable.ts'
import { type Command, JSON_OPTION } from '../command.ts'
import { CliError, EXIT, UsageError } from '../errors.ts'
import { findCommand } from '../find.ts'
import { openBundlePath } from '../files/openBundle.ts'
import type { Io } from '../io.ts'
import { collectFacts, withSession } from '../live.ts'
import { entriesText, entryLine, listDocument, listText, MAP_CHANGE_SCHEMA } from '../mapsOutput.ts'
import { type ChosenMap, chooseMap, type MapFacts, mapFacts } from '../mapsSource.ts'
import type { Options } from '../options.ts'
import { jsonText } from '../output.ts'
import { CLUSTER_OPTIONS, factSource, FILE_OPTIONS } from '../sources.ts'

const PARTS = ['node', 'bpf', 'maps']
const INTERVAL_MS = 1_000

export const mapsCommand: Command = {
  name: 'maps',
  summary: 'List eBPF maps, or show the entries of one, decoded',
  usage: [
    '[NODE] [MAP] --context NAME [--filter EXPR] [--watch]',
    '[NODE] [MAP] --bundle PATH [--filter EXPR]',
    '--find ADDR --context NAME|--bundle PATH',
  ],
  description:
    'Without MAP: the maps of a node, or of all, with how full they are. With MAP (its pinned name, path or id): its entries, ' +
    "with names in place of numbers where the facts have them. Cilium's maps are decoded by their layouts, others by their own " +
    'types (BTF), and what has none is shown as bytes.',
  groups: [
    CLUSTER_OPTIONS,
    { title: FILE_OPTIONS.title, options: FILE_OPTIONS.options.filter(({ name }) => name === 'bundle') },
    {
      title: 'Entries',
      options: [
        {
          name: 'filter',
          takes: 'value',
          placeholder: 'EXPR',
          help: 'Entries that match: FIELD=VALUE, != ~ !~ < <= > >=, joined by and, or, not and parentheses; a VALUE alone is looked for everywhere',
        },
        { name: 'watch', takes: 'flag', help: 'Show all entries, then every change, until Ctrl-C; live clusters only' },
        {
          name: 'find',
          takes: 'value',
          placeholder: 'ADDR',
          help: 'Instead of a map: every entry, rule, route, connection and object that mentions an address, `identity:N`, `pod:NS/NAME`, `svc:NS/NAME` or `node:NAME`',
        },
        { name: 'limit', takes: 'value', placeholder: 'N', help: 'Print N entries at most' },
        JSON_OPTION,
      ],
    },
  ],
  examples: [
    'plumbline maps --context prod-eu',
    'plumbline maps worker-3 cilium_lb4_services_v2 --context prod-eu --filter "port=80 and address~10.96"',
    'plumbline maps worker-3 cilium_ct4_global --context prod-eu --watch',
    'plumbline maps worker-3 cilium_ipcache_v2 --bundle incident.zip --json',
    'plumbline maps --find 10.96.0.20 --bundle incident.zip',
  ],
  async run(options, io) {
    if (options.value('find') !== undefined) return findCommand(options, io)
    const wish = readWish(options)
    const source = factSource(options)
    switch (source.kind) {
      case 'bundle':
        if (wish.watch) throw new UsageError('`--watch` works with a live cluster only')
        return answer(mapFacts(openBundlePath(source.path).files, io.say), wish, io, storedEntries)
      case 'live':
        return withSession(source, io, async (session) => {
          const { files } = await collectFacts(session, io, { snapshot: { parts: PARTS } })
          const facts = mapFacts(files, io.say)
          return answer(facts, wish, io, (_, chosen, signal) => liveEntries(session, chosen, wish, signal), session)
        })
      default:
        throw new UsageError('maps are read from a live cluster (`--context`) or a bundle (`--bundle`)')
    }
  },
}

/** What the command line asks for. */
interface Wish {
  readonly words: readonly string[]
  readonly filter: FilterExpression | undefined
  readonly filterText: string | undefined
  readonly watch: boolean
  readonly limit: number
  readonly json: boolean
}

function readWish(options: Options): Wish {
  const words = options.positionals
  if (words[2] !== undefined) throw new UsageError(`unexpected \`${words[2]}\``)
  const filterText = options.value('filter')
  const limit = options.value('limit')
  if (limit !== undefined && !/^[1-9][0-9]{0,8}$/.test(limit))
    throw new UsageError(`\`--limit\`: \`${limit}\` is not a number above 0`)
  return {
    words,
    filter: filterText === undefined ? undefined : readFilter(filterText),
    filterText,
    watch: options.flag('watch'),
    limit: limit === undefined ? Number.POSITIVE_INFINITY : Number(limit),
    json: options.flag('json'),
  }
}

function readFilter(text: string): FilterExpression {
  try {
    return parseFilter(text)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    throw new UsageError(
      `\`--filter\`, character ${error.at + 1}: ${error.message}\n  ${printable(text)}\n  ${' '.repeat(error.at)}^`,
    )
  }
}

/** Entries of a map, from wherever they come. */
interface Entries {
  readonly shape: MapShape
  readonly bytes: Uint8Array
  readonly scanned: number
  readonly truncated: boolean
  readonly incomplete: string | undefined
}

type ReadEntries = (facts: MapFacts, chosen: ChosenMap, signal: AbortSignal) => Entries | Promise<Entries>

async function answer(facts: MapFacts, wish: Wish, io: Io, read: ReadEntries, session?: ClusterSession): Promise<number> {
  const choice = chooseMap(facts, wish.words)
  if ('listed' in choice) {
    const useless =
      wish.filter !== undefined ? 'filter' : wish.watch ? 'watch' : Number.isFinite(wish.limit) ? 'limit' : undefined
    if (useless !== undefined) throw new UsageError(`\`--${useless}\` needs a MAP`)
    await io.out(wish.json ? jsonText(listDocument(choice.listed)) : listText(choice.listed))
    return EXIT.answered
  }
  const { chosen } = choice
  const names = namesOfNode(facts.cluster, facts.files, chosen.node, chosen.maps)
  if (wish.watch && session !== undefined) return watch(session, chosen, wish, names, io)
  const entries = await read(facts, chosen, io.signal)
  if (entries.incomplete !== undefined) io.say(`Incomplete: ${entries.incomplete}`)
  if (entries.truncated) io.say(`Incomplete: the snapshot holds the first ${entries.scanned} entries of ${chosen.map.name} only`)
  const table = decoded(entries, names, io)
  const rows = matching(table, wish)
  const shown = rows.slice(0, wish.limit)
  if (wish.json) await io.out(jsonText(entriesDocument(chosen, wish, entries, table, shown, rows.length)))
  else await io.out(entriesText(table, shown))
  io.say(
    `${shown.length} of ${entries.scanned} entries${chosen.map.maxEntries === 0 ? '' : `; the map has room for ${chosen.map.maxEntries}`}`,
  )
  return EXIT.answered
}

function decoded({ shape, bytes }: Entries, names: MapNames, io: Io): MapTable {
  const table = tableOf(shape, bytes, names)
  const { name, keySize, valueSize } = shape
  if (table.unknownVersion) {
    io.say(`${name}: layout of an unknown Cilium version (keys of ${keySize}, values of ${valueSize} bytes); shown as bytes`)
  }
  if (table.leftOver > 0) {
    const reason = `${bytes.byteLength} bytes are not a whole number of entries of ${table.entrySize} bytes`
    throw new CliError(EXIT.facts, `${name}: ${reason}`)
  }
  return table
}

/** Rows that pass the filter, by the bytes of their keys: hash tables have no order of their own. */
function matching(table: MapTable, { filter }: Wish): readonly number[] {
  const test = filter === undefined ? () => true : compiled(filter, table)
  const rows = Array.from({ length: table.count }, (_, row) => row).filter(test)
  const keys = new Map(rows.map((row) => [row, table.raw(row).key]))
  return rows.sort((a, b) => Buffer.compare(keys.get(a) ?? new Uint8Array(), keys.get(b) ?? new Uint8Array()))
}

function compiled(filter: FilterExpression, table: MapTable): (row: number) => boolean {
  try {
    return compileFilter(filter, table)
  } catch (error) {
    if (error instanceof FilterError) throw new UsageError(`\`--filter\`: ${error.message}`)
    throw error
  }
}

function entriesDocument(
  { node, map }: ChosenMap,
  wish: Wish,
  entries: Entries,
  table: MapTable,
  rows: readonly number[],
  matches: number,
) {
  const { truncated: _, entries: __, ...described } = mapDocument(map)
  return {
    schema: MAPS_SCHEMA,
    node,
    map: described,
    decodedBy: table.by,
    unknownVersion: table.unknownVersion,
    filter: wish.filterText ?? null,
    scanned: entries.scanned,
    matches,
    truncated: entries.truncated,
    incomplete: entries.incomplete ?? null,
    entries: entryDocuments(table, rows),
  }
}

function storedEntries({ files }: MapFacts, { map }: ChosenMap): Entries {
  const { contents } = map
  const bytes = contents === undefined ? undefined : files.read(contents.file)
  if (contents === undefined || bytes === undefined) {
    throw new CliError(EXIT.facts, `the bundle doesn't hold the contents of ${map.name}; snapshots take those of Cilium's maps`)
  }
  const { name, keySize, valueSize, type } = map
  return {
    shape: { name, keySize, valueSize, valuesPerEntry: contents.valuesPerEntry, perCpu: type.includes('percpu') },
    bytes,
    scanned: contents.count,
    truncated: contents.truncated,
    incomplete: contents.incomplete,
  }
}

async function liveEntries(session: ClusterSession, { node, map }: ChosenMap, wish: Wish, signal: AbortSignal): Promise<Entries> {
  const { dumpMap, shapeOf } = await import('../../cluster/maps.ts')
  const agent = await session.agents.forNode(node, signal)
  const filters = wish.filter === undefined || map.layout === undefined ? [] : byteFilters(wish.filter, map.layout)
  const dumped: DumpedMap = await dumpMap(agent, { id: map.id, filters }, { signal })
  return {
    shape: { ...shapeOf(dumped.info), name: map.name },
    bytes: dumped.entries,
    scanned: dumped.scanned,
    truncated: false,
    incomplete: dumped.incomplete,
  }
}

async function watch(session: ClusterSession, { node, map }: ChosenMap, wish: Wish, names: MapNames, io: Io): Promise<number> {
  const { shapeOf, watchMap } = await import('../../cluster/maps.ts')
  const agent = await session.agents.forNode(node, io.signal)
  let shape: MapShape | undefined
  const parts = (bytes: Uint8Array) => {
    if (shape === undefined) throw new CliError(EXIT.unreachable, 'the agent sent changes before it described the map')
    const table = tableOf(shape, bytes, names)
    return { table, rows: matching(table, wish) }
  }
  const reason = await watchMap(
    agent,
    { id: map.id },
    INTERVAL_MS,
    {
      start(info) {
        shape = { ...shapeOf(info), name: map.name }
      },
      async difference({ added, changed, removed, unixNanoseconds }) {
        const changes = { added: parts(added), changed: parts(changed), removed: parts(removed) }
        if (Object.values(changes).every(({ rows }) => rows.length === 0)) return
        const at = new Date(Number(unixNanoseconds / 1_000_000n)).toISOString()
        await io.out(wish.json ? changeDocument(node, map.name, at, changes) : changeText(at, changes))
      },
    },
    io.signal,
  )
  io.say(`${map.name} is gone: ${reason}`)
  return EXIT.answered
}

type Changes = Readonly<Record<'added' | 'changed' | 'removed', { readonly table: MapTable; readonly rows: readonly number[] }>>

/** One document a line. */
function changeDocument(node: string, map: string, at: string, { added, changed, removed }: Changes): string {
  const entries = ({ table, rows }: Changes['added']) => entryDocuments(table, rows)
  const document = {
    schema: MAP_CHANGE_SCHEMA,
    node,
    map,
    at,
    added: entries(added),
    changed: entries(changed),
    removed: entries(removed),
  }
  return `${JSON.stringify(document)}\n`
}

function changeText(at: string, { added, changed, removed }: Changes): string {
  const lines = (sign: string, { table, rows }: Changes['added']) => rows.map((row) => `${at} ${sign} ${entryLine(table, row)}`)
  return [...lines('-', removed), ...lines('~', changed), ...lines('+', added)].map((line) => `${line}\n`).join('')
}
