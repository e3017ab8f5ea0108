// SPDX-License-Identifier: Apache-2.0

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { BUNDLE_HEADER } from '../../core/facts/bundle.ts'
import { FactsError } from '../../core/facts/error.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { isInnerPath } from '../../core/facts/path.ts'
import { packZip } from '../../core/facts/zip.ts'
import { looksLikeZip, readZipDirectory } from '../../core/facts/zipDirectory.ts'
import { fileError, readBytes, statFile } from './reading.ts'

/** Throws FactsError unless a bundle can be written to `path`: it is free, an empty folder, or a bundle already. */
export function checkBundleTarget(path: string): void {
  if (!existsSync(dirname(resolve(path)))) throw new FactsError('no such folder', { file: dirname(path) })
  if (!existsSync(path)) return
  const asZip = path.endsWith('.zip')
  if (statFile(path).isDirectory() === asZip) {
    throw new FactsError(asZip ? "is a folder; a zip can't replace it" : "is a file; a folder can't replace it", { file: path })
  }
  if (!(asZip ? holdsZippedBundle(path) : holdsBundle(path))) {
    throw new FactsError('exists and is not a bundle; it is left as it is', { file: path })
  }
}

/**
 * Writes a bundle: a zip if `path` ends so, else a folder. It appears whole or not at all, and replaces a bundle that was
 * there. Throws FactsError.
 */
export function writeBundle(files: FactFiles, path: string): void {
  checkBundleTarget(path)
  const work = mkdtempSync(join(dirname(resolve(path)), `.${basename(path)}-`))
  try {
    const fresh = join(work, 'new')
    if (path.endsWith('.zip')) writeFileSync(fresh, packZip(files), { mode: 0o600 })
    else writeFolder(files, fresh)
    if (existsSync(path)) renameSync(path, join(work, 'old'))
    renameSync(fresh, path)
  } catch (error) {
    throw error instanceof FactsError ? error : fileError(error, path)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function writeFolder(files: FactFiles, folder: string): void {
  for (const path of files.list()) {
    // Names of nodes come from the cluster.
    if (!isInnerPath(path)) throw new FactsError(`has an unsafe path, ${JSON.stringify(path)}`, { file: files.name })
    const place = join(folder, ...path.split('/'))
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 })
    writeFileSync(place, files.read(path) ?? new Uint8Array(), { mode: 0o600 })
  }
}

function holdsBundle(folder: string): boolean {
  const names = readdirSync(folder)
  return names.length === 0 || names.includes(BUNDLE_HEADER)
}

function holdsZippedBundle(path: string): boolean {
  const bytes = readBytes(path)
  return looksLikeZip(bytes) && readZipDirectory(bytes, path).some((entry) => entry.path === BUNDLE_HEADER)
}
