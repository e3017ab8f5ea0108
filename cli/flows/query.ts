// SPDX-License-Identifier: Apache-2.0

import type { JsonObject } from '@bufbuild/protobuf'
import type { FlowsRequest } from '../../cluster/hubble/flowsEvent.ts'
import type { FlowFilter, FlowQuery } from '../../core/flows/filter/filter.ts'
import { FilterError } from '../../core/text/filterError.ts'
import { filterJson } from '../../core/flows/filter/filterJson.ts'
import type { Timestamp } from '../../core/flows/flow.ts'
import { parseHubbleFlags } from '../../core/flows/filter/hubbleFlags.ts'
import { UsageError } from '../errors.ts'
import type { Options } from '../options.ts'
import { FILTER_OPTIONS, SELECTION_OPTIONS } from './options.ts'

/** As many as the hubble client shows when nothing is asked for. */
const DEFAULT_LAST = 20
/** More than any Hubble remembers; the hubble client sends 2^64 - 1, which JavaScript's numbers don't hold. */
const ALL = Number.MAX_SAFE_INTEGER
const HUBBLE = new Set([...SELECTION_OPTIONS.options, ...FILTER_OPTIONS.options].map(({ name }) => name))

/** What is asked, with the hubble client's defaults; of a recording everything. Throws UsageError. */
export function queryOf(options: Options, recorded: boolean): FlowQuery {
  const query = parsed(options)
  const chosen = query.last !== null || query.first !== null || query.since !== null || query.until !== null || query.follow
  return recorded || chosen ? query : { ...query, last: DEFAULT_LAST }
}

function parsed(options: Options): FlowQuery {
  const words = options.inOrder.filter(({ name }) => HUBBLE.has(name)).map(({ name, values }) => word(name, values))
  try {
    return parseHubbleFlags(words, now())
  } catch (error) {
    if (error instanceof FilterError) throw new UsageError(error.message)
    throw error
  }
}

function word(name: string, [value]: readonly string[]): string {
  return value === undefined ? `--${name}` : `--${name}=${value}`
}

function now(): Timestamp {
  const at = Date.now()
  return { seconds: Math.floor(at / 1000), nanos: (at % 1000) * 1e6 }
}

export function requestOf({ allow, deny, since, until, first, last, follow }: FlowQuery): FlowsRequest {
  return {
    whitelist: allow.map(json),
    blacklist: deny.map(json),
    since: since === null ? undefined : nanoseconds(since),
    // The hubble client, too, lets a stream that follows go on.
    until: until === null || follow ? undefined : nanoseconds(until),
    first: first ?? undefined,
    last: last === null ? undefined : Math.min(last, ALL),
    follow,
  }
}

function json(filter: FlowFilter): JsonObject {
  return filterJson(filter) as JsonObject
}

function nanoseconds({ seconds, nanos }: Timestamp): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos)
}
