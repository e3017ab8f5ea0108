// SPDX-License-Identifier: Apache-2.0

import { evidenceLines } from '../../path/format.ts'
import { printable } from '../../text/printable.ts'
import type { DriftFinding, DriftReport, DriftSeverity, NodeDrift } from './report.ts'

const MARKS: Readonly<Record<DriftSeverity, string>> = { error: '✘', warning: '◐', info: '◆' }
const DATAPATHS: Readonly<Record<NodeDrift['datapath'], string>> = {
  cilium: "Cilium's maps",
  'kube-proxy': "kube-proxy's rules",
  unknown: 'nothing to compare',
}

/** A report as text for a terminal. @param verbose with the evidence, and the reasons for what was not compared */
export function formatDrift({ nodes }: DriftReport, verbose = false): string {
  if (nodes.length === 0) return 'The facts hold no node.\n'
  return `${nodes.map((node) => nodeLines(node, verbose).map(printable).join('\n')).join('\n\n')}\n`
}

function nodeLines(drift: NodeDrift, verbose: boolean): readonly string[] {
  const { node, datapath, findings, notCompared } = drift
  return [
    `${node} (${DATAPATHS[datapath]}): ${comparedText(drift)}`,
    ...findings.flatMap((finding) => findingLines(finding, verbose)),
    ...(verbose
      ? notCompared.map(({ what, reason }) => `  not compared: ${what}: ${reason}`)
      : notCompared.length === 0
        ? []
        : [`  not compared: ${notCompared.length} (--verbose says what, and why)`]),
  ]
}

function comparedText({ datapath, compared, findings }: NodeDrift): string {
  if (datapath === 'unknown') return 'not compared'
  const { frontends, backends, addresses } = compared
  const counts = [`${frontends} frontends`, `${backends} backends`, ...(addresses === 0 ? [] : [`${addresses} addresses`])].join(
    ', ',
  )
  const found = findings.length === 0 ? 'no drift' : findings.length === 1 ? '1 finding' : `${findings.length} findings`
  return `${found} in ${counts}`
}

function findingLines(
  { severity, subject, text, expected, programmed, evidence }: DriftFinding,
  verbose: boolean,
): readonly string[] {
  const sides = [
    ...(expected === null ? [] : [`asked for: ${expected}`]),
    ...(programmed === null ? [] : [`on the node: ${programmed}`]),
  ]
  return [
    `  ${MARKS[severity]} ${subject}: ${text}`,
    ...sides.map((side) => `      ${side}`),
    ...(verbose ? evidence.flatMap((each) => evidenceLines(each, '      ')) : []),
  ]
}
