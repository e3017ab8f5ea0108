// SPDX-License-Identifier: Apache-2.0

/**
 * Remembers what bytes mean. Bounded: two generations of at most `capacity` values each; what was asked for lately survives. A
 * value is found by a hash of some of the bytes, and only given out when all bytes are the same.
 */
export class ByteCache<T> {
  readonly #capacity: number
  #young = new Map<number, Remembered<T>>()
  #old = new Map<number, Remembered<T>>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** `kind` keeps apart what different kinds of values mean by the same bytes. */
  get(kind: object, bytes: Uint8Array, from: number, to: number): T | undefined {
    const hash = hashOf(bytes, from, to)
    const young = this.#young.get(hash)
    if (young !== undefined && isSame(young, kind, bytes, from, to)) return young.value
    const old = this.#old.get(hash)
    if (old === undefined || !isSame(old, kind, bytes, from, to)) return undefined
    this.#put(hash, old)
    return old.value
  }

  set(kind: object, bytes: Uint8Array, from: number, to: number, value: T): void {
    this.#put(hashOf(bytes, from, to), { kind, bytes: bytes.slice(from, to), value })
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
  readonly bytes: Uint8Array
  readonly value: T
}

/** Of at most some 60 bytes: both ends and steps between. FNV-1a. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from
  let hash = length ^ 0x811c9dc5
  const step = length <= 48 ? 1 : (length >>> 5) | 1
  for (let at = from; at < to; at += step) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  if (step > 1) for (let at = Math.max(from, to - 24); at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  // A small integer in every engine: those are compared without looking.
  return (hash ^ (hash >>> 15)) & 0x3fffffff
}

function isSame<T>(remembered: Remembered<T>, kind: object, bytes: Uint8Array, from: number, to: number): boolean {
  const known = remembered.bytes
  if (remembered.kind !== kind || known.length !== to - from) return false
  for (let index = 0; index < known.length; index++) if (known[index] !== bytes[from + index]) return false
  return true
}
