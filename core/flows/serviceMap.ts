// SPDX-License-Identifier: Apache-2.0

import type { Endpoint } from './flow.ts'
import { hasPorts } from './store/flowClass.ts'
import { isBadByClass, type RowList } from './rate.ts'
import type { FlowStore } from './store/store.ts'

/** One end: a workload (or pod without one) in its namespace, or what is outside of the cluster's pods. */
export interface MapEnd {
  readonly id: string
  /** Empty for what has none. */
  readonly namespace: string
  readonly name: string
  readonly kind: 'workload' | 'node' | 'outside'
}

/** Who asked whom: answers count for the question's direction. */
export interface MapLine {
  /** Ids of ends. */
  readonly from: string
  readonly to: string
  readonly forwarded: number
  readonly dropped: number
  /** "5432/TCP", the most used first. */
  readonly ports: readonly string[]
}

export interface ServiceMap {
  readonly ends: readonly MapEnd[]
  /** The busiest first. */
  readonly lines: readonly MapLine[]
  /** Ends that are left out. */
  readonly left: number
}

/** Name of an end of which nobody knows anything. */
export const UNKNOWN_END = 'unknown'

interface Pair {
  readonly source: number
  readonly destination: number
  forwarded: number
  dropped: number
  readonly ports: Map<string, number>
}

/** Larger than any number of an endpoint; two such numbers fit into one that is exact. */
const SHIFT = 2 ** 26

/** Of flows whose direction is known: requests, and what was dropped. At most `most` ends are drawn, those with most flows. */
export function serviceMapOf(store: FlowStore, rows: RowList, most: number): ServiceMap {
  const workloads = workloadsOf(store)
  const ends = new Map<string, MapEnd>()
  const lines = new Map<string, { from: string; to: string; forwarded: number; dropped: number; ports: Map<string, number> }>()
  for (const pair of pairsOf(store, rows)) {
    const from = endOf(store.dictionaries.endpoints.get(pair.source) ?? null, workloads)
    const to = endOf(store.dictionaries.endpoints.get(pair.destination) ?? null, workloads)
    ends.set(from.id, from).set(to.id, to)
    const key = JSON.stringify([from.id, to.id])
    const line = lines.get(key) ?? { from: from.id, to: to.id, forwarded: 0, dropped: 0, ports: new Map() }
    lines.set(key, line)
    line.forwarded += pair.forwarded
    line.dropped += pair.dropped
    for (const [port, count] of pair.ports) line.ports.set(port, (line.ports.get(port) ?? 0) + count)
  }
  const busy = busiest([...lines.values()], most)
  return {
    ends: [...ends.values()].filter(({ id }) => busy.has(id)),
    lines: [...lines.values()]
      .filter(({ from, to }) => busy.has(from) && busy.has(to))
      .sort((a, b) => b.forwarded + b.dropped - a.forwarded - a.dropped)
      .map((line) => ({ ...line, ports: [...line.ports].sort((a, b) => b[1] - a[1]).map(([port]) => port) })),
    left: ends.size - busy.size,
  }
}

function pairsOf(store: FlowStore, rows: RowList): Iterable<Pair> {
  const { numbers, destinationPort } = store.columns
  const { dictionaries: d, first, capacity } = store
  const bad = isBadByClass(store)
  const counts = countedClasses(store, bad)
  const pairs = new Map<number, Pair>()
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as number
    const slot = row % capacity
    const kind = numbers.class[slot] ?? 0
    if (row < first || counts[kind] !== 1) continue
    const source = numbers.source[slot] ?? 0
    const destination = numbers.destination[slot] ?? 0
    const key = source * SHIFT + destination
    const pair = pairs.get(key) ?? { source, destination, forwarded: 0, dropped: 0, ports: new Map() }
    pairs.set(key, pair)
    if (bad[kind] === 1) pair.dropped++
    else pair.forwarded++
    const protocol = d.classes.get(kind)?.protocol ?? null
    if (protocol === null || protocol === 'none') continue
    const port = hasPorts(protocol) ? `${destinationPort[slot]}/${protocol.toUpperCase()}` : protocol.toUpperCase()
    pair.ports.set(port, (pair.ports.get(port) ?? 0) + 1)
  }
  return pairs.values()
}

/** By a class's number, 1 where it is known who asked whom. */
function countedClasses({ dictionaries: { classes } }: FlowStore, bad: Uint8Array): Uint8Array {
  const counted = new Uint8Array(classes.size)
  for (let number = 1; number < classes.size; number++) {
    const kind = classes.get(number)
    if (kind !== undefined && (kind.isReply === false || (bad[number] === 1 && kind.isReply !== true))) counted[number] = 1
  }
  return counted
}

/** Workload of each pod: Hubble tells it of pods of its own node alone. */
export function workloadsOf({ dictionaries: { endpoints } }: FlowStore): ReadonlyMap<string, string> {
  const workloads = new Map<string, string>()
  for (let number = 1; number < endpoints.size; number++) {
    const endpoint = endpoints.get(number)
    const workload = endpoint?.workloads[0]?.name
    if (endpoint && workload !== undefined) workloads.set(`${endpoint.namespace}/${endpoint.podName}`, workload)
  }
  return workloads
}

function endOf(endpoint: Endpoint | null, workloads: ReadonlyMap<string, string>): MapEnd {
  const reserved = endpoint?.labels.flatMap((label) => /^reserved:([\w-]+)/.exec(label)?.[1] ?? []) ?? []
  if (endpoint !== null && endpoint.namespace !== '' && endpoint.podName !== '') {
    const name = workloads.get(`${endpoint.namespace}/${endpoint.podName}`) ?? endpoint.podName
    return { id: JSON.stringify([endpoint.namespace, name]), namespace: endpoint.namespace, name, kind: 'workload' }
  }
  const node = reserved.find((name) => ['host', 'remote-node', 'kube-apiserver', 'health', 'ingress'].includes(name))
  const name = node ?? reserved[0] ?? UNKNOWN_END
  return { id: JSON.stringify(['', name]), namespace: '', name, kind: node === undefined ? 'outside' : 'node' }
}

/** Ids of the ends with most flows. */
function busiest(
  lines: readonly { readonly from: string; readonly to: string; readonly forwarded: number; readonly dropped: number }[],
  most: number,
): ReadonlySet<string> {
  const flows = new Map<string, number>()
  for (const { from, to, forwarded, dropped } of lines) {
    for (const end of new Set([from, to])) flows.set(end, (flows.get(end) ?? 0) + forwarded + dropped)
  }
  const sorted = [...flows].sort((a, b) => b[1] - a[1]).slice(0, most)
  return new Set(sorted.map(([end]) => end))
}
