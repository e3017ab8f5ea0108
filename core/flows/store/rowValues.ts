// SPDX-License-Identifier: Apache-2.0

import type { Columns, NumberColumn, WideColumn } from './columns.ts'
import type { Dictionary } from './dictionary.ts'
import type { Envelope, Flow, Layer4, Layer7, Ports, Timestamp } from '../flow.ts'
import { type FlowClass, NO_LAYER4 } from './flowClass.ts'
import { DICTIONARY_OF, type Extra, type Layer7Record, type RowDictionaries, type ValueOf } from './rowDictionaries.ts'
import type { FlowRow } from './store.ts'
import { unpackUuid } from './uuid.ts'

/** Parts of a flow as a row holds them, and the flow made of them again. */
export function portsOf(l4: Layer4 | null): Ports | null {
  return l4 === null ? null : (l4.tcp ?? l4.udp ?? l4.sctp)
}

export function recordOf(l7: Layer7 | null): Layer7Record | null {
  if (l7 === null) return null
  const { type, dns, http, kafka } = l7
  return { type, dns, http, kafka }
}

export function extraOf({ flow, nodeName, time }: FlowRow): Extra | null {
  const { tunnel, ipTraceId, traceContext, policyLog, aggregate } = flow
  const same = nodeName === flow.nodeName && time?.seconds === flow.time?.seconds && time?.nanos === flow.time?.nanos
  if (same && tunnel === null && ipTraceId === null && traceContext === null && policyLog.length === 0 && aggregate === null)
    return null
  return { tunnel, ipTraceId, traceContext, policyLog, aggregate, envelope: same ? null : { nodeName, time } }
}

const NO_EXTRA: Extra = {
  tunnel: null,
  ipTraceId: null,
  traceContext: null,
  policyLog: [],
  aggregate: null,
  envelope: null,
}

export function flowAt(columns: Columns, dictionaries: RowDictionaries, slot: number): FlowRow {
  const value = <C extends NumberColumn>(column: C): ValueOf<C> =>
    valueAt(dictionaries[DICTIONARY_OF[column]] as unknown as Dictionary<ValueOf<C>>, columns.numbers[column][slot])
  const wide = (column: WideColumn) => columns.wide[column][slot] ?? 0n
  const kind = value('class')
  const { timed, packedUuid, ip, protocol, tcpFlags, icmp, ...shared } = kind
  const { envelope, ...extra } = value('extra') ?? NO_EXTRA
  const record = value('l7')
  const time = timed ? timeAt(columns, slot) : null
  const flow: Flow = {
    ...shared,
    ...extra,
    time,
    uuid: packedUuid ? unpackUuid(columns.uuid, slot * 4) : valueAt(dictionaries.texts, columns.uuid[slot * 4]),
    emitter: value('emitter'),
    ethernet: value('ethernet'),
    ip: ip && {
      source: value('sourceIp'),
      sourceXlated: value('sourceIpXlated'),
      destination: value('destinationIp'),
      ...ip,
    },
    l4: layer4At(kind, columns, slot),
    source: value('source'),
    destination: value('destination'),
    nodeName: value('nodeName'),
    nodeLabels: value('nodeLabels'),
    sourceNames: value('sourceNames'),
    destinationNames: value('destinationNames'),
    l7: record && { ...record, latencyNs: wide('latencyNs') },
    sourceService: value('sourceService'),
    destinationService: value('destinationService'),
    interface: value('interface'),
    socketCookie: wide('socketCookie'),
    cgroupId: wide('cgroupId'),
    summary: value('summary'),
    egressAllowedBy: value('egressAllowedBy'),
    ingressAllowedBy: value('ingressAllowedBy'),
    egressDeniedBy: value('egressDeniedBy'),
    ingressDeniedBy: value('ingressDeniedBy'),
  }
  return { kind: 'flow', flow, ...(envelope ?? envelopeOf(flow)) }
}

function valueAt<T>(dictionary: Dictionary<T>, number = 0): T {
  const value = dictionary.get(number)
  if (value === undefined) throw new Error(`a row holds the number ${number}, which means nothing`)
  return value
}

function timeAt(columns: Columns, slot: number): Timestamp {
  return { seconds: columns.seconds[slot] ?? 0, nanos: columns.nanos[slot] ?? 0 }
}

function envelopeOf({ nodeName, time }: Flow): Envelope {
  return { nodeName, time }
}

function layer4At({ protocol, tcpFlags, icmp }: FlowClass, columns: Columns, slot: number): Layer4 | null {
  if (protocol === null) return null
  if (protocol === 'none') return NO_LAYER4
  const ports: Ports = {
    sourcePort: columns.sourcePort[slot] ?? 0,
    destinationPort: columns.destinationPort[slot] ?? 0,
  }
  const said = protocol === 'tcp' ? { ...ports, flags: tcpFlags } : (icmp ?? ports)
  return { ...NO_LAYER4, [protocol]: said }
}
