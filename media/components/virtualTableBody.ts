// SPDX-License-Identifier: Apache-2.0

import { type Cell, cellText, type Column, type Row } from './virtualTableData.ts'

interface DrawnRow {
  readonly element: HTMLElement
  readonly cells: readonly DrawnCell[]
  index: number
  row: Row | undefined
  at: number
}

interface DrawnCell {
  readonly element: HTMLElement
  readonly icon: HTMLElement
  readonly text: HTMLElement
  drawn: string | Cell | undefined
}

export interface Drawing {
  /** Fractional absolute index of the row at the upper edge. */
  readonly top: number
  readonly from: number
  readonly to: number
  /** Absolute index of the first row there is. */
  readonly first: number
  readonly rowHeight: number
  readonly selected: number | null
  /** Index of the column one is in, or −1. */
  readonly column: number
  readonly rowAt: (index: number) => Row | undefined
}

/**
 * The rows in sight. As many elements as fit are made once; a row that leaves on one side becomes the one that enters on the
 * other, and only text that differs is written.
 */
export class TableBody {
  readonly #host: HTMLElement
  readonly #id: string
  #columns: readonly Column[] = []
  #rows: DrawnRow[] = []

  constructor(host: HTMLElement, id: string) {
    this.#host = host
    this.#id = id
  }

  set columns(columns: readonly Column[]) {
    this.#columns = columns
    this.#rows = []
    this.#host.replaceChildren()
  }

  draw(drawing: Drawing): void {
    this.#grow(drawing.to - drawing.from)
    const size = this.#rows.length
    for (let at = 0; at < size; at++) {
      const row = this.#rows[at]
      if (row === undefined) continue
      // Row i always lives in element i mod size: what stays in sight keeps its element.
      const index = drawing.from + ((((at - drawing.from) % size) + size) % size)
      const seen = index < drawing.to
      if (row.element.hidden === seen) row.element.hidden = !seen
      if (seen) this.#drawRow(row, index, drawing)
    }
  }

  /** Ids for `aria-activedescendant`; undefined while the row is out of sight. */
  idOf(index: number, column: number): string | undefined {
    const row = this.#rows.find((each) => each.index === index && !each.element.hidden)
    return (column < 0 ? row?.element : row?.cells[column]?.element)?.id
  }

  /** Row and column index at an element within. */
  locate(target: Element): { readonly index: number; readonly column: number } | undefined {
    const row = this.#rows.find(({ element }) => element.contains(target))
    return row && { index: row.index, column: row.cells.findIndex(({ element }) => element.contains(target)) }
  }

  /** Brings the elements into the order one sees, which is the order they are read aloud in. */
  settle(): void {
    const sorted = [...this.#rows].sort((a, b) => a.index - b.index)
    if (sorted.some(({ element }, at) => this.#host.children[at] !== element))
      this.#host.replaceChildren(...sorted.map(({ element }) => element))
  }

  #grow(size: number): void {
    if (size <= this.#rows.length) return
    // Elements change owners when there are more of them: draw all of them anew.
    for (const row of this.#rows) row.index = -1
    while (this.#rows.length < size) this.#rows.push(this.#make(this.#rows.length))
  }

  #make(number: number): DrawnRow {
    const element = document.createElement('div')
    element.className = 'vt-row'
    element.role = 'row'
    element.id = `${this.#id}-${number}`
    const cells = this.#columns.map((column, index) => {
      const cell = makeCell(column, `${element.id}-${index}`)
      cell.element.ariaColIndex = String(index + 1)
      element.append(cell.element)
      return cell
    })
    this.#host.append(element)
    return { element, cells, index: -1, row: undefined, at: Number.NaN }
  }

  #drawRow(drawn: DrawnRow, index: number, { top, first, rowHeight, selected, column, rowAt }: Drawing): void {
    const { element } = drawn
    const at = Math.round((index - top) * rowHeight)
    if (drawn.at !== at) {
      element.style.transform = `translateY(${at}px)`
      drawn.at = at
    }
    if (drawn.index !== index) {
      drawn.index = index
      element.classList.toggle('odd', index % 2 === 1)
    }
    setAttribute(element, 'aria-rowindex', String(index - first + 2))
    setAttribute(element, 'aria-selected', String(index === selected))
    for (const [number, cell] of drawn.cells.entries()) {
      cell.element.classList.toggle('current', index === selected && number === column)
    }
    const row = rowAt(index)
    if (row !== drawn.row) {
      drawn.row = row
      element.classList.toggle('waiting', row === undefined)
      setAttribute(element, 'data-tone', row?.tone ?? '')
      for (const [number, cell] of drawn.cells.entries()) drawCell(cell, row?.cells[number])
    }
  }
}

function makeCell(column: Column, id: string): DrawnCell {
  const element = document.createElement('div')
  element.className = `vt-cell${column.mono === true ? ' mono' : ''}${column.align === 'end' ? ' end' : ''}`
  element.role = 'gridcell'
  element.id = id
  element.hidden = column.hidden === true
  const icon = document.createElement('span')
  icon.ariaHidden = 'true'
  icon.hidden = true
  const text = document.createElement('bdi')
  element.append(icon, text)
  return { element, icon, text, drawn: undefined }
}

function drawCell(cell: DrawnCell, to: string | Cell | undefined): void {
  const from = cell.drawn
  if (from === to) return
  cell.drawn = to
  const text = cellText(to)
  if (cellText(from) !== text) cell.text.textContent = text
  const old = typeof from === 'object' ? from : undefined
  const now = typeof to === 'object' ? to : undefined
  if (old?.icon !== now?.icon) {
    cell.icon.hidden = now?.icon === undefined
    cell.icon.className = now?.icon === undefined ? '' : `codicon codicon-${now.icon}`
  }
  if (old?.tone !== now?.tone) setAttribute(cell.element, 'data-tone', now?.tone ?? '')
  if (old?.marked !== now?.marked) cell.element.classList.toggle('marked', now?.marked === true)
  // Also takes away the title a cut off text was given by the pointer.
  setAttribute(cell.element, 'title', now?.title ?? '')
}

/** Writing what is there already would still cost. */
function setAttribute(element: HTMLElement, name: string, value: string): void {
  if (element.getAttribute(name) === value) return
  if (value === '') element.removeAttribute(name)
  else element.setAttribute(name, value)
}
