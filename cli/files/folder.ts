// SPDX-License-Identifier: Apache-2.0

import { lstatSync, readdirSync, realpathSync } from 'node:fs'
import { join, sep } from 'node:path'
import { FactsError } from '../../core/facts/error.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { fileError, readBytes } from './reading.ts'

const MAX_FILES = 20_000

/** A folder as fact files: listed now, read when asked for. Symbolic links must lead to files inside. Throws FactsError. */
export function folderFiles(folder: string): FactFiles {
  const root = realpathSync(folder)
  const paths: string[] = []
  walk({ root, folder, paths }, '')
  paths.sort()
  const known = new Set(paths)
  return {
    name: folder,
    list: () => paths,
    read: (path) => (known.has(path) ? readBytes(realFile(root, join(folder, path))) : undefined),
  }
}

interface Walk {
  /** The folder, links resolved. */
  readonly root: string
  readonly folder: string
  readonly paths: string[]
}

function walk(at: Walk, below: string): void {
  for (const entry of readEntries(join(at.folder, below))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) walk(at, path)
    else if (entry.isSymbolicLink()) at.paths.push(checkedLink(at, path))
    else if (entry.isFile()) at.paths.push(path)
    if (at.paths.length > MAX_FILES) throw new FactsError(`has more than ${MAX_FILES} files`, { file: at.folder })
  }
}

/** Refused at once, so that a link that leaves the bundle is never taken for a file that is merely unreadable. */
function checkedLink({ root, folder }: Walk, path: string): string {
  realFile(root, join(folder, path))
  return path
}

function realFile(root: string, place: string): string {
  try {
    const real = realpathSync(place)
    if (!real.startsWith(root + sep)) throw new FactsError('is a symbolic link that leaves the bundle', { file: place })
    if (!lstatSync(real).isFile()) throw new FactsError('is a symbolic link to something else than a file', { file: place })
    return real
  } catch (error) {
    throw error instanceof FactsError ? error : fileError(error, place)
  }
}

function readEntries(place: string) {
  try {
    return readdirSync(place, { withFileTypes: true })
  } catch (error) {
    throw fileError(error, place)
  }
}
