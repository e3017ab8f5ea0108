// SPDX-License-Identifier: Apache-2.0

/** Select Graphic Rendition codes (ECMA-48) of the marks that text answers carry. */
const CODES: Readonly<Record<string, number>> = { '✔': 32, '✘': 31, '◐': 33, '≠': 33, '?': 33, '◆': 36 }

/** Colours the marks at the beginnings of lines and columns. Text that comes in has no control characters of its own. */
export function coloured(text: string): string {
  return text.replace(
    /(^|\s)([✔✘◐≠?◆])(?=\s)/gm,
    (_, before: string, mark: string) => `${before}\u001b[${CODES[mark]}m${mark}\u001b[0m`,
  )
}
