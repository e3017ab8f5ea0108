// SPDX-License-Identifier: Apache-2.0

import type { NumberColumn } from './columns.ts'
import { Dictionary, messages, texts, wideMessages } from './dictionary.ts'
import type {
  Aggregate,
  Emitter,
  Endpoint,
  Envelope,
  Ethernet,
  IpTraceId,
  Layer7,
  NetworkInterface,
  Policy,
  Service,
  TraceContext,
  Tunnel,
} from '../flow.ts'
import { classOf, type FlowClass } from './flowClass.ts'
import { FLOW } from '../hubble/messages.ts'
import { NOTHING } from '../hubble/schema.ts'

/** What the numbers in a store's columns mean. */
export interface RowDictionaries {
  readonly classes: Dictionary<FlowClass>
  /** Addresses, node names, summaries, and UUIDs that are none. */
  readonly texts: Dictionary<string>
  readonly lists: Dictionary<readonly string[]>
  readonly emitters: Dictionary<Emitter | null>
  readonly endpoints: Dictionary<Endpoint | null>
  readonly interfaces: Dictionary<NetworkInterface | null>
  readonly ethernets: Dictionary<Ethernet | null>
  readonly services: Dictionary<Service | null>
  readonly records: Dictionary<Layer7Record | null>
  readonly policies: Dictionary<readonly Policy[]>
  readonly extras: Dictionary<Extra | null>
}

/** Layer 7 without how long it took. */
export type Layer7Record = Omit<Layer7, 'latencyNs'>

/** What hardly any flow has. */
export interface Extra {
  readonly tunnel: Tunnel | null
  readonly ipTraceId: IpTraceId | null
  readonly traceContext: TraceContext | null
  readonly policyLog: readonly string[]
  readonly aggregate: Aggregate | null
  /** Where it isn't the flow's own node and time. */
  readonly envelope: Envelope | null
}

export function rowDictionaries(): RowDictionaries {
  return {
    classes: new Dictionary(() => '', classOf(FLOW.empty, false)),
    texts: texts(),
    lists: messages<readonly string[]>(NOTHING),
    emitters: messages<Emitter | null>(null),
    endpoints: messages<Endpoint | null>(null),
    interfaces: messages<NetworkInterface | null>(null),
    ethernets: messages<Ethernet | null>(null),
    services: messages<Service | null>(null),
    records: messages<Layer7Record | null>(null),
    policies: wideMessages<readonly Policy[]>(NOTHING),
    extras: wideMessages<Extra | null>(null),
  }
}

/** Which dictionary a column's numbers are of. */
export const DICTIONARY_OF = {
  class: 'classes',
  nodeName: 'texts',
  nodeLabels: 'lists',
  emitter: 'emitters',
  source: 'endpoints',
  destination: 'endpoints',
  sourceIp: 'texts',
  destinationIp: 'texts',
  sourceIpXlated: 'texts',
  interface: 'interfaces',
  ethernet: 'ethernets',
  summary: 'texts',
  sourceNames: 'lists',
  destinationNames: 'lists',
  sourceService: 'services',
  destinationService: 'services',
  l7: 'records',
  egressAllowedBy: 'policies',
  ingressAllowedBy: 'policies',
  egressDeniedBy: 'policies',
  ingressDeniedBy: 'policies',
  extra: 'extras',
} as const satisfies Record<NumberColumn, keyof RowDictionaries>

export function columnsOf(dictionary: string): readonly NumberColumn[] {
  return (Object.keys(DICTIONARY_OF) as NumberColumn[]).filter((column) => DICTIONARY_OF[column] === dictionary)
}

/** The value in a column, by its dictionary. */
export type ValueOf<C extends NumberColumn> = RowDictionaries[(typeof DICTIONARY_OF)[C]] extends Dictionary<infer T> ? T : never
