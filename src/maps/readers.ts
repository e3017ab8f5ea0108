// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import { PlumblineError, quoted } from '../../cluster/errors.ts'
import type { NodeMap } from '../../core/ebpf/maps/nodeMaps.ts'
import { strideOf } from '../../core/ebpf/maps/entryStore.ts'
import type { MapShape } from '../../core/ebpf/maps/table.ts'
import type { Facts, FactSource } from '../sources/factSource.ts'
import { LiveSource } from '../sources/liveSource.ts'
import { agentReader } from './agentReader.ts'
import type { MapReader } from './mapReader.ts'

/** Reads a map where it is: on its node, or in the bundle. */
export function readerOf(source: FactSource, facts: Facts, node: string, map: NodeMap): MapReader {
  if (!(source instanceof LiveSource)) return storedReader(facts, node, map)
  return agentReader(map, async (signal) => (await source.connect({ signal })).agents.forNode(node, signal))
}

/** What is known of a map before its agent has described it. */
export function shapeOfMap({ name, keySize, valueSize, type, contents }: NodeMap): MapShape {
  return { name, keySize, valueSize, valuesPerEntry: contents?.valuesPerEntry ?? 1, perCpu: type.includes('percpu') }
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
