// SPDX-License-Identifier: Apache-2.0

import { BUNDLE_HEADER, BUNDLE_SCHEMA, type BundleFile } from '../../core/facts/bundle.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import { packZip } from '../../core/facts/zip.ts'
import type { Facts } from './factSource.ts'

/** The facts as a zipped bundle. Its header says what is missing, since no reader can ask the cluster any more. */
export function packBundle({ files, partial }: Facts, source: string, version: string): Uint8Array {
  const contents = new Map(files.list().map((path) => [path, files.read(path) ?? new Uint8Array()]))
  const header: BundleFile = {
    schema: BUNDLE_SCHEMA,
    createdAt: new Date().toISOString(),
    source,
    plumblineVersion: version,
    problems: partial.map((text) => splitProblem(text)),
  }
  contents.set(BUNDLE_HEADER, Buffer.from(`${JSON.stringify(header)}\n`))
  return packZip(memoryFiles(source, contents))
}

function splitProblem(text: string): { path: string; reason: string } {
  const at = text.indexOf(': ')
  return at < 0 ? { path: '', reason: text } : { path: text.slice(0, at), reason: text.slice(at + 2) }
}
