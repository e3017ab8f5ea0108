// SPDX-License-Identifier: Apache-2.0

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { FactsError } from '../../core/facts/error.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { objectFiles } from '../../core/facts/manifests.ts'
import { readBytes, statFile } from './reading.ts'

const MANIFEST = /\.(ya?ml|json)$/i

/** Kubernetes objects from YAML and JSON files; of a folder, every such file below it. Throws FactsError. */
export function openManifests(paths: readonly string[]): FactFiles {
  const files = [...new Set(paths.flatMap(expand))]
  return objectFiles(
    paths.join(', '),
    files.map((file) => ({ file, bytes: readBytes(file) })),
  )
}

function expand(path: string): readonly string[] {
  if (path === '-' || !statFile(path).isDirectory()) return [path]
  const files = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && MANIFEST.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  if (files.length === 0) throw new FactsError('holds no .yaml, .yml or .json files', { file: path })
  return files
}
