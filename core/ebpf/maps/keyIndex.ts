// SPDX-License-Identifier: Apache-2.0

const FREE = 0
const DELETED = 0xffffffff

/** Where a key's entry is, for millions of keys in eight bytes each: open addressing over row numbers; keys stay where they are. */
export class KeyIndex {
  readonly #keyOf: (row: number) => Uint8Array
  /** Row + 1 in each slot. */
  #slots = new Uint32Array(1024)
  #used = 0

  constructor(keyOf: (row: number) => Uint8Array) {
    this.#keyOf = keyOf
  }

  /** -1 when there is none. */
  find(key: Uint8Array): number {
    const slot = this.#slotOf(key)
    return slot < 0 ? -1 : (this.#slots[slot] ?? 0) - 1
  }

  /** The key must not be there yet. */
  add(key: Uint8Array, row: number): void {
    if (2 * (this.#used + 1) > this.#slots.length) this.#grow()
    this.#put(key, row)
  }

  delete(key: Uint8Array): void {
    const slot = this.#slotOf(key)
    if (slot >= 0) this.#slots[slot] = DELETED
  }

  #slotOf(key: Uint8Array): number {
    const mask = this.#slots.length - 1
    for (let slot = hash(key) & mask; ; slot = (slot + 1) & mask) {
      const held = this.#slots[slot] ?? FREE
      if (held === FREE) return -1
      if (held !== DELETED && same(this.#keyOf(held - 1), key)) return slot
    }
  }

  #put(key: Uint8Array, row: number): void {
    const mask = this.#slots.length - 1
    let slot = hash(key) & mask
    while (this.#slots[slot] !== FREE) slot = (slot + 1) & mask
    this.#slots[slot] = row + 1
    this.#used++
  }

  /** Twice the room, without the deleted ones. */
  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(2 * old.length)
    this.#used = 0
    for (const held of old) if (held !== FREE && held !== DELETED) this.#put(this.#keyOf(held - 1), held - 1)
  }
}

/** FNV-1a, stirred at the end: keys differ in few bytes, and the low bits pick the slot. */
function hash(key: Uint8Array): number {
  let value = 0x811c9dc5
  for (let i = 0; i < key.length; i++) value = Math.imul(value ^ (key[i] ?? 0), 0x01000193)
  value ^= value >>> 16
  value = Math.imul(value, 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}
