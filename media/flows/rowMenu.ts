// SPDX-License-Identifier: Apache-2.0

import type { FlowAction, FlowDetails } from '../../protocol/flowsPanel.ts'
import { type MenuItem, openMenu } from '../components/menu.ts'

export interface RowActions {
  readonly act: (action: FlowAction) => void
  readonly onFilter: (text: string) => void
  readonly onExclude: (text: string) => void
}

interface Place {
  /** Id of the column that was pressed; undefined for the row as a whole. */
  readonly column: string | undefined
  readonly x: number
  readonly y: number
}

/** What one can do about a flow: what the pressed cell shows is filtered by at once, everything else by another menu. */
export function openRowMenu(details: FlowDetails, place: Place, actions: RowActions): void {
  const { act, onFilter, onExclude } = actions
  const here = details.filters.filter(({ column }) => column === place.column)
  const more = (title: string, verb: string, onChoose: (text: string) => void) => () =>
    openMenu(
      title,
      details.filters.map(({ text }) => ({ label: `${verb} ${text}`, onChoose: () => onChoose(text) })),
      place.x,
      place.y,
    )
  const items: readonly MenuItem[] = [
    { label: 'Trace This Packet', icon: 'git-compare', disabled: !details.canTrace, onChoose: () => act('trace') },
    { label: 'Show Policy', icon: 'shield', disabled: !details.hasPolicy, onChoose: () => act('policy') },
    ...here.map(({ text }, index) => ({
      label: `Filter by ${text}`,
      icon: 'filter' as const,
      separated: index === 0,
      onChoose: () => onFilter(text),
    })),
    { label: 'Filter By…', icon: 'filter', separated: here.length === 0, onChoose: more('Filter by', 'Filter by', onFilter) },
    { label: 'Exclude…', onChoose: more('Exclude', 'Exclude', onExclude) },
    { label: 'Copy as hubble Command', icon: 'copy', separated: true, onChoose: () => act('copyCommand') },
    { label: 'Copy JSON', onChoose: () => act('copyJson') },
  ]
  openMenu('Flow', items, place.x, place.y)
}

/** The filter with another part: what it says already is not said twice. */
export function narrowed(filter: string, part: string): string {
  const parts = filter
    .trim()
    .split(/\s+/)
    .filter((each) => each !== '')
  return parts.includes(part) ? filter : [...parts, part].join(' ')
}
