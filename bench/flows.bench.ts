// SPDX-License-Identifier: Apache-2.0

/**
 * Flows: taken into the store from Hubble's wire form, against reading the same bytes with protobuf-es and parsing the same flows as
 * JSON; a filter over all rows, against the same filter over an array of objects; memory, against the columns' own bytes; and a
 * store that wraps.
 */
import { fromBinary } from '@bufbuild/protobuf'
import { parseFilterBox } from '../core/flows/filter/filterBox.ts'
import type { Flow } from '../core/flows/flow.ts'
import { readHubbleLine } from '../core/flows/hubble/hubbleJson.ts'
import { WireReader } from '../core/flows/hubble/hubbleWire.ts'
import { MatchIndex } from '../core/flows/filter/matchIndex.ts'
import { FlowStore } from '../core/flows/store/store.ts'
import { GetFlowsResponseSchema } from '../gen/hubble/observer/observer_pb.js'
import { collectGarbage } from '../test/support/garbage.ts'
import { FlowMessages } from './flow-messages.ts'
import { median, print, takeTurns } from './measure.ts'

const smoke = process.argv.includes('--smoke')
const rows = smoke ? 20_000 : 1_000_000
const turn = smoke ? 2_000 : 50_000
const rounds = smoke ? 1 : 7
const NOW = { seconds: 0, nanos: 0 }

const messages = new FlowMessages(smoke ? 2 : 50)
async function reading(): Promise<void> {
  const batch = Array.from({ length: turn }, (_, number) => messages.bytes(number))
  const lines = batch.map((_, number) => messages.lines[number % messages.lines.length] ?? '')
  const kept = new FlowStore()
  const reader = new WireReader()
  const medians = await takeTurns(
    [
      { name: 'append', run: () => cpu(batch, (bytes) => kept.append(reader.read(bytes))) },
      { name: 'read', run: () => cpu(batch, (bytes) => reader.read(bytes)) },
      { name: 'fromBinary', run: () => cpu(batch, (bytes) => fromBinary(GetFlowsResponseSchema, bytes)) },
      { name: 'JSON.parse', run: () => cpu(lines, (line) => JSON.parse(line)) },
    ],
    rounds,
  )
  const of = (name: string) => medians.get(name) ?? Number.NaN
  const rate = (name: string) => `${Math.round(turn / of(name))}k flows/s`
  print(
    `reading ${turn} flows of ${Math.round(batch.reduce((sum, bytes) => sum + bytes.length, 0) / turn)} bytes; median of ${rounds}, CPU time`,
  )
  print(`  wire form into the store ${rate('append')} (reading alone ${rate('read')})`)
  print(
    `  ${(of('fromBinary') / of('append')).toFixed(1)}× as fast as protobuf-es's fromBinary alone, ${(of('fromBinary') / of('read')).toFixed(1)}× without the store`,
  )
  print(`  ${(of('JSON.parse') / of('append')).toFixed(2)}× as fast as JSON.parse alone of the same flows' lines`)
}

/** By itself and last: what engines learn from one way of reading slows the other down, and nobody does both at once. */
async function replaying(): Promise<void> {
  const lines = messages.lines.slice(0, turn)
  const kept = new FlowStore()
  const medians = await takeTurns(
    [
      { name: 'append', run: () => cpu(lines, (line) => kept.append(readHubbleLine(line))) },
      { name: 'JSON.parse', run: () => cpu(lines, (line) => JSON.parse(line)) },
    ],
    rounds,
  )
  const of = (name: string) => medians.get(name) ?? Number.NaN
  print(`replaying ${lines.length} lines of JSON; median of ${rounds}, CPU time`)
  print(
    `  into the store ${Math.round(lines.length / of('append'))}k flows/s, ${(of('append') / of('JSON.parse')).toFixed(1)}× the time of JSON.parse`,
  )
}

