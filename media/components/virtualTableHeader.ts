// SPDX-License-Identifier: Apache-2.0

import { html, nothing, type TemplateResult } from 'lit'
import { icon } from './icon.ts'
import type { MenuItem } from './menu.ts'
import type { Column, Layout, Sort } from './virtualTableData.ts'

const MIN_WIDTH = 40
const STEP = 16

export interface Header {
  readonly id: string
  readonly columns: readonly Column[]
  readonly sort: Sort | null
  /** Index of the column one is in by keyboard while the header has the focus; −1 otherwise. */
  readonly current: number
  readonly onSort: (column: string) => void
  readonly onWidth: (column: string, width: number) => void
}

export function headerRow({ id, columns, sort, current, onSort, onWidth }: Header): TemplateResult {
  return html`<div class="vt-head" role="rowgroup">
    <div class="vt-titles" role="row" aria-rowindex="1">
      ${columns.map((column, index) => {
        const sorted = sort?.column === column.id ? sort.direction : undefined
        return html`<div
          id="${id}-head-${index}"
          class="vt-title ${column.align === 'end' ? 'end' : ''} ${column.sortable ? 'sortable' : ''} ${index === current ? 'current' : ''}"
          role="columnheader"
          aria-colindex=${index + 1}
          aria-sort=${column.sortable ? (sorted ?? 'none') : nothing}
          title=${column.description ?? nothing}
          ?hidden=${column.hidden === true}
          @click=${() => column.sortable && onSort(column.id)}
        >
          <span>${column.title}</span>${sorted === undefined ? nothing : icon(sorted === 'ascending' ? 'arrow-up' : 'arrow-down')}
          <span class="vt-grip" @pointerdown=${(event: PointerEvent) => drag(event, (width) => onWidth(column.id, width))} @click=${stop}></span>
        </div>`
      })}
    </div>
  </div>`
}

/** The grid's tracks: each column as wide as it was made, the last in sight takes what is left. */
export function tracks(columns: readonly Column[]): { readonly template: string; readonly width: number } {
  const seen = columns.filter((column) => column.hidden !== true)
  const template = seen
    .map(({ width }, index) => (index === seen.length - 1 ? `minmax(${width}px, 1fr)` : `${width}px`))
    .join(' ')
  return { template, width: seen.reduce((sum, { width }) => sum + width, 0) }
}

/** The column one gets to, by keyboard, from another; −1 is the row as a whole. */
export function neighbourColumn(columns: readonly Column[], from: number, by: 1 | -1): number {
  for (let at = from + by; at >= 0 && at < columns.length; at += by) if (columns[at]?.hidden !== true) return at
  return by < 0 ? -1 : from
}

export function widened(column: Column, by: 1 | -1): number {
  return Math.max(MIN_WIDTH, column.width + by * STEP)
}

/** Which columns are shown: at least one. */
export function columnMenu(columns: readonly Column[], layout: Layout, onLayout: (layout: Layout) => void): readonly MenuItem[] {
  const shown = columns.filter((column) => column.hidden !== true)
  return [
    ...columns.map(({ id, title, hidden = false }) => ({
      label: title,
      checked: !hidden,
      disabled: !hidden && shown.length === 1,
      onChoose: () =>
        onLayout({ ...layout, hidden: hidden ? layout.hidden.filter((other) => other !== id) : [...layout.hidden, id] }),
    })),
    { label: 'Reset Widths', separated: true, onChoose: () => onLayout({ ...layout, widths: {} }) },
  ]
}

function drag(event: PointerEvent, onWidth: (width: number) => void): void {
  const grip = event.currentTarget as HTMLElement
  const title = grip.closest<HTMLElement>('.vt-title')
  if (title === null || event.button !== 0) return
  event.preventDefault()
  const start = event.clientX - title.getBoundingClientRect().width
  const move = ({ clientX }: PointerEvent) => onWidth(Math.max(MIN_WIDTH, Math.round(clientX - start)))
  grip.setPointerCapture(event.pointerId)
  grip.addEventListener('pointermove', move)
  grip.addEventListener('lostpointercapture', () => grip.removeEventListener('pointermove', move), { once: true })
}

function stop(event: Event): void {
  event.stopPropagation()
}
