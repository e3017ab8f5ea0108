// SPDX-License-Identifier: Apache-2.0

/**
 * Makes text from a cluster safe to print on a terminal or in one line of a list: control characters (C0, DEL, C1), line and
 * paragraph separators, and the marks that reorder what a reader sees become visible escapes. Everything else is untouched.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, escapeCharacter)
}

/** Like `printable`, for text that has several lines of its own: keeps "\n". */
export function printableLines(text: string): string {
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escapeCharacter(character)))
}

const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0)
  return SHORT[character] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`)
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
