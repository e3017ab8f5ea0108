// SPDX-License-Identifier: Apache-2.0

import { FactsError } from './error.ts'
import type { FactFiles } from './files.ts'
import { below } from './memory.ts'
import type { ProblemFact } from './node.ts'
import { isRecord, parseJson } from './text.ts'

export const BUNDLE_SCHEMA = 'plumbline.bundle/v1'
export const BUNDLE_HEADER = 'bundle.json'

/** bundle.json: what this folder is, and what could not be collected for the cluster as a whole. */
export interface BundleFile {
  readonly schema: typeof BUNDLE_SCHEMA
  /** RFC 3339, when collecting began. */
  readonly createdAt?: string
  /** Where it came from: the context's name. */
  readonly source?: string
  /** Version of Plumbline that wrote it. */
  readonly plumblineVersion?: string
  /** Objects and nodes that are missing, paths relative to the bundle. What a node misses is in its node.json. */
  readonly problems: readonly ProblemFact[]
}

/**
 * Where in `files` the bundle starts: its root, or the one folder a zip was made of. Undefined: there is no bundle.json at
 * either place.
 */
export function bundleRoot(files: FactFiles): string | undefined {
  const paths = files.list()
  if (paths.includes(BUNDLE_HEADER)) return ''
  const folder = paths[0]?.split('/', 1)[0]
  if (folder === undefined || !paths.every((path) => path.startsWith(`${folder}/`))) return undefined
  return paths.includes(`${folder}/${BUNDLE_HEADER}`) ? folder : undefined
}

/** The bundle in `files`, its header checked. Throws FactsError when it is none, broken, or of a newer schema. */
export function openBundle(files: FactFiles): { readonly header: BundleFile; readonly files: FactFiles } {
  const root = bundleRoot(files)
  if (root === undefined) throw new FactsError(`is not a bundle: it has no ${BUNDLE_HEADER}`, { file: files.name })
  const bundle = below(files, root)
  return { header: readHeader(bundle), files: bundle }
}

function readHeader(files: FactFiles): BundleFile {
  const place = { file: `${files.name}/${BUNDLE_HEADER}` }
  const header = parseJson(files.read(BUNDLE_HEADER) ?? new Uint8Array(), place.file)
  if (!isRecord(header)) throw new FactsError('is not a JSON object', place)
  checkSchema(header['schema'], place)
  const text = (key: string) => (typeof header[key] === 'string' ? { [key]: header[key] } : {})
  return {
    schema: BUNDLE_SCHEMA,
    ...text('createdAt'),
    ...text('source'),
    ...text('plumblineVersion'),
    problems: problemsOf(header['problems']),
  }
}

function checkSchema(schema: unknown, place: { readonly file: string }): void {
  if (schema === BUNDLE_SCHEMA) return
  const version = typeof schema === 'string' ? /^plumbline\.bundle\/v(\d+)$/.exec(schema)?.[1] : undefined
  if (version === undefined) {
    throw new FactsError(
      `has ${schema === undefined ? 'no schema' : `schema ${JSON.stringify(schema)}`}; "${BUNDLE_SCHEMA}" was expected`,
      place,
    )
  }
  throw new FactsError(
    `was written by a newer Plumbline: its schema is "${schema}", and this one reads "${BUNDLE_SCHEMA}"`,
    place,
  )
}

function problemsOf(value: unknown): readonly ProblemFact[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((problem: unknown) =>
    isRecord(problem) && typeof problem['path'] === 'string' && typeof problem['reason'] === 'string'
      ? [{ path: problem['path'], reason: problem['reason'] }]
      : [],
  )
}
