// SPDX-License-Identifier: Apache-2.0

/**
 * Puts a UUID as Hubble writes them (lower case, with hyphens) into four words from `at` on. False, and nothing written, when the
 * text is anything else, so that what was put in comes out as the same text.
 */
export function packUuid(text: string, words: Uint32Array, at: number): boolean {
  if (text.length !== 36) return false
  for (let index = 0, position = 0; index < 4; index++) {
    let word = 0
    for (let digit = 0; digit < 8; digit++, position++) {
      if (position === 8 || position === 13 || position === 18 || position === 23) {
        if (text.charCodeAt(position) !== HYPHEN) return false
        position++
      }
      const value = DIGIT[text.charCodeAt(position)] ?? 255
      if (value > 15) return false
      word = (word << 4) | value
    }
    SCRATCH[index] = word
  }
  words.set(SCRATCH, at)
  return true
}

export function unpackUuid(words: Uint32Array, at: number): string {
  const [a, b, c, d] = [0, 1, 2, 3].map((index) => (words[at + index] ?? 0).toString(16).padStart(8, '0'))
  return `${a}-${b?.slice(0, 4)}-${b?.slice(4)}-${c?.slice(0, 4)}-${c?.slice(4)}${d}`
}

const HYPHEN = 45
const SCRATCH = new Uint32Array(4)
/** Value of a character, 255 for none. */
const DIGIT = new Uint8Array(128).fill(255)
for (const [value, character] of [...'0123456789abcdef'].entries()) DIGIT[character.charCodeAt(0)] = value
