// SPDX-License-Identifier: Apache-2.0

import { NftSyntaxError } from './ast.ts'

/** Looking into parsed JSON of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** The only property of an object: its name and value. */
export function only(json: unknown): readonly [string, unknown] {
  const entries = isObject(json) ? Object.entries(json) : []
  const [entry] = entries
  if (entry === undefined || entries.length !== 1) throw new NftSyntaxError('an object with one property was expected')
  return entry
}

export function optionalString(object: JsonObject, key: string): string | undefined {
  const value = object[key]
  return typeof value === 'string' ? value : undefined
}

export function stringIn(object: JsonObject, key: string): string {
  return optionalString(object, key) ?? missing(key, 'a string')
}

export function optionalNumber(object: JsonObject, key: string): number | undefined {
  const value = object[key]
  return typeof value === 'number' ? value : undefined
}

export function numberIn(object: JsonObject, key: string): number {
  return optionalNumber(object, key) ?? missing(key, 'a number')
}

/** A word, a list of them, or nothing. */
export function words(json: unknown): string[] {
  if (typeof json === 'string') return [json]
  return Array.isArray(json) ? json.filter((item) => typeof item === 'string') : []
}

/** Whether nothing in it lies deeper than `levels`. Recursive readers are safe for what passes. */
export function isShallow(json: unknown, levels: number): boolean {
  if (typeof json !== 'object' || json === null) return true
  if (levels === 0) return false
  for (const value of Object.values(json)) if (!isShallow(value, levels - 1)) return false
  return true
}

function missing(key: string, what: string): never {
  throw new NftSyntaxError(`"${key}" is not ${what}`)
}
