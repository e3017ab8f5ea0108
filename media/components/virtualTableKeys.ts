// SPDX-License-Identifier: Apache-2.0

import type { ScrollModel } from './virtualTableScroll.ts'

/** The header, as a place the keyboard can be at. */
export const HEADER = -1

/** The row a key leads to from the selected one; `HEADER`; or undefined, when the key leads nowhere. */
export function rowAfterKey(key: string, selected: number | null, model: ScrollModel): number | undefined {
  if (model.count === 0) return undefined
  const { first } = model
  const last = model.end - 1
  const page = Math.max(1, Math.floor(model.page) - 1)
  // Without a selection one begins at the upper edge.
  const at = selected ?? Math.ceil(model.top) - 1
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: first,
    End: last,
  }
  const to = moves[key]
  if (to === undefined) return undefined
  return key === 'ArrowUp' && to < first ? HEADER : Math.min(Math.max(to, first), last)
}

export function isMenuKey({ key, shiftKey }: KeyboardEvent): boolean {
  return key === 'ContextMenu' || (key === 'F10' && shiftKey)
}

/** Opens a menu at an element, where the pointer would have opened it. */
export function openAt(element: Element | null, open: (x: number, y: number) => void): boolean {
  if (element === null) return false
  const { left, bottom } = element.getBoundingClientRect()
  open(Math.max(left, 0) + 16, bottom)
  return true
}
