// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { PlumblineError, quoted } from '../../cluster/errors.ts'
import type { NodeMap } from '../../core/ebpf/maps/nodeMaps.ts'
import { strideOf } from '../../core/ebpf/maps/entryStore.ts'
import type { MapShape } from '../../core/ebpf/maps/table.ts'
import type { Facts, FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import type { MapReader } from './mapReader.ts'

/** Between two readings of a watched map. */
const INTERVAL_MS = 1_000

/** Reads a map where it is: on its node, or in the bundle. */
export function readerOf(source: FactSource, facts: Facts, node: string, map: NodeMap): MapReader {
  return source instanceof LiveSource ? agentReader(source, node, map) : storedReader(facts, node, map)
}

/** What is known of a map before its agent has described it. */
export function shapeOfMap({ name, keySize, valueSize, type, contents }: NodeMap): MapShape {
  return { name, keySize, valueSize, valuesPerEntry: contents?.valuesPerEntry ?? 1, perCpu: type.includes('percpu') }
}

/** A pinned map may be replaced by another one at the same path; then that one is read. */
function agentReader(source: LiveSource, node: string, map: NodeMap): MapReader {
  let { id } = map
  const connect = async (signal: AbortSignal) => (await source.connect({ signal })).agents.forNode(node, signal)
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

function storedReader({ files, cluster }: Facts, node: string, map: NodeMap): MapReader {
  return {
    async read({ limit }, sink) {
      const { contents } = map
      const bytes = contents === undefined ? undefined : files.read(contents.file)
      if (contents === undefined || bytes === undefined) {
        const reason = vscode.l10n.t(
          "The bundle doesn't hold the contents of {0}; snapshots take those of Cilium's maps",
          map.name,
        )
        throw new PlumblineError('api', reason)
      }
      const shape = shapeOfMap(map)
      const stride = strideOf(shape)
      const whole = Math.min(limit, Math.floor(bytes.length / stride))
      sink.shape(shape)
      await sink.entries(bytes.subarray(0, whole * stride), whole)
      const cut = bytes.length % stride
      const left = cut === 0 ? undefined : vscode.l10n.t('the file ends within an entry, {0} bytes of which are left out', cut)
      return {
        scanned: contents.count,
        truncated: contents.truncated,
        incomplete: contents.incomplete ?? left,
        takenAt: cluster.nodes.get(node)?.capturedAt,
      }
    },
  }
}

/** Why a map's contents can't be had, as its row and its panel say. */
export function whyUnreadable(source: FactSource, node: string, map: NodeMap): string | undefined {
  if (source instanceof LiveSource) {
    const agent = source.agents.find((pod) => pod.node === node)
    if (agent?.ready === true) return undefined
    return agent === undefined
      ? vscode.l10n.t('no agent on {0}', quoted(node))
      : vscode.l10n.t('the agent on {0} is not ready', quoted(node))
  }
  return map.contents === undefined ? vscode.l10n.t('its contents are not in the bundle') : undefined
}
