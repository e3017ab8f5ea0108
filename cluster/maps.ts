// SPDX-License-Identifier: Apache-2.0

/** Contents of eBPF maps, from the agent of their node. */

import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ByteFilter } from '../core/ebpf/maps/filterBytes.ts'
import type { MapShape } from '../core/ebpf/maps/table.ts'
import { ByteFilter_Part, type ByteFilterSchema, type MapDifference, type MapInfo } from '../gen/agent_pb.js'
import type { AgentClient } from './agentClient.ts'
import { PlumblineError, quoted } from './errors.ts'

/** A map by its id, or by where it is pinned. */
export type MapQuery = ({ readonly id: number } | { readonly path: string }) & { readonly filters?: readonly ByteFilter[] }

export interface MapDumpOptions {
  /** Entries to fetch; absent: all. */
  readonly limit?: number
  /** `resume` of an earlier dump. */
  readonly resume?: Uint8Array
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (scanned: number) => void
}

/** Hears a dump as it arrives; the node waits while it works. */
export interface MapReader {
  /** Told once, before any entries. */
  start(info: MapInfo): void | Promise<void>
  /** key|value|key|value… `scanned`: how many the node has looked at so far. */
  entries(entries: Uint8Array, scanned: number): void | Promise<void>
}

export interface MapEnd {
  /** Entries the node looked at. */
  readonly scanned: number
  /** Set when the limit ended the dump. */
  readonly resume: Uint8Array | undefined
  /** Why entries may be missing or repeated. */
  readonly incomplete: string | undefined
}

export interface DumpedMap extends MapEnd {
  readonly info: MapInfo
  readonly entries: Uint8Array
}

/** @throws PlumblineError also when the stream was cut: a part of a map is never passed off as the whole. */
export async function streamMap(
  agent: AgentClient,
  query: MapQuery,
  reader: MapReader,
  { limit = 0, resume = new Uint8Array(), signal }: MapDumpOptions = {},
): Promise<MapEnd> {
  let isKnown = false
  let end: MapEnd | undefined
  await agent.dumpMap(
    { ...reference(query), limit: BigInt(limit), resumeToken: resume },
    async ({ content }) => {
      if (content.case === 'map') {
        isKnown = true
        await reader.start(content.value)
      }
      if (content.case === 'entries') await reader.entries(content.value.entries, Number(content.value.scanned))
      if (content.case === 'done') {
        const { scanned, resumeToken, incomplete } = content.value
        end = {
          scanned: Number(scanned),
          resume: resumeToken.length === 0 ? undefined : resumeToken,
          incomplete: incomplete === '' ? undefined : incomplete,
        }
      }
    },
    signal,
  )
  if (isKnown && end !== undefined) return end
  throw new PlumblineError('tunnel', `The dump of map ${nameOf(query)} on ${quoted(agent.name)} ended early`)
}

/** The whole map at once. */
export async function dumpMap(agent: AgentClient, query: MapQuery, options: MapDumpOptions = {}): Promise<DumpedMap> {
  const parts: Uint8Array[] = []
  let info: MapInfo | undefined
  const reader: MapReader = {
    start(started) {
      info = started
    },
    entries(entries, scanned) {
      parts.push(entries)
      options.onProgress?.(scanned)
    },
  }
  const end = await streamMap(agent, query, reader, options)
  if (info === undefined)
    throw new PlumblineError('tunnel', `The dump of map ${nameOf(query)} on ${quoted(agent.name)} ended early`)
  return { info, entries: Buffer.concat(parts), ...end }
}

export interface MapWatcher {
  /** Told once, before any difference. */
  start(info: MapInfo): void | Promise<void>
  difference(difference: MapDifference): void | Promise<void>
}

/** Follows a map's changes; resolves with the reason once the map is gone. Aborting the signal throws CancelledError. */
export async function watchMap(
  agent: AgentClient,
  query: MapQuery,
  intervalMs: number,
  watcher: MapWatcher,
  signal?: AbortSignal,
): Promise<string> {
  let reason: string | undefined
  await agent.watchMap(
    { ...reference(query), intervalMilliseconds: intervalMs },
    async ({ content }) => {
      if (content.case === 'map') await watcher.start(content.value)
      if (content.case === 'difference') await watcher.difference(content.value)
      if (content.case === 'ended') reason = content.value.reason
    },
    signal,
  )
  if (reason === undefined)
    throw new PlumblineError('tunnel', `The watch of map ${nameOf(query)} on ${quoted(agent.name)} ended early`)
  return reason
}

function nameOf(query: MapQuery): string {
  return 'id' in query ? String(query.id) : query.path
}

function reference(query: MapQuery) {
  const map = 'id' in query ? { case: 'id' as const, value: query.id } : { case: 'pinnedPath' as const, value: query.path }
  return {
    map: { map },
    filters: (query.filters ?? []).map(
      ({ part, offset, mask, value }): MessageInitShape<typeof ByteFilterSchema> => ({
        part: part === 'key' ? ByteFilter_Part.KEY : ByteFilter_Part.VALUE,
        offset,
        mask,
        value,
      }),
    ),
  }
}

/** What the agent says of a map, as decoding needs it. `name` is its pinned name where it has one. */
export function shapeOf(info: MapInfo): MapShape {
  const { pinnedPath, btf } = info
  return {
    name: pinnedPath === '' ? info.name : pinnedPath.slice(pinnedPath.lastIndexOf('/') + 1),
    keySize: info.keySize,
    valueSize: info.valueSize,
    valuesPerEntry: info.valuesPerEntry,
    perCpu: info.entrySize !== info.keySize + info.valueSize || info.type.includes('percpu'),
    types:
      btf.length === 0 || info.btfValueTypeId === 0 ? undefined : { btf, key: info.btfKeyTypeId, value: info.btfValueTypeId },
  }
}
