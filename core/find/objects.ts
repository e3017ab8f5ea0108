// SPDX-License-Identifier: Apache-2.0

import type { FactFiles } from '../facts/files.ts'
import { isRecord, parseJson } from '../facts/text.ts'
import type { Found, FindSink } from './found.ts'
import { type Mention, mentionedIn, type Wanted } from './wanted.ts'

/** Bookkeeping of the API server repeats fields without their meaning. */
const SKIPPED: ReadonlySet<string> = new Set(['managedFields', 'kubectl.kubernetes.io/last-applied-configuration'])
/** Of one object; an endpoint slice can name an address many times. */
const MOST_FIELDS = 8

/** Fields of the cluster's objects, of every kind there is, that hold what is wanted. */
export function findInObjects(files: FactFiles, path: string, wanted: Wanted, sink: FindSink): void {
  const bytes = files.read(path)
  const list = bytes === undefined ? undefined : parseJson(bytes, path)
  if (!isRecord(list) || !Array.isArray(list['items'])) return
  const kind = String(list['kind'] ?? '').replace(/List$/, '')
  const apiVersion = String(list['apiVersion'] ?? '')
  for (const item of list['items'] as unknown[]) {
    if (isRecord(item)) findInObject({ kind, apiVersion, ...item }, wanted, sink)
  }
}

function findInObject(object: Readonly<Record<string, unknown>>, wanted: Wanted, sink: FindSink): void {
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {}
  const [kind, namespace, name] = [object['kind'], metadata['namespace'] ?? '', metadata['name'] ?? ''].map(String) as [
    string,
    string,
    string,
  ]
  const told = new Set<string>()
  const report = (field: string, value: string, mention: Mention) => {
    // status.podIP and status.podIPs[0].ip say the same.
    if (told.size >= MOST_FIELDS || told.has(value + field.replace(/\[\d+\]/g, ''))) return
    told.add(value + field.replace(/\[\d+\]/g, ''))
    const found: Found = {
      group: 'objects',
      node: '',
      place: `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`,
      text: `${field}: ${value}`,
      within: mention.how === 'exact' ? undefined : mention.bits,
      evidence: { kind: 'object', apiVersion: String(object['apiVersion'] ?? ''), object: kind, namespace, name, field },
    }
    sink(found)
  }
  if (wanted.identity !== undefined && kind === 'CiliumIdentity' && name === String(wanted.identity))
    report('metadata.name', name, { how: 'exact' })
  walk(object, '', wanted, report)
}

function walk(
  value: unknown,
  field: string,
  wanted: Wanted,
  report: (field: string, value: string, mention: Mention) => void,
): void {
  if (typeof value === 'string') {
    const mention = mentionedIn(value, wanted)
    if (mention !== undefined) report(field, value, mention)
  } else if (typeof value === 'number') {
    // Cilium's objects name identities by number, in fields called so.
    if (value === wanted.identity && /identity(\.id)?$/i.test(field)) report(field, String(value), { how: 'exact' })
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(item, `${field}[${index}]`, wanted, report)
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (!SKIPPED.has(key)) walk(item, field === '' ? key : `${field}.${key}`, wanted, report)
    }
  }
}
