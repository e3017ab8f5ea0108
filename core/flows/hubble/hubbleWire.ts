// SPDX-License-Identifier: Apache-2.0

import { ByteCache } from './byteCache.ts'
import type { FlowEvent, Timestamp } from '../flow.ts'
import { eventOf } from './hubbleEvent.ts'
import { RESPONSE } from './messages.ts'
import { type Field, fieldOf, type Message } from './schema.ts'
import { DELIMITED, VARINT, WireCursor } from './wireCursor.ts'

/**
 * Reads Hubble's wire form: the bytes of one GetFlowsResponse, one event. What flows have in common (endpoints, labels, names,
 * addresses) is read once and shared from then on, so one reader should read a whole stream. Unknown fields are passed over.
 */
export class WireReader {
  readonly #shared = new ByteCache<unknown>(1 << 15)

  /** @throws Error when the bytes are no such message. */
  read(bytes: Uint8Array): FlowEvent {
    return eventOf(this.#message(new WireCursor(bytes), bytes.length, RESPONSE))
  }

  #message<T>(cursor: WireCursor, end: number, message: Message<T>): T {
    const value = message.copy(message.empty) as Record<string, unknown>
    while (cursor.pos < end) {
      const at = cursor.pos
      const tag = cursor.uint32()
      const field = fieldOf(message, tag >>> 3)
      if (field === undefined || (tag & 7) !== field.wireType) cursor.skip(tag & 7)
      else if (field.repeated) this.#list(cursor, { at, end, tag }, field, value)
      else value[field.key] = field.wireType === DELIMITED ? this.#part(cursor, field) : number(cursor, field)
    }
    if (cursor.pos !== end) throw new Error('a part is longer than the message it is in')
    return value as T
  }

  /** Values of a list mostly stand one after the other: they are known, or remembered, as a whole. */
  #list(cursor: WireCursor, run: Run, field: Field, into: Record<string, unknown>): void {
    const first = cursor.pos
    const end = endOfRun(cursor, run)
    let values = this.#shared.get(field, cursor.view, run.at, end) as readonly unknown[] | undefined
    if (values === undefined) {
      cursor.pos = first
      values = this.#values(cursor, end, field)
      this.#shared.set(field, cursor.view, run.at, end, values)
    }
    cursor.pos = end
    const before = into[field.key] as readonly unknown[]
    into[field.key] = before.length === 0 ? values : [...before, ...values]
  }

  #values(cursor: WireCursor, end: number, field: Field): readonly unknown[] {
    const values: unknown[] = []
    for (;;) {
      values.push(this.#part(cursor, field))
      if (cursor.pos >= end) return values
      cursor.uint32()
    }
  }

  /** A text or a message. */
  #part(cursor: WireCursor, field: Field): unknown {
    const end = cursor.end()
    const { kind, message } = field
    if (kind === 'timestamp') return readTimestamp(cursor, end)
    if (message === undefined && kind !== 'string') return readWrapped(cursor, end, kind)
    if (field.unique) return message === undefined ? text(cursor, end) : this.#message(cursor, end, message)
    const type = message ?? TEXTS
    const at = cursor.pos
    const known = this.#shared.get(type, cursor.view, at, end)
    if (known !== undefined) {
      cursor.pos = end
      return known
    }
    const value = message === undefined ? text(cursor, end) : this.#message(cursor, end, message)
    this.#shared.set(type, cursor.view, at, end, value)
    return value
  }
}

/** All texts share what is remembered of texts. */
const TEXTS = {}

/** Fields with the same tag, from `at` on, in a message that goes until `end`. */
interface Run {
  readonly at: number
  readonly end: number
  readonly tag: number
}

/** The cursor stands behind the first tag, and goes behind the last value. */
function endOfRun(cursor: WireCursor, { end, tag }: Run): number {
  for (;;) {
    cursor.pos = cursor.end()
    const behind = cursor.pos
    if (behind >= end || cursor.uint32() !== tag) return behind
  }
}

function number(cursor: WireCursor, { kind, names }: Field): unknown {
  switch (kind) {
    case 'bool':
      return cursor.int53() !== 0
    case 'uint32':
      return cursor.uint32()
    case 'int32':
      return cursor.uint32() | 0
    case 'enum':
      return names?.name(cursor.uint32() | 0)
    default:
      return cursor.uint64()
  }
}

const DECODER = new TextDecoder()

/** Short texts without anything but ASCII, as nearly all are, are made faster here than by a decoder. */
function text(cursor: WireCursor, end: number): string {
  const { bytes, pos } = cursor
  cursor.pos = end
  if (end - pos > 64) return DECODER.decode(bytes.subarray(pos, end))
  for (let index = pos; index < end; index++) if ((bytes[index] as number) > 127) return DECODER.decode(bytes.subarray(pos, end))
  return String.fromCharCode.apply(null, bytes.subarray(pos, end) as unknown as number[])
}

function readWrapped(cursor: WireCursor, end: number, kind: Field['kind']): unknown {
  let value = 0
  while (cursor.pos < end) {
    const tag = cursor.uint32()
    if (tag === ((1 << 3) | VARINT)) value = cursor.uint32()
    else cursor.skip(tag & 7)
  }
  return kind === 'boolValue' ? value !== 0 : value | 0
}

function readTimestamp(cursor: WireCursor, end: number): Timestamp {
  let seconds = 0
  let nanos = 0
  while (cursor.pos < end) {
    const tag = cursor.uint32()
    if (tag === ((1 << 3) | VARINT)) seconds = cursor.int53()
    else if (tag === ((2 << 3) | VARINT)) nanos = cursor.uint32() | 0
    else cursor.skip(tag & 7)
  }
  return { seconds, nanos }
}
