// SPDX-License-Identifier: Apache-2.0

/** Recorded flows: JSON lines of the hubble client or of Hubble's exporter, alone or in a bundle. */

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { FlowEvent } from '../../core/flows/flow.ts'
import type { FlowQuery } from '../../core/flows/filter/filter.ts'
import { readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { matcherOf } from '../../core/flows/filter/matcher.ts'
import { CliError, EXIT, UsageError } from '../errors.ts'
import { openBundlePath } from '../files/openBundle.ts'
import { statFile } from '../files/reading.ts'
import type { Io } from '../io.ts'
import type { Printer } from './printer.ts'

/** Lines that are printed together. */
const BATCH = 512
/** How many bad lines are told one by one. */
const TOLD = 5
const FLOW_FILE = /^flows\/[^/]+\.jsonl$/

/** One line of a recording, and where it stands. */
interface Line {
  readonly text: string
  readonly place: string
}

export async function printFile(path: string, query: FlowQuery, print: Printer, io: Io): Promise<number> {
  if (path !== '-') statFile(path)
  const input = path === '-' ? process.stdin : createReadStream(path)
  return printLines(linesOf(input, path === '-' ? 'standard input' : path), query, print, io)
}

async function* linesOf(input: NodeJS.ReadableStream, name: string): AsyncGenerator<Line> {
  let number = 0
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1
    yield { text, place: `${name}:${number}` }
  }
}

export async function printBundle(path: string, query: FlowQuery, print: Printer, io: Io): Promise<number> {
  const { files } = openBundlePath(path)
  const names = files.list().filter((name) => FLOW_FILE.test(name))
  if (names.length === 0) throw new CliError(EXIT.facts, `${path}: holds no flows (flows/NAME.jsonl)`)
  const parts = names.map((name) => recordOf(name, files.read(name) ?? new Uint8Array()))
  return printLines(parts.length === 1 ? (parts[0] ?? []) : sorted(parts.flat()), query, print, io)
}

function recordOf(name: string, bytes: Uint8Array): readonly Line[] {
  return new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((text, index) => ({ text, place: `${name}:${index + 1}` }))
}

/** Each node's recording is in order; together they are not. */
function sorted(lines: readonly Line[]): readonly Line[] {
  const time = ({ text }: Line) => /"time":"([^"]+)"/.exec(text)?.[1] ?? ''
  return lines
    .map((line) => ({ line, at: time(line) }))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .map(({ line }) => line)
}

async function printLines(
  lines: AsyncIterable<Line> | Iterable<Line>,
  query: FlowQuery,
  print: Printer,
  io: Io,
): Promise<number> {
  const selection = new Selection(query)
  const problems = { count: 0, lines: 0 }
  let held: FlowEvent[] = []
  const flush = async () => {
    const text = print(held)
    held = []
    if (text !== '') await io.out(text)
  }
  for await (const line of lines) {
    if (io.signal.aborted || selection.complete) break
    const event = read(line, problems, io)
    if (event !== undefined && selection.take(event)) held.push(event)
    if (held.length >= BATCH) await flush()
  }
  held.push(...selection.rest())
  await flush()
  if (problems.count > 0) io.say(`Incomplete: ${problems.count} of ${problems.lines} lines could not be read`)
  if (problems.count > 0 && problems.count === problems.lines) throw new CliError(EXIT.facts, 'no line of it is a flow')
  io.say(`${selection.count} ${selection.count === 1 ? 'flow' : 'flows'}`)
  return EXIT.answered
}

function read({ text, place }: Line, problems: { count: number; lines: number }, io: Io): FlowEvent | undefined {
  if (text.trim() === '') return undefined
  problems.lines += 1
  try {
    return readHubbleLine(text)
  } catch (error) {
    problems.count += 1
    if (problems.count <= TOLD) io.say(`Incomplete: ${place}: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
}

/** Which events of a recording are wanted. */
class Selection {
  readonly #query: FlowQuery
  readonly #matches: ReturnType<typeof matcherOf>
  #newest: FlowEvent[] = []
  count = 0

  constructor(query: FlowQuery) {
    this.#query = query
    this.#matches = compiled(query)
  }

  /** No more can be wanted. */
  get complete(): boolean {
    return this.#query.first !== null && this.count >= this.#query.first
  }

  /** Whether an event is to be printed now. */
  take(event: FlowEvent): boolean {
    const { last } = this.#query
    if (event.kind !== 'flow') return event.kind === 'lost'
    if (!this.#matches(event)) return false
    this.count += 1
    if (last === null || last === Number.POSITIVE_INFINITY) return true
    this.#newest.push(event)
    if (this.#newest.length > 2 * last) this.#newest = this.#newest.slice(-last)
    return false
  }

  /** What could only be known at the end. */
  rest(): readonly FlowEvent[] {
    const { last } = this.#query
    if (last === null || last === Number.POSITIVE_INFINITY) return []
    this.count = Math.min(this.count, last)
    return this.#newest.slice(-last)
  }
}

function compiled(query: FlowQuery): ReturnType<typeof matcherOf> {
  try {
    return matcherOf(query)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
