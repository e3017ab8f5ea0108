// SPDX-License-Identifier: Apache-2.0

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { ByteCache } from './byteCache.ts'
import type { FlowEvent, Timestamp } from './flow.ts'
import { eventOf } from './hubbleEvent.ts'
import { RESPONSE } from './messages.ts'
import { emptyValue, type Field, fieldOf, type Message } from './schema.ts'

/**
 * Reads Hubble's wire form: the bytes of one GetFlowsResponse, one event. What flows have in common (endpoints, labels, names,
 * addresses) is read once and shared from then on, so one reader should read a whole stream. Unknown fields are passed over.
 */
export class WireReader {
  readonly #shared = new ByteCache<unknown>(1 << 16)

  /** @throws Error when the bytes are not protobuf. */
  read(bytes: Uint8Array): FlowEvent {
    const reader = new BinaryReader(bytes)
    return eventOf(this.#message(reader, bytes, bytes.length, RESPONSE))
  }

  #message<T>(reader: BinaryReader, bytes: Uint8Array, end: number, message: Message<T>): T {
    const value: Record<string, unknown> = { ...(message.empty as object) }
    while (reader.pos < end) {
      const at = reader.pos
      const tag = reader.uint32()
      const field = fieldOf(message, tag >>> 3)
      if (field === undefined || (tag & 7) !== wireTypeOf(field)) skip(reader, tag)
      else if (field.repeated) this.#list(reader, bytes, { at, end, tag }, field, value)
      else value[field.key] = this.#value(reader, bytes, field)
    }
    if (reader.pos !== end) throw new Error('a message is longer than the one it is in')
    return value as T
  }

  /** Values of a list mostly stand one after the other: they are known, or remembered, as a whole. */
  #list(reader: BinaryReader, bytes: Uint8Array, run: Run, field: Field, into: Record<string, unknown>): void {
    const first = reader.pos
    const end = endOfRun(reader, run)
    let values = this.#shared.get(field, bytes, run.at, end) as readonly unknown[] | undefined
    if (values === undefined) {
      reader.pos = first
      values = this.#values(reader, bytes, end, field)
      this.#shared.set(field, bytes, run.at, end, values)
    }
    reader.pos = end
    const before = into[field.key] as readonly unknown[]
    into[field.key] = before.length === 0 ? values : [...before, ...values]
  }

  #values(reader: BinaryReader, bytes: Uint8Array, end: number, field: Field): readonly unknown[] {
    const values: unknown[] = []
    for (;;) {
      values.push(this.#value(reader, bytes, field))
      if (reader.pos >= end) return values
      reader.uint32()
    }
  }

  #value(reader: BinaryReader, bytes: Uint8Array, field: Field): unknown {
    switch (field.kind) {
      case 'string':
        return this.#text(reader, bytes, field)
      case 'bool':
        return reader.bool()
      case 'uint32':
        return reader.uint32()
      case 'int32':
        return reader.int32()
      case 'uint64':
        return BigInt(reader.uint64())
      case 'enum':
        return field.names?.name(reader.int32())
      default:
        return this.#submessage(reader, bytes, field)
    }
  }

  #text(reader: BinaryReader, bytes: Uint8Array, field: Field): string {
    const length = reader.uint32()
    const at = reader.pos
    const end = at + length
    if (end > bytes.length) throw new Error('a text is longer than the message it is in')
    reader.pos = end
    if (field.unique) return asciiText(bytes, at, end) ?? DECODER.decode(bytes.subarray(at, end))
    const known = this.#shared.get(TEXTS, bytes, at, end)
    if (known !== undefined) return known as string
    const text = DECODER.decode(bytes.subarray(at, end))
    this.#shared.set(TEXTS, bytes, at, end, text)
    return text
  }

  #submessage(reader: BinaryReader, bytes: Uint8Array, field: Field): unknown {
    const length = reader.uint32()
    const at = reader.pos
    const end = at + length
    if (end > bytes.length) throw new Error('a message is longer than the one it is in')
    if (field.kind === 'timestamp') return readTimestamp(reader, bytes, end)
    if (field.kind !== 'message') return readWrapped(reader, end, field)
    const message = field.message
    if (message === undefined) throw new Error(`${field.name} has no description`)
    if (field.unique) return this.#message(reader, bytes, end, message)
    const known = this.#shared.get(message, bytes, at, end)
    if (known !== undefined) {
      reader.pos = end
      return known
    }
    const value = this.#message(reader, bytes, end, message)
    this.#shared.set(message, bytes, at, end, value)
    return value
  }
}

/** Fields with the same tag, from `at` on, in a message that goes until `end`. */
interface Run {
  readonly at: number
  readonly end: number
  readonly tag: number
}

/** The reader stands behind the first tag, and goes behind the last value. */
function endOfRun(reader: BinaryReader, { end, tag }: Run): number {
  for (;;) {
    skip(reader, tag)
    const behind = reader.pos
    if (behind >= end || reader.uint32() !== tag) return behind
  }
}

const DECODER = new TextDecoder()
/** All texts share what is remembered of texts. */
const TEXTS = {}

function wireTypeOf({ kind }: Field): WireType {
  switch (kind) {
    case 'bool':
    case 'uint32':
    case 'int32':
    case 'uint64':
    case 'enum':
      return WireType.Varint
    default:
      return WireType.LengthDelimited
  }
}

function skip(reader: BinaryReader, tag: number): void {
  reader.skip(tag & 7, tag >>> 3)
}

/** A UUID, mostly. Undefined when there is more than ASCII. */
function asciiText(bytes: Uint8Array, at: number, end: number): string | undefined {
  for (let index = at; index < end; index++) if ((bytes[index] ?? 0) > 127) return undefined
  return String.fromCharCode.apply(null, bytes.subarray(at, end) as unknown as number[])
}

function readWrapped(reader: BinaryReader, end: number, { kind, ...field }: Field): unknown {
  let value = emptyValue({ ...field, kind: kind === 'boolValue' ? 'bool' : 'int32' })
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag === ((1 << 3) | WireType.Varint)) value = kind === 'boolValue' ? reader.bool() : reader.int32()
    else skip(reader, tag)
  }
  return value
}

function readTimestamp(reader: BinaryReader, bytes: Uint8Array, end: number): Timestamp {
  let seconds = 0
  let nanos = 0
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag === ((1 << 3) | WireType.Varint)) seconds = readSeconds(reader, bytes)
    else if (tag === ((2 << 3) | WireType.Varint)) nanos = reader.int32()
    else skip(reader, tag)
  }
  return { seconds, nanos }
}

/** The library reads 64 bits as a bigint, which is slow; seconds of any year fit five bytes of seven bits. */
function readSeconds(reader: BinaryReader, bytes: Uint8Array): number {
  let seconds = 0
  for (let index = 0, unit = 1; index < 5; index++, unit *= 128) {
    const byte = bytes[reader.pos + index] ?? 0
    seconds += (byte & 127) * unit
    if (byte < 128) {
      reader.pos += index + 1
      return seconds
    }
  }
  return Number(reader.int64())
}
