// SPDX-License-Identifier: Apache-2.0

import { type Document, isCollection, LineCounter, parseAllDocuments } from 'yaml'
import { FactsError } from './error.ts'
import { decodeText, isRecord, parseJson } from './text.ts'

/** One YAML or JSON file with Kubernetes objects. */
export interface Manifest {
  readonly file: string
  readonly bytes: Uint8Array
}

/** One document of a manifest, or one item of a list in it. */
export interface Located {
  readonly object: Readonly<Record<string, unknown>>
  readonly file: string
  /** Where it begins; unknown in JSON. */
  readonly line: number | undefined
}

/** Bounds what a small file with nested aliases may grow to. */
const MAX_ALIASES = 1000

/** Every object of a file, lists taken apart. Empty documents are nothing. Throws FactsError with file and line. */
export function readManifest(manifest: Manifest): readonly Located[] {
  const { file, bytes } = manifest
  if (file.endsWith('.json')) return split({ value: parseJson(bytes, file), file, lineOf: () => undefined })
  const lines = new LineCounter()
  const documents = parseAllDocuments(decodeText(bytes, file), { lineCounter: lines, merge: true })
  return Array.isArray(documents) ? documents.flatMap((document) => split(readDocument(document, lines, file))) : []
}

interface Tree {
  readonly value: unknown
  readonly file: string
  /** Of the whole document, or of one item of its list. */
  readonly lineOf: (item?: number) => number | undefined
}

function readDocument(document: Document.Parsed, lines: LineCounter, file: string): Tree {
  const error = document.errors[0]
  if (error !== undefined)
    throw new FactsError(`is not valid YAML: ${reasonOf(error)}`, { file, line: lines.linePos(error.pos[0]).line })
  const lineOf = (item?: number) => {
    const list = isCollection(document.contents) && item !== undefined ? document.contents.get('items', true) : undefined
    const start = rangeStart(isCollection(list) && item !== undefined ? list.items[item] : document.contents)
    return start === undefined ? undefined : lines.linePos(start).line
  }
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }), file, lineOf }
  } catch (thrown) {
    throw new FactsError(`can't be read: ${reasonOf(thrown)}`, { file, line: lineOf() })
  }
}

function split({ value, file, lineOf }: Tree): readonly Located[] {
  if (value === null || value === undefined) return []
  if (!isRecord(value))
    throw new FactsError('is not a Kubernetes object: the document is not a mapping', { file, line: lineOf() })
  const items = value['items']
  if (!Array.isArray(items)) return [{ object: value, file, line: lineOf() }]
  return items.map((item: unknown, index) => {
    if (!isRecord(item))
      throw new FactsError(`is not a Kubernetes list: item ${index} is not an object`, { file, line: lineOf(index) })
    return { object: inheritKind(item, value), file, line: lineOf(index) }
  })
}

/** Items of a typed list (PodList) don't repeat what the list says. */
function inheritKind(item: Located['object'], list: Located['object']): Located['object'] {
  const { apiVersion, kind } = list
  if (item['kind'] !== undefined || typeof kind !== 'string' || !/^.+List$/.test(kind)) return item
  return { apiVersion, kind: kind.slice(0, -'List'.length), ...item }
}

/** The yaml library's message without its position and its picture of the place. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return (message.split('\n', 1)[0] ?? message).replace(/ at line \d+, column \d+:?$/, '')
}

function rangeStart(node: unknown): number | undefined {
  const range = isRecord(node) ? node['range'] : undefined
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined
}
