// SPDX-License-Identifier: Apache-2.0

/**
 * The judges of flows are Cilium's own: lab/cilium/flowsoracle makes random flows with Hubble's types, prints them as the hubble
 * client does, and filters them with Hubble's filters; the hubble client itself says what its flags mean.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import * as enums from '../../core/flows/hubble/enums.ts'
import { EVERYTHING, type FlowQuery } from '../../core/flows/filter/filter.ts'
import { filterJson, readFilterJson } from '../../core/flows/filter/filterJson.ts'
import type { FlowEvent } from '../../core/flows/flow.ts'
import { hubbleCommand } from '../../core/flows/filter/hubbleCommand.ts'
import { parseHubbleFlags } from '../../core/flows/filter/hubbleFlags.ts'
import { hubbleLine, readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { WireReader } from '../../core/flows/hubble/hubbleWire.ts'
import { MatchIndex } from '../../core/flows/filter/matchIndex.ts'
import { matcherOf } from '../../core/flows/filter/matcher.ts'
import { type FlowRow, FlowStore } from '../../core/flows/store/store.ts'
import { type CiliumPrograms, ciliumPrograms } from '../support/ciliumPrograms.ts'
import { randomFlags } from '../support/hubbleFlags.ts'
import { Random } from '../support/random.ts'

interface Question {
  readonly allow: readonly unknown[]
  readonly deny: readonly unknown[]
  /** Which of the flows match. */
  readonly matches: readonly number[]
}

interface Judgement {
  readonly flows: readonly { readonly wire: string; readonly line: string }[]
  readonly questions: readonly Question[]
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const FLOWS = 2500
const QUESTIONS = 600
const COMMANDS = 60
const NOW = { seconds: 1_700_000_000, nanos: 0 }
const seed = Number(process.env['PLUMBLINE_SEED'] ?? 1)

describe('Hubble judges', () => {
  let programs: CiliumPrograms
  let judgement: Judgement
  let events: readonly FlowEvent[] = []

  before(() => {
    programs = ciliumPrograms()
    const sizes = ['-flows', String(FLOWS), '-questions', String(QUESTIONS), '-seed', String(seed)]
    judgement = JSON.parse(execFileSync(programs.flowsOracle, sizes, { maxBuffer: 2 ** 28, encoding: 'utf8' }))
    const reader = new WireReader()
    events = judgement.flows.map(({ wire }) => reader.read(Buffer.from(wire, 'base64')))
  })

  test('the bytes of a flow and its line of JSON are read alike, and written as the hubble client prints them', () => {
    for (const [index, { line }] of judgement.flows.entries()) {
      const event = events[index]
      assert.ok(event)
      assert.deepEqual(readHubbleLine(line), event, line)
      assert.equal(hubbleLine(event), line)
    }
    assert.ok(events.some(({ kind }) => kind === 'lost'))
  })

  test('a store gives back the flows it was given', () => {
    const { store, rows } = filled(events)
    for (const [row, { event }] of rows.entries()) assert.deepEqual(store.event(row), event)
    assert.equal(store.appended, rows.length)
    const lost = events.reduce((sum, event) => (event.kind === 'lost' ? sum + event.lost.numEventsLost : sum), 0n)
    assert.equal(store.lostTotal, lost)
  })

  test('filters match what Hubble matches', () => {
    const { store, rows } = filled(events)
    let matched = 0
    for (const question of judgement.questions) {
      const index = new MatchIndex(store, queryOf(question))
      index.update()
      const found = [...index.view()].map((row) => rows[row]?.index)
      assert.deepEqual(
        found,
        question.matches,
        JSON.stringify(question, (key, value) => (key === 'matches' ? undefined : value)),
      )
      assert.deepEqual(index.newest(5), [...index.view()].reverse().slice(0, 5))
      matched += found.length
    }
    assert.ok(matched > FLOWS && matched < (FLOWS * QUESTIONS) / 2, `${matched} matches`)
  })

  test('a flow by itself is judged as it is among others', () => {
    const { rows } = filled(events)
    for (const question of judgement.questions.slice(0, 10)) {
      const matches = matcherOf(queryOf(question))
      const found = rows.filter(({ event }) => matches(event)).map(({ index }) => index)
      assert.deepEqual(found, question.matches)
    }
  })

  test('filters are written in the JSON they were read from', () => {
    for (const filter of judgement.questions.flatMap(({ allow, deny }) => [...allow, ...deny]))
      assert.deepEqual(filterJson(readFilterJson(filter)), filter)
  })

  test('every enumeration has the names and numbers of the API', () => {
    const ours = Object.entries(enums).flatMap(([name, values]) =>
      values instanceof enums.EnumNames
        ? [[name, Object.fromEntries(values.names.map((value) => [value, values.number(value)]))] as const]
        : [],
    )
    assert.deepEqual(Object.fromEntries(ours), judgement.enums)
  })

  test('flags mean what the hubble client takes them for', async () => {
    const random = new Random(seed)
    let refused = 0
    for (let asked = 0; asked < COMMANDS; asked++) {
      const flags = randomFlags(random)
      const theirs = await filtersOf(programs.hubble, flags)
      const ours = attempt(() => parseHubbleFlags(flags, NOW))
      assert.equal(ours === undefined, theirs === undefined, `${flags.join(' ')}: ${JSON.stringify(theirs)}`)
      if (theirs === undefined || ours === undefined) refused++
      else assert.deepEqual(jsonOf(ours), theirs, flags.join(' '))
    }
    assert.ok(refused > 0 && refused < COMMANDS / 2, `${refused} refused`)
  })

  test('the command for a query means that query', async () => {
    const commands = judgement.questions.filter(({ allow, deny }) => allow.length + deny.length > 0).slice(0, 20)
    for (const question of commands) {
      const query = queryOf(question)
      const script = `set -- ${hubbleCommand(query).slice('hubble observe'.length)}; exec "${programs.hubble}" observe --print-raw-filters "$@"`
      const printed = execFileSync('sh', ['-c', script], { encoding: 'utf8' })
      assert.deepEqual(filtersIn(printed), jsonOf(query), script)
    }
  })
})

interface Filled {
  readonly store: FlowStore
  /** By row: the flow, and which of all events it was. */
  readonly rows: readonly { readonly event: FlowRow; readonly index: number }[]
}

function filled(events: readonly FlowEvent[]): Filled {
  const store = new FlowStore()
  for (const event of events) store.append(event)
  const rows = events.flatMap((event, index) => (event.kind === 'flow' ? [{ event, index }] : []))
  return { store, rows }
}

function queryOf({ allow, deny }: Question): FlowQuery {
  return { ...EVERYTHING, allow: allow.map(readFilterJson), deny: deny.map(readFilterJson) }
}

interface Filters {
  readonly allow: readonly unknown[]
  readonly deny: readonly unknown[]
}

function jsonOf({ allow, deny }: FlowQuery): Filters {
  return { allow: allow.map(filterJson), deny: deny.map(filterJson) }
}

/** What the client would send; undefined when it refuses the flags. */
async function filtersOf(hubble: string, flags: readonly string[]): Promise<Filters | undefined> {
  try {
    const { stdout } = await promisify(execFile)(hubble, ['observe', '--print-raw-filters', ...flags])
    return filtersIn(stdout)
  } catch {
    return undefined
  }
}

function filtersIn(printed: string): Filters {
  const { allowlist = [], denylist = [] } = parse(printed) as Readonly<Record<string, readonly string[]>>
  return { allow: allowlist.map((filter) => JSON.parse(filter)), deny: denylist.map((filter) => JSON.parse(filter)) }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
