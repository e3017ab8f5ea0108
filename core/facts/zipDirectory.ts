// SPDX-License-Identifier: Apache-2.0

import { FactsError } from './error.ts'
import { isInnerPath } from './path.ts'

/** One file of a zip, as its central directory declares it. Sizes are claims until the data was inflated. */
export interface ZipEntry {
  readonly path: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  readonly compressedSize: number
  /** Offset of the local header. */
  readonly offset: number
}

export const MAX_ENTRIES = 20_000

const END_SIZE = 22
const ENTRY_SIZE = 46
const UNIX_SYMLINK = 0o120000

/** Whether the bytes start as a zip does; an empty zip has only the end record. */
export function looksLikeZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && ((bytes[2] === 3 && bytes[3] === 4) || (bytes[2] === 5 && bytes[3] === 6))
}

/**
 * Reads the central directory (APPNOTE.TXT 4.3.12), folders left out. It is used instead of the local headers because those
 * may come without sizes. Throws FactsError for anything that could leave the bundle, stand for two files, or be unreadable.
 */
export function readZipDirectory(bytes: Uint8Array, name: string): readonly ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { count, start } = findDirectory(view, name)
  if (count > MAX_ENTRIES) throw new FactsError(`has ${count} entries; at most ${MAX_ENTRIES} are read`, { file: name })
  const entries: ZipEntry[] = []
  const seen = new Set<string>()
  let at = start
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_SIZE > bytes.length || view.getUint32(at, true) !== 0x02014b50) throw truncated(name)
    const nameEnd = at + ENTRY_SIZE + view.getUint16(at + 28, true)
    const path = new TextDecoder().decode(bytes.subarray(at + ENTRY_SIZE, nameEnd))
    checkPath(path, name)
    if (seen.has(path)) throw new FactsError(`has two entries named ${JSON.stringify(path)}`, { file: name })
    seen.add(path)
    if (!path.endsWith('/')) entries.push(readEntry(view, at, path, name))
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  }
  return entries
}

function findDirectory(view: DataView, name: string): { readonly count: number; readonly start: number } {
  const lowest = Math.max(0, view.byteLength - END_SIZE - 0xffff)
  for (let at = view.byteLength - END_SIZE; at >= lowest; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue
    const count = view.getUint16(at + 10, true)
    const start = view.getUint32(at + 16, true)
    if (count === 0xffff || start === 0xffffffff) throw new FactsError('is a zip64 archive, which is not read', { file: name })
    return { count, start }
  }
  throw truncated(name)
}

function readEntry(view: DataView, at: number, path: string, name: string): ZipEntry {
  const refuse = (reason: string) => new FactsError(`entry ${JSON.stringify(path)} ${reason}`, { file: name })
  if ((view.getUint16(at + 8, true) & 1) !== 0) throw refuse('is encrypted')
  if (((view.getUint32(at + 38, true) >>> 16) & 0o170000) === UNIX_SYMLINK) throw refuse('is a symbolic link')
  const method = view.getUint16(at + 10, true)
  if (method !== 0 && method !== 8) throw refuse(`uses compression method ${method}; only stored and deflated are read`)
  return {
    path,
    method: method === 0 ? 'stored' : 'deflated',
    crc32: view.getUint32(at + 16, true),
    compressedSize: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  }
}

function checkPath(path: string, name: string): void {
  if (!isInnerPath(path.endsWith('/') ? path.slice(0, -1) : path)) {
    throw new FactsError(`has an entry with an unsafe path, ${JSON.stringify(path)}`, { file: name })
  }
}

export function truncated(name: string): FactsError {
  return new FactsError('is truncated or not a zip', { file: name })
}
