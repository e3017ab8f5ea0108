// SPDX-License-Identifier: Apache-2.0

import { isRecord } from '../facts/text.ts'

/**
 * Checks a value against a JSON Schema (draft 2020-12), as far as the schemas in protocol/ go; a keyword that is not known
 * here is an error, so that nothing is thought to be checked and is not. Returns what is wrong, each with its place.
 */
export function schemaErrors(schema: unknown, value: unknown): readonly string[] {
  return check({ root: schema, schema, value, place: '' })
}

interface Visit {
  readonly root: unknown
  readonly schema: unknown
  readonly value: unknown
  /** JSON pointer. */
  readonly place: string
}

type Keyword = (visit: Visit, argument: unknown) => readonly string[]

const ANNOTATIONS = new Set(['$schema', '$id', '$defs', 'title', 'description'])

function check(visit: Visit): readonly string[] {
  const { schema, place } = visit
  if (!isRecord(schema)) throw new Error(`no schema for ${place}`)
  return Object.entries(schema).flatMap(([name, argument]) => {
    if (ANNOTATIONS.has(name)) return []
    const keyword = KEYWORDS[name]
    if (keyword === undefined) throw new Error(`unknown keyword "${name}"`)
    return keyword(visit, argument)
  })
}

const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $ref: (visit, to) => check({ ...visit, schema: resolve(visit.root, String(to)) }),
  type: (visit, types) =>
    wrong(
      visit,
      [types].flat().some((type) => hasType(visit.value, type)),
      `is not of type ${[types].flat().join(' or ')}`,
    ),
  // Of plain values alone: no schema here asks for a list or an object.
  const: (visit, wanted) => wrong(visit, visit.value === wanted, `is not ${JSON.stringify(wanted)}`),
  enum: (visit, allowed) => wrong(visit, [allowed].flat().includes(visit.value), `is none of ${JSON.stringify(allowed)}`),
  required: (visit, names) =>
    [names]
      .flat()
      .flatMap((name) => wrong(visit, !isRecord(visit.value) || Object.hasOwn(visit.value, String(name)), `lacks ${name}`)),
  properties: (visit, properties) =>
    Object.entries(isRecord(properties) ? properties : {}).flatMap(([name, schema]) =>
      isRecord(visit.value) && Object.hasOwn(visit.value, name)
        ? check({ ...visit, schema, value: visit.value[name], place: `${visit.place}/${name}` })
        : [],
    ),
  items: (visit, schema) =>
    Array.isArray(visit.value)
      ? visit.value.flatMap((value, index) => check({ ...visit, schema, value, place: `${visit.place}/${index}` }))
      : [],
  minItems: (visit, least) =>
    wrong(visit, !Array.isArray(visit.value) || visit.value.length >= Number(least), 'has too few items'),
  maxItems: (visit, most) =>
    wrong(visit, !Array.isArray(visit.value) || visit.value.length <= Number(most), 'has too many items'),
  minLength: (visit, least) =>
    wrong(visit, typeof visit.value !== 'string' || visit.value.length >= Number(least), 'is too short'),
  pattern: (visit, pattern) =>
    wrong(visit, typeof visit.value !== 'string' || new RegExp(String(pattern), 'u').test(visit.value), `is not like ${pattern}`),
  minimum: (visit, least) => wrong(visit, typeof visit.value !== 'number' || visit.value >= Number(least), `is below ${least}`),
  maximum: (visit, most) => wrong(visit, typeof visit.value !== 'number' || visit.value <= Number(most), `is above ${most}`),
  anyOf: (visit, schemas) => alternatives(visit, schemas, (matching) => matching >= 1),
  oneOf: (visit, schemas) => alternatives(visit, schemas, (matching) => matching === 1),
}

function wrong({ place, value }: Visit, holds: boolean, reason: string): readonly string[] {
  return holds ? [] : [`${place === '' ? '/' : place} ${reason}: ${JSON.stringify(value)?.slice(0, 80)}`]
}

function alternatives(visit: Visit, schemas: unknown, enough: (matching: number) => boolean): readonly string[] {
  const results = [schemas].flat().map((schema) => check({ ...visit, schema }))
  if (enough(results.filter((errors) => errors.length === 0).length)) return []
  return [...wrong(visit, false, 'matches none or too many of the alternatives'), ...results.flat()]
}

function resolve(root: unknown, reference: string): unknown {
  return reference
    .split('/')
    .slice(1)
    .reduce<unknown>((schema, name) => (isRecord(schema) ? schema[name] : undefined), root)
}

function hasType(value: unknown, type: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isRecord(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}
