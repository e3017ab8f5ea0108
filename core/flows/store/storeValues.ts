// SPDX-License-Identifier: Apache-2.0

import type { NumberColumn } from './columns.ts'
import type { Dictionary } from './dictionary.ts'
import { RESERVED_IDENTITIES } from '../filter/filterNames.ts'
import type { Endpoint, Policy, Service } from '../flow.ts'
import { hasPorts } from './flowClass.ts'
import { DICTIONARY_OF, type ValueOf } from './rowDictionaries.ts'
import type { FlowStore } from './store.ts'

/** How many rows of a store have what, by the text a filter would ask for. */
export type Counts = ReadonlyMap<string, number>

/** By the filter box's key without `from-` and `to-`; none for keys that nothing is counted for. */
export function valueCounts(store: FlowStore, key: string, ends: Ends): Counts {
  const counter = new Counter(store)
  COUNTERS[key]?.(counter, ends)
  return counter.counts
}

export type Ends = readonly ('source' | 'destination')[]

class Counter {
  readonly counts = new Map<string, number>()
  readonly store: FlowStore

  constructor(store: FlowStore) {
    this.store = store
  }

  /** Counts each text that `texts` finds in a column's values; a value is spelled out once, however many rows have it. */
  column<C extends NumberColumn>(column: C, texts: (value: ValueOf<C>) => readonly string[]): void {
    const dictionary = this.store.dictionaries[DICTIONARY_OF[column]] as unknown as Dictionary<ValueOf<C>>
    const rows = rowCounts(this.store, column)
    for (const [number, count] of rows.entries()) {
      const value = count === 0 ? undefined : dictionary.get(number)
      if (value !== undefined) for (const text of texts(value)) this.add(text, count)
    }
  }

  add(text: string, count: number): void {
    if (text !== '') this.counts.set(text, (this.counts.get(text) ?? 0) + count)
  }

  ports(column: 'sourcePort' | 'destinationPort'): void {
    const { store } = this
    const ports = store.columns[column]
    const classes = store.columns.numbers.class
    const rows = new Uint32Array(65_536)
    const having = Uint8Array.from({ length: store.dictionaries.classes.size }, (_, number) =>
      hasPorts(store.dictionaries.classes.get(number)?.protocol ?? null) ? 1 : 0,
    )
    for (let slot = 0; slot < store.kept; slot++) {
      const port = ports[slot] as number
      rows[port] = (rows[port] as number) + (having[classes[slot] as number] as number)
    }
    for (const [port, count] of rows.entries()) if (count > 0) this.add(String(port), count)
  }
}

/** Rows by number of a dictionary. The kept rows are always the first slots. */
function rowCounts(store: FlowStore, column: NumberColumn): Uint32Array {
  const numbers = store.columns.numbers[column]
  const counts = new Uint32Array(store.dictionaries[DICTIONARY_OF[column]].size)
  const rows = Math.min(store.kept, numbers.length)
  for (let slot = 0; slot < rows; slot++) {
    const number = numbers[slot] as number
    counts[number] = (counts[number] as number) + 1
  }
  return counts
}

type Count = (counter: Counter, ends: Ends) => void

function endpoints(texts: (endpoint: Endpoint) => readonly string[]): Count {
  return (counter, ends) => {
    for (const end of ends) counter.column(end, (endpoint) => (endpoint === null ? [] : texts(endpoint)))
  }
}

function services(counter: Counter, ends: Ends): void {
  const texts = (service: Service | null) => (service === null ? [] : [`${service.namespace}/${service.name}`])
  for (const end of ends) counter.column(`${end}Service`, texts)
}

function policies(counter: Counter): void {
  const texts = (list: readonly Policy[]) => list.map(({ namespace, name }) => (namespace === '' ? name : `${namespace}/${name}`))
  for (const column of ['egressAllowedBy', 'ingressAllowedBy', 'egressDeniedBy', 'ingressDeniedBy'] as const)
    counter.column(column, texts)
}

const IDENTITY_NAMES = new Map(Object.entries(RESERVED_IDENTITIES).map(([name, number]) => [number, name]))

const podName = ({ namespace, podName: name }: Endpoint) => (name === '' ? [] : [`${namespace}/${name}`])

const COUNTERS: Readonly<Record<string, Count>> = {
  pod: endpoints(podName),
  ns: endpoints(({ namespace }) => [namespace]),
  workload: endpoints(({ workloads }) => workloads.map(({ name }) => name)),
  label: endpoints(({ labels }) => labels),
  identity: endpoints(({ identity }) => [IDENTITY_NAMES.get(identity) ?? String(identity)]),
  cluster: endpoints(({ clusterName }) => [clusterName]),
  svc: services,
  ip: (counter, ends) => {
    for (const end of ends) counter.column(`${end}Ip`, (address) => [address])
  },
  dns: (counter, ends) => {
    for (const end of ends) counter.column(`${end}Names`, (names) => names)
  },
  port: (counter, ends) => {
    for (const end of ends) counter.ports(`${end}Port`)
  },
  from: (counter) => endpoints(podName)(counter, ['source']),
  to: (counter) => endpoints(podName)(counter, ['destination']),
  verdict: (counter) => counter.column('class', ({ verdict }) => [verdict.toLowerCase()]),
  reason: (counter) => counter.column('class', ({ verdict, dropReasonDesc }) => (verdict === 'DROPPED' ? [dropReasonDesc] : [])),
  proto: (counter) => {
    counter.column('class', ({ protocol }) => (protocol === null || protocol === 'none' ? [] : [protocol]))
    counter.column('l7', (l7) => (['dns', 'http', 'kafka'] as const).filter((name) => l7?.[name] != null))
  },
  direction: (counter) =>
    counter.column('class', ({ trafficDirection: name }) => (/GRESS$/.test(name) ? [name.toLowerCase()] : [])),
  node: (counter) => counter.column('nodeName', (name) => [name]),
  iface: (counter) => counter.column('interface', (found) => (found === null ? [] : [found.name])),
  'node-label': (counter) => counter.column('nodeLabels', (labels) => labels),
  method: (counter) => counter.column('l7', (l7) => [l7?.http?.method ?? '']),
  status: (counter) => counter.column('l7', (l7) => (l7?.http == null || l7.http.code === 0 ? [] : [String(l7.http.code)])),
  query: (counter) => counter.column('l7', (l7) => [l7?.dns?.query ?? '']),
  url: (counter) => counter.column('l7', (l7) => [l7?.http?.url ?? '']),
  'snat-ip': (counter) => counter.column('sourceIpXlated', (address) => [address]),
  policy: policies,
}
