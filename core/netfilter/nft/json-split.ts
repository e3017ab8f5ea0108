// SPDX-License-Identifier: Apache-2.0

import { isObject } from './json-value.ts'

export interface SplitJson {
  /** The entries of "nftables", with the line each begins on. */
  readonly objects: readonly { readonly json: unknown; readonly line: number }[]
  /** Where the text stops being JSON. */
  readonly broken: { readonly line: number; readonly reason: string; readonly text: string } | undefined
}

/** Takes `{"nftables": [ … ]}` apart. JSON.parse does the work; only broken or reformatted texts are scanned. */
export function splitObjects(text: string): SplitJson {
  const parsed = parseJson(text)
  if (parsed !== undefined) {
    const list = isObject(parsed.json) ? parsed.json['nftables'] : undefined
    if (!Array.isArray(list))
      return { objects: [], broken: { line: 1, reason: 'this JSON has no list "nftables"', text: text.slice(0, 200) } }
    if (!text.trimEnd().includes('\n')) return { objects: list.map((json) => ({ json, line: 1 })), broken: undefined }
    const lines = scanEntries(text).entries.map((entry) => entry.line)
    return { objects: list.map((json, i) => ({ json, line: lines[i] ?? 1 })), broken: undefined }
  }
  return splitBroken(text)
}

function parseJson(text: string): { json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function splitBroken(text: string): SplitJson {
  const { entries, end, line } = scanEntries(text)
  const objects: { json: unknown; line: number }[] = []
  for (const entry of entries) {
    const parsed = parseJson(text.slice(entry.start, entry.end))
    if (parsed === undefined) {
      return { objects, broken: { line: entry.line, reason: 'this is not JSON', text: text.slice(entry.start, entry.end) } }
    }
    objects.push({ json: parsed.json, line: entry.line })
  }
  return { objects, broken: { line, reason: 'the JSON ends or breaks here', text: text.slice(end, end + 200) } }
}

interface Entry {
  readonly start: number
  readonly end: number
  readonly line: number
}

/** Finds the objects two levels deep: `{ "nftables": [ {…}, {…} ] }`. `end`, `line`: behind the last whole one. */
function scanEntries(text: string): { entries: Entry[]; end: number; line: number } {
  const entries: Entry[] = []
  let depth = 0
  let line = 1
  let start = 0
  let startLine = 1
  let end = 0
  let endLine = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 34) i = stringEnd(text, i)
    else if (code === 10) line++
    else if (code === 123 || code === 91) {
      if (depth === 2) {
        start = i
        startLine = line
      }
      depth++
    } else if (code === 125 || code === 93) {
      depth--
      if (depth === 2) {
        entries.push({ start, end: i + 1, line: startLine })
        end = i + 1
        endLine = line
      }
    }
  }
  return { entries, end, line: endLine }
}

/** Offset of the closing quote of the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1
  while (i < text.length && text.charCodeAt(i) !== 34) i += text.charCodeAt(i) === 92 ? 2 : 1
  return i
}
