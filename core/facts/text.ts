// SPDX-License-Identifier: Apache-2.0

import { FactsError } from './error.ts'

/** Decodes UTF-8, dropping a byte order mark. Throws FactsError, with the line of the first bad byte, for anything else. */
export function decodeText(bytes: Uint8Array, file: string): string {
  const zero = bytes.indexOf(0)
  if (zero >= 0) throw new FactsError('is binary data, not text', { file, line: lineAt(bytes, zero) })
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new FactsError('is not valid UTF-8 text', { file, line: firstBadLine(bytes) })
  }
}

/** Parses a JSON file. Throws FactsError with the line and the reason. */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  const text = decodeText(bytes, file)
  if (text.trim() === '') throw new FactsError('is empty, JSON was expected', { file })
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new FactsError(`is not valid JSON: ${firstLine(reason)}`, { file, line: jsonErrorLine(reason, text) })
  }
}

/** True for a JSON object, so that its members may be asked for. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function lineAt(bytes: Uint8Array, offset: number): number {
  let line = 1
  for (let i = 0; i < offset; i++) if (bytes[i] === 10) line++
  return line
}

/** Lines are decoded one by one: a newline byte is never part of a longer UTF-8 sequence. */
function firstBadLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let start = 0
  for (let line = 1; ; line++) {
    const newline = bytes.indexOf(10, start)
    const end = newline < 0 ? bytes.length : newline
    try {
      decoder.decode(bytes.subarray(start, end))
    } catch {
      return line
    }
    if (newline < 0) return line
    start = newline + 1
  }
}

/** V8 says "… at position 12 (line 2 column 3)", older versions only the position, and nothing at an early end. */
function jsonErrorLine(reason: string, text: string): number | undefined {
  const line = /\(line (\d+) column/.exec(reason)?.[1]
  if (line !== undefined) return Number(line)
  const position = /position (\d+)/.exec(reason)?.[1]
  const end = position === undefined ? text.length : Number(position)
  return text.slice(0, end).split('\n').length
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text
}
