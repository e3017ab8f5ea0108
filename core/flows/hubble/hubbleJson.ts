// SPDX-License-Identifier: Apache-2.0

import { isRecord } from '../../facts/text.ts'
import type { FlowEvent } from '../flow.ts'
import { eventOf, responseOf } from './hubbleEvent.ts'
import { FLOW, RESPONSE } from './messages.ts'
import { type Field, type Message, NOTHING } from './schema.ts'
import { formatTimestamp, parseTimestamp } from '../time.ts'

/**
 * Reads one line as `hubble observe -o json` (or jsonpb) and Hubble's exporter write it; also the bare flows of old clients. Takes
 * field names in either spelling of protobuf's JSON; passes over fields that are not known.
 *
 * @throws Error that says what is wrong in the line, and where in it.
 */
export function readHubbleLine(line: string): FlowEvent {
  const value = parseJson(line)
  if (!isRecord(value)) throw new Error('is not an object of JSON')
  const names = Object.keys(value)
  const envelope = names.some((name) => RESPONSE.byName.get(name)?.kind === 'message')
  if (!envelope && names.some((name) => FLOW_SIGNS.has(name))) {
    const flow = readMessage(value, FLOW, 'flow')
    return { kind: 'flow', flow, nodeName: flow.nodeName, time: flow.time }
  }
  const what = names.find((name) => !RESPONSE.byName.has(name))
  return eventOf(readMessage(value, RESPONSE, ''), what)
}

/** What the hubble client prints of an event with `-o json`, without the end of the line. */
export function hubbleLine(event: FlowEvent): string {
  return goEscapes(JSON.stringify(writeMessage(responseOf(event), RESPONSE)))
}

/** A message in protobuf's JSON with the names of the .proto file. */
export function writeMessage<T>(value: T, message: Message<T>): Record<string, unknown> {
  const json: Record<string, unknown> = {}
  for (const field of message.fields) {
    const written = writeField((value as Record<string, unknown>)[field.key], field)
    if (written !== undefined) json[field.name] = written
  }
  return json
}

/** Names that a flow has, and an envelope has not. */
const FLOW_SIGNS = new Set(['verdict', 'IP', 'l4', 'source', 'destination', 'Type', 'uuid'])

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new Error(`is not JSON: ${error instanceof Error ? error.message : error}`)
  }
}

/** @throws Error that names the place. */
export function readMessage<T>(json: Readonly<Record<string, unknown>>, message: Message<T>, place: string): T {
  const value = message.copy(message.empty) as Record<string, unknown>
  for (const name in json) {
    const field = message.byName.get(name)
    const given = json[name]
    if (field === undefined || given === null) continue
    value[field.key] = readField(given, field, place === '' ? name : `${place}.${name}`)
  }
  return value as T
}

function readField(json: unknown, field: Field, place: string): unknown {
  if (!field.repeated) return readValue(json, field, place)
  if (!Array.isArray(json)) throw new Error(`\`${place}\` is not a list`)
  return json.length === 0 ? NOTHING : json.map((each, index) => readValue(each, field, `${place}[${index}]`))
}

function readValue(json: unknown, field: Field, place: string): unknown {
  switch (field.kind) {
    case 'string':
      if (typeof json === 'string') return json
      break
    case 'bool':
    case 'boolValue':
      if (typeof json === 'boolean') return json
      break
    case 'uint32':
      return readInteger(json, 0, 0xffff_ffff, place)
    case 'int32':
    case 'int32Value':
      return readInteger(json, -0x8000_0000, 0x7fff_ffff, place)
    case 'uint64':
      if (typeof json === 'string' && /^\d{1,20}$/.test(json)) return BigInt.asUintN(64, BigInt(json))
      if (typeof json === 'number' && Number.isSafeInteger(json) && json >= 0) return BigInt(json)
      break
    case 'enum':
      if (typeof json === 'string') return json
      if (Number.isInteger(json)) return field.names?.name(Number(json))
      break
    case 'timestamp': {
      const time = typeof json === 'string' ? parseTimestamp(json) : undefined
      if (time !== undefined) return time
      break
    }
    case 'message':
      if (isRecord(json) && field.message !== undefined) return readMessage(json, field.message, place)
      break
  }
  throw new Error(`\`${place}\` is no ${EXPECTED[field.kind]}: ${JSON.stringify(json).slice(0, 40)}`)
}

const EXPECTED: Readonly<Record<Field['kind'], string>> = {
  string: 'text',
  bool: 'truth value',
  boolValue: 'truth value',
  uint32: 'number',
  int32: 'number',
  int32Value: 'number',
  uint64: 'whole number of 64 bits',
  enum: 'name of a value',
  timestamp: 'time (RFC 3339)',
  message: 'object',
}

function readInteger(json: unknown, least: number, most: number, place: string): number {
  const number = typeof json === 'string' && /^-?\d+$/.test(json) ? Number(json) : json
  if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number
  throw new Error(`\`${place}\` is no whole number from ${least} to ${most}: ${JSON.stringify(json).slice(0, 40)}`)
}

/** Undefined where protobuf's JSON leaves a field out: absent messages, defaults, empty lists. */
function writeField(value: unknown, field: Field): unknown {
  if (field.repeated) {
    const values = value as readonly unknown[]
    return values.length === 0 ? undefined : values.map((each) => writeValue(each, field))
  }
  if (value === null) return undefined
  if (field.kind === 'boolValue' || field.kind === 'int32Value') return value
  if (value === '' || value === 0 || value === 0n || value === false) return undefined
  if (field.kind === 'enum' && field.names?.number(String(value)) === 0) return undefined
  return writeValue(value, field)
}

function writeValue(value: unknown, field: Field): unknown {
  switch (field.kind) {
    case 'uint64':
      return String(value)
    case 'enum':
      return /^-?\d+$/.test(String(value)) ? Number(value) : value
    case 'timestamp':
      return formatTimestamp(value as Parameters<typeof formatTimestamp>[0])
    case 'message':
      return field.message === undefined ? undefined : writeMessage(value, field.message)
    default:
      return value
  }
}

/** Go's JSON encoder also writes these characters as escapes. */
function goEscapes(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
