// SPDX-License-Identifier: Apache-2.0

import { FactsError } from '../../core/facts/error.ts'
import type { FactFiles } from '../../core/facts/files.ts'
import { decodeText } from '../../core/facts/text.ts'
import type { Evidence, TraceAnswer } from '../../core/path/answer.ts'

/**
 * Whether an answer was made from these facts: every line it quotes stands where it says. An answer that quotes no line was made
 * from them when they have every file it names.
 */
export function holdsEvidence(files: FactFiles, answer: TraceAnswer): boolean {
  const lines = new Map<string, readonly string[] | undefined>()
  const linesOf = (file: string) => {
    if (!lines.has(file)) lines.set(file, read(files, file))
    return lines.get(file)
  }
  return evidenceOf(answer).every((evidence) => {
    switch (evidence.kind) {
      case 'file':
        return linesOf(evidence.file)?.[evidence.line - 1]?.includes(evidence.text.trim()) ?? false
      case 'fact':
        return files.read(evidence.file) !== undefined
      default:
        return true
    }
  })
}

function evidenceOf(answer: TraceAnswer): Evidence[] {
  const steps = answer.lanes.flatMap((lane) => lane.outcomes).flatMap((outcome) => outcome.steps)
  const told = [...steps, ...(answer.difference?.bypassedRules ?? [])]
  return told.flatMap(({ evidence }) => evidence ?? [])
}

function read(files: FactFiles, file: string): readonly string[] | undefined {
  const bytes = files.read(file)
  try {
    return bytes && decodeText(bytes, file).split('\n')
  } catch (error) {
    if (error instanceof FactsError) return undefined
    throw error
  }
}
