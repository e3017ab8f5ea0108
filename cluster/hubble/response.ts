// SPDX-License-Identifier: Apache-2.0

/**
 * The outside of an observer.GetFlowsResponse: what is in it, from which node and when, without decoding the flow. Some
 * hundred nanoseconds a message, so that streams can be merged and resumed at any rate.
 */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

export interface Envelope {
  readonly kind: 'flow' | 'node_status' | 'lost_events' | 'other'
  readonly node: string
  /** Milliseconds since 1970, with fractions: exact to a quarter of a microsecond. */
  readonly time: number
}

/** Field numbers of observer.GetFlowsResponse. */
const KINDS: Readonly<Record<number, Envelope['kind']>> = { 1: 'flow', 2: 'node_status', 3: 'lost_events' }
const NODE_NAME = 1000
const TIME = 1001
/** flow.Flow.uuid */
const UUID = 34

export function envelopeOf(response: Uint8Array): Envelope {
  const reader = new BinaryReader(response)
  let kind: Envelope['kind'] = 'other'
  let node = ''
  let time = 0
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === NODE_NAME && wire === WireType.LengthDelimited) node = reader.string()
    else if (field === TIME && wire === WireType.LengthDelimited) time = timeOf(reader.bytes())
    else {
      kind = KINDS[field] ?? kind
      reader.skip(wire, field)
    }
  }
  return { kind, node, time }
}

function timeOf(timestamp: Uint8Array): number {
  const reader = new BinaryReader(timestamp)
  let time = 0
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === 1) time += Number(reader.int64()) * 1_000
    else if (field === 2) time += reader.int32() / 1e6
    else reader.skip(wire, field)
  }
  return time
}

/** Hubble's own identity of a flow; the same however often it is asked. Empty when it has none (before Cilium 1.11). */
export function uuidOf(response: Uint8Array): string {
  const flow = fieldOf(response, 1)
  const uuid = flow && fieldOf(flow, UUID)
  return uuid === undefined ? '' : Buffer.from(uuid.buffer, uuid.byteOffset, uuid.length).toString('latin1')
}

function fieldOf(message: Uint8Array, wanted: number): Uint8Array | undefined {
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === wanted && wire === WireType.LengthDelimited) return reader.bytes()
    reader.skip(wire, field)
  }
  return undefined
}
