// SPDX-License-Identifier: Apache-2.0

import { type FlowRow, FLOW_CELLS } from '../../protocol/flowsPanel.ts'
import type { IconName, Tone } from '../components/icon.ts'
import type { Cell, Column, Row } from '../components/virtualTableData.ts'

type CellName = (typeof FLOW_CELLS)[number]

const COLUMNS: Readonly<Record<CellName, Omit<Column, 'id'>>> = {
  time: { title: 'Time', width: 106, mono: true, description: 'When the node saw it, UTC' },
  verdict: { title: 'Verdict', width: 104 },
  from: { title: 'From', width: 180 },
  to: { title: 'To', width: 190 },
  port: { title: 'Port', width: 86, mono: true },
  summary: { title: 'Summary', width: 150 },
  reason: { title: 'Policy or Reason', width: 200, description: 'Why it was dropped, or the policy that allowed it' },
  node: { title: 'Node', width: 70 },
  direction: { title: 'Direction', width: 84, hidden: true },
  type: { title: 'Seen At', width: 120, hidden: true, description: 'Where in the datapath it was seen' },
}

export const FLOW_COLUMNS: readonly Column[] = FLOW_CELLS.map((id) => ({ id, ...COLUMNS[id] }))

interface VerdictLook {
  readonly icon: IconName
  readonly tone: Tone
}

const VERDICTS: Readonly<Record<string, VerdictLook>> = {
  FORWARDED: { icon: 'check', tone: 'good' },
  DROPPED: { icon: 'circle-slash', tone: 'bad' },
  ERROR: { icon: 'error', tone: 'bad' },
  AUDIT: { icon: 'warning', tone: 'warned' },
  REDIRECTED: { icon: 'arrow-right', tone: 'quiet' },
  TRACED: { icon: 'pulse', tone: 'quiet' },
  TRANSLATED: { icon: 'arrow-swap', tone: 'quiet' },
}

export function verdictLook(verdict: string): VerdictLook {
  return VERDICTS[verdict] ?? { icon: 'question', tone: 'quiet' }
}

const VERDICT = FLOW_CELLS.indexOf('verdict')

export function tableRow({ cells }: FlowRow): Row {
  const verdict = cells[VERDICT]
  if (verdict === undefined) return { cells: [{ text: 'not kept any more', tone: 'quiet' }] }
  const { icon, tone } = verdictLook(verdict)
  const verdictCell: Cell = { text: verdict.toLowerCase(), icon, tone }
  const drawn = cells.map((cell, index) => (index === VERDICT ? verdictCell : cell))
  return tone === 'bad' ? { cells: drawn, tone } : { cells: drawn }
}
