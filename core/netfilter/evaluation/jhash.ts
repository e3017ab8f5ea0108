// SPDX-License-Identifier: Apache-2.0

/** The kernel's jhash2 over 32-bit words (include/linux/jhash.h), by which NAT picks an address from a range. */
export function jhash2(words: readonly number[], seed: number): number {
  let [a, b, c] = [0, 0, 0].map(() => (0xdeadbeef + (words.length << 2) + seed) | 0) as [number, number, number]
  let at = 0
  let left = words.length
  for (; left > 3; left -= 3, at += 3) {
    a = (a + word(words, at)) | 0
    b = (b + word(words, at + 1)) | 0
    c = (c + word(words, at + 2)) | 0
    a = ((a - c) ^ rotate(c, 4)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rotate(a, 6)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rotate(b, 8)) | 0
    b = (b + a) | 0
    a = ((a - c) ^ rotate(c, 16)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rotate(a, 19)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rotate(b, 4)) | 0
    b = (b + a) | 0
  }
  if (left > 2) c = (c + word(words, at + 2)) | 0
  if (left > 1) b = (b + word(words, at + 1)) | 0
  if (left > 0) {
    a = (a + word(words, at)) | 0
    c = ((c ^ b) - rotate(b, 14)) | 0
    a = ((a ^ c) - rotate(c, 11)) | 0
    b = ((b ^ a) - rotate(a, 25)) | 0
    c = ((c ^ b) - rotate(b, 16)) | 0
    a = ((a ^ c) - rotate(c, 4)) | 0
    b = ((b ^ a) - rotate(a, 14)) | 0
    c = ((c ^ b) - rotate(b, 24)) | 0
  }
  return c >>> 0
}

function word(words: readonly number[], at: number): number {
  return words[at] ?? 0
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}

/** A 32-bit hash scaled to 0 … range - 1 (reciprocal_scale). */
export function scale(hash: number, range: number): number {
  return Number((BigInt(hash) * BigInt(range)) >> 32n)
}

/** A 32-bit number as a little-endian machine sees it when the network wrote it. */
export function swapBytes(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
}
