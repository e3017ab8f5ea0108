// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../core/facts/cluster.ts'
import type { Io } from './io.ts'

/** Problems of one answer that are spelled out; the rest is counted. */
const MAX_PROBLEMS = 10

/** Says what the facts lack: each problem once, and not without end. */
export function sayProblems(problems: readonly string[], io: Io): void {
  const each = [...new Set(problems)]
  for (const problem of each.slice(0, MAX_PROBLEMS)) io.say(`Incomplete: ${problem}`)
  if (each.length > MAX_PROBLEMS) io.say(`Incomplete: and ${each.length - MAX_PROBLEMS} more`)
}

/** Everything of the facts that could not be read, up to now. */
export function problemsOf(facts: ClusterFacts): readonly string[] {
  const problems = [...facts.problems, ...[...facts.nodes.values()].flatMap((node) => node.problems)]
  return problems.map(({ file, pointer, reason }) => `${file}${pointer === '' ? '' : `#${pointer}`}: ${reason}`)
}
