// SPDX-License-Identifier: Apache-2.0

import type { EnumNames } from './enums.ts'
import type { Timestamp } from '../flow.ts'

/**
 * Messages described in data: one description reads and writes both Hubble's wire form and its JSON. Fields stand in the order of
 * the .proto file, which is the order of protobuf's JSON.
 */
export interface Message<T> {
  readonly fields: readonly Field[]
  readonly byNumber: readonly (Field | undefined)[]
  /** Fields of great numbers. */
  readonly sparse: ReadonlyMap<number, Field>
  /** By both names that protobuf's JSON takes: `pod_name`, `podName`. */
  readonly byName: ReadonlyMap<string, Field>
  /** The message when nothing of it is said. Not frozen: engines copy frozen objects at half the speed. Its lists are. */
  readonly empty: T
  /** A new message like the empty one. */
  copy(empty: T): T
}

export interface Field {
  readonly key: string
  readonly number: number
  readonly name: string
  readonly repeated: boolean
  readonly kind: Kind
  /** 0 for a varint, 2 for what is delimited by its length. */
  readonly wireType: 0 | 2
  readonly message: Message<unknown> | undefined
  readonly names: EnumNames | undefined
  /** Hardly two flows have the same value: not worth remembering. */
  readonly unique: boolean
}

export type Kind =
  | 'string'
  | 'bool'
  | 'uint32'
  | 'int32'
  | 'uint64'
  | 'enum'
  | 'timestamp'
  | 'boolValue'
  | 'int32Value'
  | 'message'

/** A field whose value is a `T`; the type is checked where the message is described, and is nothing at run time. */
type Spec<T> = Omit<Field, 'key'> & { readonly value?: T }

/**
 * Messages that come with every flow bring a `copy` of their own: engines copy objects ten times as fast where they only ever meet
 * one kind, and a place is a place in the source.
 */
export function message<T extends object>(
  specs: { readonly [K in keyof T]: Spec<T[K]> },
  copy: (empty: T) => T = (empty) => ({ ...empty }),
): Message<T> {
  const fields = Object.entries<Spec<unknown>>(specs).map(([key, spec]) => fieldFrom(key, spec))
  const byNumber: (Field | undefined)[] = []
  for (const field of fields) if (field.number < DENSE) byNumber[field.number] = field
  const sparse = new Map(fields.filter(({ number }) => number >= DENSE).map((field) => [field.number, field]))
  const byName = new Map(fields.flatMap((field) => [field.name, camelCase(field.name)].map((name) => [name, field] as const)))
  const empty = Object.fromEntries(fields.map((field) => [field.key, emptyValue(field)])) as T
  return { fields, byNumber, sparse, byName, empty, copy }
}

/** All fields are objects of one shape, so that engines read them fast. */
function fieldFrom(key: string, { number, name, repeated, kind, wireType, message: of, names, unique }: Spec<unknown>): Field {
  return { key, number, name, repeated, kind, wireType, message: of, names, unique }
}

const DENSE = 256

export function fieldOf<T>(message: Message<T>, number: number): Field | undefined {
  return number < DENSE ? message.byNumber[number] : message.sparse.get(number)
}

export const NOTHING: readonly never[] = Object.freeze([])

function emptyValue({ repeated, kind, names }: Omit<Field, 'key'>): unknown {
  if (repeated) return NOTHING
  switch (kind) {
    case 'string':
      return ''
    case 'bool':
      return false
    case 'uint32':
    case 'int32':
      return 0
    case 'uint64':
      return 0n
    case 'enum':
      return names?.name(0)
    default:
      return null
  }
}

function scalar(kind: Kind, number: number, name: string) {
  const wireType = VARINTS.has(kind) ? 0 : 2
  return { kind, number, name, wireType, repeated: false, unique: false, message: undefined, names: undefined } as const
}

const VARINTS: ReadonlySet<Kind> = new Set<Kind>(['bool', 'uint32', 'int32', 'uint64', 'enum'])

export const text = (number: number, name: string): Spec<string> => scalar('string', number, name)
export const uniqueText = (number: number, name: string): Spec<string> => ({ ...text(number, name), unique: true })
export const texts = (number: number, name: string): Spec<readonly string[]> => ({
  ...scalar('string', number, name),
  repeated: true,
})
export const flag = (number: number, name: string): Spec<boolean> => scalar('bool', number, name)
export const uint32 = (number: number, name: string): Spec<number> => scalar('uint32', number, name)
export const int32 = (number: number, name: string): Spec<number> => scalar('int32', number, name)
export const uint64 = (number: number, name: string): Spec<bigint> => scalar('uint64', number, name)
export const timestamp = (number: number, name: string): Spec<Timestamp | null> => scalar('timestamp', number, name)
export const boolValue = (number: number, name: string): Spec<boolean | null> => scalar('boolValue', number, name)
export const int32Value = (number: number, name: string): Spec<number | null> => scalar('int32Value', number, name)

export const flags = (number: number, name: string): Spec<readonly boolean[]> => ({
  ...scalar('bool', number, name),
  repeated: true,
})
export const uint32s = (number: number, name: string): Spec<readonly number[]> => ({
  ...scalar('uint32', number, name),
  repeated: true,
})
export const uint64s = (number: number, name: string): Spec<readonly bigint[]> => ({
  ...scalar('uint64', number, name),
  repeated: true,
})

export function enumerations(number: number, name: string, names: EnumNames): Spec<readonly string[]> {
  return { ...scalar('enum', number, name), names, repeated: true }
}

export function enumeration(number: number, name: string, names: EnumNames): Spec<string> {
  return { ...scalar('enum', number, name), names }
}

export function one<T>(number: number, name: string, of: Message<T>): Spec<T | null> {
  return { ...scalar('message', number, name), message: of }
}

export function uniqueOne<T>(number: number, name: string, of: Message<T>): Spec<T | null> {
  return { ...one(number, name, of), unique: true }
}

export function many<T>(number: number, name: string, of: Message<T>): Spec<readonly T[]> {
  return { ...scalar('message', number, name), message: of, repeated: true }
}

/** As protobuf derives a JSON name. */
function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}
