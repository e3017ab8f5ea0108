// SPDX-License-Identifier: Apache-2.0

import type { Ruleset } from '../ruleset.ts'
import { parseNftJson } from './json.ts'
import { parseNftText } from './text.ts'

/** Reads `nft list ruleset` in either form, told apart by its first character. Nothing is thrown. */
export function parseNft(text: string, file: string): Ruleset {
  return isNftJson(text) ? parseNftJson(text, file) : parseNftText(text, file)
}

export function isNftJson(text: string): boolean {
  return /^\s*[{[]/.test(text)
}
