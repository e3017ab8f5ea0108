// SPDX-License-Identifier: Apache-2.0

import { lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join, sep } from 'node:path'
import { FactsError } from '../../core/facts/error.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { fileError } from './reading.ts'

const MAX_FILES = 20_000

/** A folder as fact files: listed now, read when asked for. Symbolic links must stay inside. Throws FactsError. */
export function folderFiles(folder: string): FactFiles {
  const root = realpathSync(folder)
  const paths: string[] = []
  walk(folder, '', paths)
  paths.sort()
  const known = new Set(paths)
  return {
    name: folder,
    list: () => paths,
    read: (path) => (known.has(path) ? readInside(root, folder, path) : undefined),
  }
}

function walk(folder: string, below: string, paths: string[]): void {
  const place = join(folder, below)
  for (const entry of readEntries(place)) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) walk(folder, path, paths)
    else if (entry.isFile() || entry.isSymbolicLink()) paths.push(path)
    if (paths.length > MAX_FILES) throw new FactsError(`has more than ${MAX_FILES} files`, { file: folder })
  }
}

function readEntries(place: string) {
  try {
    return readdirSync(place, { withFileTypes: true })
  } catch (error) {
    throw fileError(error, place)
  }
}

function readInside(root: string, folder: string, path: string): Uint8Array {
  const place = join(folder, path)
  try {
    const real = realpathSync(place)
    if (!real.startsWith(root + sep)) throw new FactsError('is a symbolic link that leaves the bundle', { file: place })
    if (!lstatSync(real).isFile()) throw new FactsError('is a symbolic link to something else than a file', { file: place })
    return readFileSync(real)
  } catch (error) {
    throw error instanceof FactsError ? error : fileError(error, place)
  }
}
