// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { driftOf } from '../../core/services/drift.ts'
import type { DriftFinding } from '../../core/services/drift/report.ts'
import { schemaErrors } from '../../core/text/jsonSchema.ts'

const SCHEMA: unknown = JSON.parse(readFileSync('protocol/drift.schema.json', 'utf8'))

/** What is found, of one node or of all; the report as a whole is what its schema says. */
export function findingsOf(facts: ClusterFacts, node?: string): readonly DriftFinding[] {
  const report = driftOf(facts)
  assert.deepEqual(schemaErrors(SCHEMA, JSON.parse(JSON.stringify(report))), [])
  return report.nodes.filter((each) => node === undefined || each.node === node).flatMap(({ findings }) => findings)
}
