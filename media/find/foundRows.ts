// SPDX-License-Identifier: Apache-2.0

import { FIND_GROUP_TITLES } from '../../core/find/found.ts'
import type { FoundRow } from '../../protocol/findPanel.ts'
import type { Column, Row } from '../components/virtualTableData.ts'

export type Group = FoundRow['group']

export const COLUMNS: readonly Column[] = [
  { id: 'group', title: 'kind', width: 110 },
  { id: 'node', title: 'node', width: 90 },
  { id: 'place', title: 'where', width: 290 },
  { id: 'match', title: 'match', description: 'Itself, or the length of the network it is in', width: 70 },
  { id: 'text', title: 'what stands there', width: 520, mono: true },
]

export interface Shown {
  readonly row: FoundRow
  /** Among all that was found. */
  readonly index: number
}

export interface Choice {
  readonly group: Group | null
  /** Every word must be in the row somewhere. */
  readonly text: string
}

export function shownRows(found: readonly FoundRow[], { group, text }: Choice): readonly Shown[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  return found.flatMap((row, index) => {
    if (group !== null && row.group !== group) return []
    const whole = `${FIND_GROUP_TITLES[row.group]} ${row.node} ${row.place} ${row.text}`.toLowerCase()
    return words.every((word) => whole.includes(word)) ? [{ row, index }] : []
  })
}

export function tableRow({ group, node, place, text, within }: FoundRow): Row {
  const match = within === null ? 'itself' : { text: `in /${within}`, tone: 'quiet' as const }
  return { cells: [FIND_GROUP_TITLES[group], node === '' ? 'cluster' : node, place, match, text] }
}

/** Groups that were found, with how many each. */
export function groupCounts(found: readonly FoundRow[]): readonly (readonly [Group, number])[] {
  const counts = new Map<Group, number>()
  for (const { group } of found) counts.set(group, (counts.get(group) ?? 0) + 1)
  return [...counts]
}
