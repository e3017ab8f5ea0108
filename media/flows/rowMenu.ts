// SPDX-License-Identifier: Apache-2.0

import type { FlowAction, FlowDetails } from '../../protocol/flowsPanel.ts'
import type { MenuItem } from '../components/menu.ts'

export interface RowActions {
  readonly act: (action: FlowAction) => void
  readonly onFilter: (text: string) => void
  readonly onExclude: (text: string) => void
}

/** What one can do about a flow. */
export function rowMenu(details: FlowDetails, { act, onFilter, onExclude }: RowActions): readonly MenuItem[] {
  return [
    { label: 'Trace This Packet', icon: 'git-compare', disabled: !details.canTrace, onChoose: () => act('trace') },
    { label: 'Show Policy', icon: 'shield', disabled: !details.hasPolicy, onChoose: () => act('policy') },
    ...details.filters.map(({ text }, index) => ({
      label: `Filter by ${text}`,
      icon: 'filter' as const,
      separated: index === 0,
      onChoose: () => onFilter(text),
    })),
    ...details.filters.map(({ text }, index) => ({
      label: `Exclude ${text}`,
      separated: index === 0,
      onChoose: () => onExclude(text),
    })),
    { label: 'Copy as hubble Command', icon: 'copy', separated: true, onChoose: () => act('copyCommand') },
    { label: 'Copy JSON', onChoose: () => act('copyJson') },
  ]
}

/** The filter with another part: what it says already is not said twice. */
export function narrowed(filter: string, part: string): string {
  const parts = filter
    .trim()
    .split(/\s+/)
    .filter((each) => each !== '')
  return parts.includes(part) ? filter : [...parts, part].join(' ')
}
