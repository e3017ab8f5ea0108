// SPDX-License-Identifier: Apache-2.0

import { Inflate, type Zippable, zipSync } from 'fflate'
import { FactsError } from './error.ts'
import type { FactFiles } from './files.ts'
import { memoryFiles } from './memory.ts'
import { readZipDirectory, truncated, type ZipEntry } from './zipDirectory.ts'

/** What opening a zip may cost. */
export interface ZipLimits {
  /** Bytes, all read entries together. */
  readonly unpacked: number
  /** Unpacked bytes per packed byte, of each entry that unpacks to more than `ratioFree`. */
  readonly ratio: number
  readonly ratioFree: number
}

export const ZIP_LIMITS: ZipLimits = { unpacked: 512 * 2 ** 20, ratio: 100, ratioFree: 2 ** 20 }

/** Packed bytes inflated at once: DEFLATE gives at most 1032 times as many, so a bomb is noticed within 16 MiB. */
const CHUNK = 16 * 2 ** 10

/**
 * Unpacks a zip into memory. `wanted` tells which entries to unpack; the others cost nothing. Declared sizes are not
 * trusted: inflating stops at the limit. Throws FactsError.
 */
export function unpackZip(
  bytes: Uint8Array,
  name: string,
  wanted: (path: string) => boolean = () => true,
  limits: ZipLimits = ZIP_LIMITS,
): FactFiles {
  const contents = new Map<string, Uint8Array>()
  let left = limits.unpacked
  for (const entry of readZipDirectory(bytes, name)) {
    if (!wanted(entry.path)) continue
    const content = unpackEntry(bytes, entry, name, left, limits)
    left -= content.length
    contents.set(entry.path, content)
  }
  return memoryFiles(name, contents)
}

/** Packs files in a zip whose bytes depend on nothing but the files: entries carry the format's earliest date. */
export function packZip(files: FactFiles): Uint8Array {
  const entries: Zippable = {}
  for (const path of files.list()) entries[path] = files.read(path) ?? new Uint8Array()
  return zipSync(entries, { level: 6, mtime: '1980-01-01T00:00:00' })
}

function unpackEntry(bytes: Uint8Array, entry: ZipEntry, name: string, left: number, limits: ZipLimits): Uint8Array {
  const packed = packedData(bytes, entry, name)
  const content = entry.method === 'stored' ? packed : inflate(packed, entry, name, left, limits)
  if (content.length > left) throw tooLarge(name, limits)
  if (crc32(content) !== entry.crc32) throw new FactsError(`entry ${JSON.stringify(entry.path)} is damaged`, { file: name })
  return content
}

function packedData(bytes: Uint8Array, entry: ZipEntry, name: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { offset } = entry
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== 0x04034b50) throw truncated(name)
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true)
  if (start + entry.compressedSize > bytes.length) throw truncated(name)
  return bytes.subarray(start, start + entry.compressedSize)
}

function inflate(packed: Uint8Array, entry: ZipEntry, name: string, left: number, limits: ZipLimits): Uint8Array {
  const highest = Math.max(limits.ratioFree, packed.length * limits.ratio)
  const parts: Uint8Array[] = []
  let size = 0
  const stream = new Inflate((part) => {
    size += part.length
    if (size > left) throw tooLarge(name, limits)
    if (size > highest) {
      throw new FactsError(`entry ${JSON.stringify(entry.path)} unpacks to more than ${limits.ratio} times its size`, {
        file: name,
      })
    }
    parts.push(part)
  })
  try {
    for (let at = 0; at < packed.length; at += CHUNK) stream.push(packed.subarray(at, at + CHUNK), at + CHUNK >= packed.length)
  } catch (error) {
    if (error instanceof FactsError) throw error
    throw new FactsError(`entry ${JSON.stringify(entry.path)} is damaged`, { file: name })
  }
  return concatenate(parts, size)
}

function concatenate(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function tooLarge(name: string, limits: ZipLimits): FactsError {
  return new FactsError(`unpacks to more than ${Math.round(limits.unpacked / 2 ** 20)} MiB`, { file: name })
}

/** CRC-32 of ISO 3309, as in APPNOTE.TXT 4.4.7. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value >>> 0
})