function memory(): FlowStore {
  const before = used()
  const full = new FlowStore({ capacity: rows })
  const reader = new WireReader()
  for (let number = 0; number < rows; number++) full.append(reader.read(messages.bytes(number)))
  const after = used()
  const { bytes } = full.columns
  print(`memory of ${rows} flows, columns of ${(bytes / rows).toFixed(0)} bytes a row`)
  print(
    `  heap and columns ${((after - before) / bytes).toFixed(2)}× the columns' bytes (${Math.round((after - before) / 2 ** 20)} MiB)`,
  )
  return full
}

function filtering(full: FlowStore): void {
  const sample = full.events(full.first, smoke ? 1000 : 100_000).map(({ flow }) => flow)
  print(`filters over ${rows} rows; against an array of ${sample.length} objects, by row; median of ${rounds}, CPU time`)
  for (const [text, test] of FILTERS) {
    const ours: number[] = []
    const naive: number[] = []
    let found = 0
    for (let round = 0; round < rounds; round++) {
      const scan = (query: string) => {
        const index = new MatchIndex(full, parseFilterBox(query, NOW))
        index.update()
        found = index.length
      }
      ours.push(cpu([text], scan))
      naive.push(cpu([test], (each) => sample.filter(each)))
    }
    const ratio = median(naive) / sample.length / (median(ours) / rows)
    print(`  ${text}: ${median(ours).toFixed(1)} ms, ${found} found; ${ratio.toFixed(1)}× as fast`)
  }
}

function wrapping(): void {
  const capacity = smoke ? 1000 : 100_000
  const small = new FlowStore({ capacity })
  const reader = new WireReader()
  const index = new MatchIndex(small, parseFilterBox('verdict:dropped', NOW))
  const heap: number[] = []
  for (let number = 0; number < capacity * 5; number++) {
    small.append(reader.read(messages.bytes(number)))
    if (number % 5000 === 0) index.update()
    if (number % capacity === capacity - 1) heap.push(used())
  }
  const growth = ((heap.at(-1) ?? 0) - (heap[1] ?? 0)) / (heap[1] ?? 1)
  print(`a store of ${capacity} rows after five times as many: kept ${small.kept} + evicted ${small.evicted} = ${small.appended}`)
  print(`  memory of the process changed by ${(growth * 100).toFixed(1)} % between twice and five times`)
  if (small.kept + small.evicted !== capacity * 5 || small.kept !== capacity)
    throw new Error('rows were lost without being counted')
}

/** Milliseconds of this process for all items: a turn is not charged for what others run. */
function cpu<T>(items: readonly T[], action: (item: T) => unknown): number {
  const start = process.cpuUsage()
  for (const item of items) action(item)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

function used(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const ends = ['source', 'destination'] as const
const podStarts = (flow: Flow, namespace: string, prefix: string) =>
  ends.some((end) => flow[end]?.namespace === namespace && flow[end]?.podName.startsWith(prefix))
const ports = ({ l4 }: Flow) => l4?.tcp ?? l4?.udp ?? l4?.sctp

const FILTERS: readonly (readonly [string, (flow: Flow) => boolean])[] = [
  ['verdict:dropped', (flow) => flow.verdict === 'DROPPED'],
  [
    'pod:shop/web verdict:dropped port:8080 -ns:kube-system',
    (flow) =>
      podStarts(flow, 'shop', 'web') &&
      flow.verdict === 'DROPPED' &&
      [ports(flow)?.sourcePort, ports(flow)?.destinationPort].includes(8080) &&
      !podStarts(flow, 'kube-system', ''),
  ],
  [
    'stranger',
    (flow) =>
      [
        ...ends.flatMap((end) => [`${flow[end]?.namespace}/${flow[end]?.podName}`, ...(flow[end]?.labels ?? [])]),
        flow.ip?.source ?? '',
        flow.ip?.destination ?? '',
        flow.summary,
        flow.nodeName,
      ].some((name) => name.toLowerCase().includes('stranger')),
  ],
]

const full = memory()
await reading()
filtering(full)
wrapping()
await replaying()
