// SPDX-License-Identifier: Apache-2.0

const SPACE = 32
const TAB = 9
const QUOTE = 34
const BACKSLASH = 92

/**
 * Words of one save line. Double quotes hold a word together and a backslash inside them takes the next character as it is
 * (xtables_save_string in iptables' libxtables). `quoted` lists the words that had quotes: they are never options.
 */
export interface Words {
  readonly words: readonly string[]
  readonly quoted: ReadonlySet<number>
  /** The line ended inside quotes. */
  readonly unterminated: boolean
}

const NONE: ReadonlySet<number> = new Set()

export function splitWords(text: string, start: number, end: number): Words {
  const words: string[] = []
  let quoted: Set<number> | undefined
  let unterminated = false
  let at = start
  while (at < end) {
    const code = text.charCodeAt(at)
    if (code === SPACE || code === TAB) {
      at++
    } else if (code === QUOTE) {
      const close = closingQuote(text, at + 1, end)
      const inner = text.slice(at + 1, Math.min(close, end))
      quoted ??= new Set()
      quoted.add(words.length)
      words.push(inner.includes('\\') ? inner.replace(/\\(.)/g, '$1') : inner)
      unterminated ||= close >= end
      at = close + 1
    } else {
      let stop = at + 1
      while (stop < end && text.charCodeAt(stop) !== SPACE && text.charCodeAt(stop) !== TAB) stop++
      words.push(text.slice(at, stop))
      at = stop
    }
  }
  return { words, quoted: quoted ?? NONE, unterminated }
}

/** Index of the quote that ends the word, or `end`. */
function closingQuote(text: string, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === QUOTE) return i
  }
  return end
}
