// SPDX-License-Identifier: Apache-2.0

import { LineCounter, type Node, parseDocument, stringify } from 'yaml'
import type { FactFiles } from '../../core/facts/files.ts'
import { isRecord, parseJson } from '../../core/facts/text.ts'

export interface ObjectName {
  /** As the answer names it: a kind, or a resource's plural. */
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** The object in the lists of a bundle, with its apiVersion and kind. */
export function findObject(files: FactFiles, wanted: ObjectName): Readonly<Record<string, unknown>> | undefined {
  for (const path of files.list().filter((file) => file.startsWith('objects/'))) {
    const list = parseJson(files.read(path) ?? new Uint8Array(), path)
    if (!isRecord(list) || !Array.isArray(list['items'])) continue
    const kind = String(list['kind'] ?? '').replace(/List$/, '')
    const named = [kind.toLowerCase(), path.slice('objects/'.length, -'.json'.length)]
    const found = list['items'].find((item: unknown) => {
      const own = isRecord(item) && typeof item['kind'] === 'string' ? [item['kind'].toLowerCase()] : named
      return own.includes(wanted.kind.toLowerCase()) && isNamed(item, wanted)
    })
    if (isRecord(found)) return { apiVersion: list['apiVersion'], kind, ...found }
  }
  return undefined
}

function isNamed(item: unknown, { namespace, name }: ObjectName): boolean {
  const metadata = isRecord(item) ? item['metadata'] : undefined
  return isRecord(metadata) && metadata['name'] === name && (namespace === '' || metadata['namespace'] === namespace)
}

export function objectText(object: Readonly<Record<string, unknown>>): string {
  return stringify(object, { lineWidth: 0 })
}

/**
 * Line (from 0) of a field in a YAML text. The field is written as "spec.ingress[0].from" or as a JSON pointer; of a field
 * that isn't there, its nearest parent.
 */
export function lineOfField(text: string, field: string): number {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const steps = field.split(/[./[\]]+/).filter((step) => step !== '')
  for (let depth = steps.length; depth > 0; depth -= 1) {
    const keys = steps.slice(0, depth).map((step) => (/^\d+$/.test(step) ? Number(step) : step))
    const node = document.getIn(keys, true) as Node | undefined
    if (node?.range) return lines.linePos(node.range[0]).line - 1 - (isBelowKey(text, node.range[0]) ? 1 : 0)
  }
  return 0
}

/** A mapping or list begins on the line after its key; the key is what one wants to see. */
function isBelowKey(text: string, offset: number): boolean {
  return /:[ \t]*\n[ \t]*$/.test(text.slice(0, offset))
}
