// SPDX-License-Identifier: Apache-2.0

/**
 * How fast eBPF maps are read on the node and decoded here. Reading: the agent's own benchmark, against raw batched lookups (the
 * floor) and `bpftool -j map dump` (the peer). Decoding: entries of Cilium's services and connections per second of one core,
 * against copying as many bytes (the floor).
 */
import { spawnSync } from 'node:child_process'
import { CILIUM_LAYOUTS } from '../core/ebpf/maps/cilium.ts'
import { decodeEntries } from '../core/ebpf/maps/decode.ts'
import { compileFilter, parseFilter } from '../core/ebpf/maps/filter.ts'
import { tableOf } from '../core/ebpf/maps/table.ts'
import { print, takeTurns, timed } from './measure.ts'

const smoke = process.argv.includes('--smoke')
const entries = smoke ? 2_000 : 1_000_000
const rounds = smoke ? 1 : 7

for (const [name, filter] of [
  ['cilium_lb4_services_v2', 'port=80 and address~10.96'],
  ['cilium_ct4_global', 'dport=443'],
] as const) {
  const layout = CILIUM_LAYOUTS.find((each) => each.name === name)
  if (layout === undefined) throw new Error(`no layout of ${name}`)
  const size = layout.keySize + layout.valueSize
  const bytes = new Uint8Array(entries * size)
  for (let at = 0, random = 1; at < bytes.length; at++) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = random >>> 24
  }
  const table = tableOf({ ...layout, valuesPerEntry: 1, perCpu: false }, bytes)
  const test = compileFilter(parseFilter(filter), table)
  const medians = await takeTurns(
    [
      { name: 'decode', run: () => timed(() => decodeEntries(layout, bytes)) },
      { name: 'filter', run: () => timed(() => countRows(table.count, test)) },
      { name: 'copy', run: () => timed(() => bytes.slice()) },
    ],
    rounds,
  )
  const of = (contestant: string) => medians.get(contestant) ?? Number.NaN
  const rate = (contestant: string) => `${(entries / of(contestant) / 1000).toFixed(1)}M entries/s`
  print(`${name}, ${entries} entries of ${size} bytes; median of ${rounds}`)
  print(
    `  decoded ${rate('decode')}, ${(of('decode') / of('copy')).toFixed(1)}× the time of copying the bytes; filtered ${rate('filter')}`,
  )
}

function countRows(count: number, test: (row: number) => boolean): number {
  let passed = 0
  for (let row = 0; row < count; row++) if (test(row)) passed++
  return passed
}

if (process.getuid?.() === 0 && spawnSync('go', ['version']).status === 0) {
  const env = { ...process.env, CGO_ENABLED: '0', PLUMBLINE_BENCH_ENTRIES: String(entries) }
  const args = [
    '-C',
    'agent',
    'test',
    '-count=1',
    '-run',
    '^$',
    '-bench',
    '^BenchmarkDump$',
    '-benchtime',
    '1x',
    './internal/bpfmap',
  ]
  const { status, stdout, stderr } = spawnSync('go', args, { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the agent's benchmark failed: ${stdout}${stderr}`)
  const measured = (unit: string) => Number(new RegExp(`([0-9.e+]+) ${unit}(?:\\s|$)`).exec(stdout)?.[1] ?? Number.NaN)
  print(`agent's dump of a hash, ${entries} entries of 80 bytes`)
  print(
    `  ${measured('ns/entry').toFixed(0)} ns/entry, ${measured('of-raw-batches').toFixed(2)}× the time of raw batched lookups (one match by filter: ${measured('filtered-of-raw-batches').toFixed(2)}×)`,
  )
  print(`  ${measured('x-bpftool').toFixed(1)}× as fast as bpftool -j map dump`)
} else print("skipped: the agent's dump needs root and Go")
