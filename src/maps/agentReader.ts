// SPDX-License-Identifier: Apache-2.0

import type { AgentClient } from '../../cluster/agentClient.ts'
import { PlumblineError } from '../../cluster/errors.ts'
import type { NodeMap } from '../../core/ebpf/maps/nodeMaps.ts'
import type { MapReader } from './mapReader.ts'

/** Between two readings of a watched map. */
const INTERVAL_MS = 1_000

/** Reads a map on its node. A pinned one may be replaced by another at the same path; then that one is read. */
export function agentReader(
  map: Pick<NodeMap, 'id' | 'name' | 'path'>,
  connect: (signal: AbortSignal) => Promise<AgentClient>,
): MapReader {
  let { id } = map
  return {
    async read({ filters, limit, signal }, sink) {
      const { streamMap, shapeOf } = await import('../../cluster/maps.ts')
      const agent = await connect(signal)
      const read = (reference: { readonly id: number } | { readonly path: string }) =>
        streamMap(
          agent,
          { ...reference, filters },
          {
            start: (info) => {
              ;({ id } = info)
              sink.shape({ ...shapeOf(info), name: map.name })
            },
            entries: (entries, scanned) => sink.entries(entries, scanned),
          },
          { limit, signal },
        )
      const { scanned, resume, incomplete } = await read({ id }).catch((error: unknown) => {
        if (map.path === undefined || !PlumblineError.is(error, 'not-found')) throw error
        return read({ path: map.path })
      })
      return { scanned, truncated: resume !== undefined, incomplete }
    },
    async watch({ filters, signal }, sink) {
      const { watchMap } = await import('../../cluster/maps.ts')
      const watcher = {
        start: () => {},
        difference: ({ added, changed, removed, more }: Parameters<typeof sink.changes>[0]) =>
          sink.changes({ added, changed, removed, more }),
      }
      return watchMap(await connect(signal), { id, filters }, INTERVAL_MS, watcher, signal)
    },
  }
}
