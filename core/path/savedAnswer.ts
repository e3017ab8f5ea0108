// SPDX-License-Identifier: Apache-2.0

import schema from '../../protocol/trace.schema.json' with { type: 'json' }
import { FactsError } from '../facts/error.ts'
import { isRecord, parseJson } from '../facts/text.ts'
import { schemaErrors } from '../text/jsonSchema.ts'
import { TRACE_SCHEMA, type TraceAnswer } from './answer.ts'

/** Reads an answer that was saved as JSON. Throws FactsError for anything that is none, or one of a newer version. */
export function parseSavedAnswer(bytes: Uint8Array, file: string): TraceAnswer {
  const value = parseJson(bytes, file)
  const version = isRecord(value) && typeof value['schema'] === 'string' ? value['schema'] : undefined
  if (version === undefined) throw new FactsError('is no saved trace: it names no `schema`', { file })
  if (version !== TRACE_SCHEMA) throw new FactsError(refusal(version), { file })
  const [first, ...more] = schemaErrors(schema, value)
  if (first === undefined) return value as unknown as TraceAnswer
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`
  throw new FactsError(`is no valid ${TRACE_SCHEMA}: ${first}${others}`, { file })
}

function refusal(version: string): string {
  const newer = /^plumbline\.trace\/v(\d+)$/.exec(version)
  if (newer === null) return `is no saved trace: its schema is \`${version.slice(0, 80)}\``
  return `was written by a newer Plumbline (${version.slice(0, 80)}); this one reads ${TRACE_SCHEMA}`
}
