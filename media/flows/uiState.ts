// SPDX-License-Identifier: Apache-2.0

import type { Layout } from '../components/virtualTableData.ts'

export const TABS = ['flows', 'drops', 'map'] as const
export type Tab = (typeof TABS)[number]

/** What the panel remembers across a reload: never flows, only what a person did with them. */
export interface UiState {
  readonly tab: Tab
  readonly layout: Layout
  /** Filters that were used, the last first. */
  readonly history: readonly string[]
  readonly chart: boolean
  readonly details: boolean
  /** The flow whose details are shown. */
  readonly selected: { readonly seq: number; readonly uuid: string } | null
}

const HISTORY = 50

export function restoreState(remembered: unknown, layout: Layout): UiState {
  const known = isRecord(remembered) ? remembered : {}
  return {
    tab: TABS.find((tab) => tab === known['tab']) ?? 'flows',
    layout: isLayout(known['layout']) ? known['layout'] : layout,
    history: isTexts(known['history']) ? known['history'].slice(0, HISTORY) : [],
    chart: known['chart'] !== false,
    details: known['details'] !== false,
    selected: isSelected(known['selected']) ? known['selected'] : null,
  }
}

/** A filter that was used goes first; the empty one is not worth remembering. */
export function remembering(history: readonly string[], filter: string): readonly string[] {
  const text = filter.trim()
  return text === '' ? history : [text, ...history.filter((other) => other !== text)].slice(0, HISTORY)
}

function isSelected(value: unknown): value is NonNullable<UiState['selected']> {
  return isRecord(value) && Number.isSafeInteger(value['seq']) && typeof value['uuid'] === 'string'
}

function isLayout(value: unknown): value is Layout {
  if (!isRecord(value) || !isRecord(value['widths']) || !isTexts(value['hidden'])) return false
  return Object.values(value['widths']).every((width) => typeof width === 'number' && width > 0)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
