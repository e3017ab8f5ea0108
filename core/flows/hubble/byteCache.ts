// SPDX-License-Identifier: Apache-2.0

/**
 * Remembers what bytes mean. Bounded: two generations of at most `capacity` values each; what was asked for lately survives. A
 * value is found by a hash, and only given out when all bytes are the same.
 */
export class ByteCache<T> {
  readonly #capacity: number
  #young = new Map<number, Remembered<T>>()
  #old = new Map<number, Remembered<T>>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** `kind` keeps apart what different kinds of values mean by the same bytes. */
  get(kind: object, bytes: DataView, from: number, to: number): T | undefined {
    const hash = hashOf(bytes, from, to)
    const young = this.#young.get(hash)
    if (young !== undefined && young.kind === kind && isSame(young.bytes, bytes, from, to)) return young.value
    const old = this.#old.get(hash)
    if (old === undefined || old.kind !== kind || !isSame(old.bytes, bytes, from, to)) return undefined
    this.#put(hash, old)
    return old.value
  }

  set(kind: object, bytes: DataView, from: number, to: number, value: T): void {
    const copy = bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + to)
    this.#put(hashOf(bytes, from, to), { kind, bytes: new DataView(copy), value })
  }

  #put(hash: number, remembered: Remembered<T>): void {
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(hash, remembered)
  }
}

interface Remembered<T> {
  readonly kind: object
  readonly bytes: DataView
  readonly value: T
}

/** Four bytes at a time; the last ones overlap what is before them. */
function hashOf(bytes: DataView, from: number, to: number): number {
  let hash = to - from
  let at = from
  for (; at + 4 <= to; at += 4) hash = Math.imul(hash ^ bytes.getInt32(at, true), 0x9e3779b1) ^ (hash >>> 15)
  if (at < to && to - from >= 4) hash = Math.imul(hash ^ bytes.getInt32(to - 4, true), 0x9e3779b1)
  else for (; at < to; at++) hash = Math.imul(hash ^ bytes.getUint8(at), 0x9e3779b1)
  // A small integer in every engine.
  return (hash ^ (hash >>> 15)) & 0x3fffffff
}

function isSame(known: DataView, bytes: DataView, from: number, to: number): boolean {
  const length = known.byteLength
  if (length !== to - from) return false
  let at = 0
  for (; at + 4 <= length; at += 4) if (known.getInt32(at, true) !== bytes.getInt32(from + at, true)) return false
  for (; at < length; at++) if (known.getUint8(at) !== bytes.getUint8(from + at)) return false
  return true
}
