// SPDX-License-Identifier: Apache-2.0

import { readFileSync, type Stats, statSync } from 'node:fs'
import { FactsError } from '../../core/facts/error.ts'

const MAX_FILE = 2 ** 30

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  ENOTDIR: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'is a folder, a file was expected',
  ELOOP: 'is a symbolic link that leads nowhere',
}

/** What went wrong with a file, as FactsError. */
export function fileError(error: unknown, file: string): FactsError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const message = error instanceof Error ? error.message : String(error)
  return new FactsError((code === undefined ? undefined : REASONS[code]) ?? `can't be read: ${message}`, { file })
}

/** Throws FactsError. */
export function statFile(file: string): Stats {
  try {
    return statSync(file)
  } catch (error) {
    throw fileError(error, file)
  }
}

/** The bytes of a regular file of at most 1 GiB; "-" is standard input. Throws FactsError. */
export function readBytes(file: string): Uint8Array {
  if (file !== '-') {
    const stats = statFile(file)
    if (stats.isDirectory()) throw new FactsError('is a folder, a file was expected', { file })
    if (stats.size > MAX_FILE) throw new FactsError('is larger than 1 GiB', { file })
  }
  try {
    return readFileSync(file === '-' ? 0 : file)
  } catch (error) {
    throw fileError(error, file)
  }
}
