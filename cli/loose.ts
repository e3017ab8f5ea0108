// SPDX-License-Identifier: Apache-2.0

import type { ObjectDocument } from '../core/facts/objectsIndex.ts'
import { parseJson } from '../core/facts/text.ts'
import type { TraceAnswer } from '../core/path/answer.ts'
import { traceLoose } from '../core/path/loose.ts'
import { PlaceError } from '../core/path/place.ts'
import { UsageError } from './errors.ts'
import { openManifests } from './files/manifests.ts'
import { openRules } from './files/rulesets.ts'
import type { Io } from './io.ts'
import { sayProblems } from './problems.ts'
import type { TraceRequest } from './question.ts'
import type { RuleFiles } from './sources.ts'

/** The answer of one machine's rules. Throws FactsError and UsageError. */
export function answerLoose(request: TraceRequest, source: RuleFiles, io: Io): TraceAnswer {
  const { ruleset, ipsets, problems } = openRules(source)
  sayProblems(
    problems.map(({ position, reason }) => `${position.file}:${position.line}: ${reason}`),
    io,
  )
  const objects = source.objects.length === 0 ? {} : { objects: documentsOf(source.objects) }
  const { from, to, hookPath, iif, oif, mark, ctState, lane } = request
  try {
    return traceLoose(
      { ruleset, ipsets, local: { addresses: source.local }, ...objects },
      {
        from,
        to,
        mark,
        ctState,
        ...(hookPath === undefined ? {} : { hookPath }),
        ...(iif === undefined ? {} : { iif }),
        ...(oif === undefined ? {} : { oif }),
        ...(lane === undefined ? {} : { lanes: lane }),
      },
    )
  } catch (error) {
    // Without a cluster there is nothing a place could be missing from: it is the question that is wrong.
    if (error instanceof PlaceError) throw new UsageError(error.message)
    throw error
  }
}

function documentsOf(paths: readonly string[]): readonly ObjectDocument[] {
  const files = openManifests(paths)
  return files.list().map((file) => ({ file, pointer: '', value: parseJson(files.read(file) ?? new Uint8Array(), file) }))
}
