// SPDX-License-Identifier: Apache-2.0

/**
 * Where a table of any number of equally high rows is scrolled to. The place is held as the (fractional) absolute index of the row
 * at the upper edge: rows that come or go elsewhere never move what one reads. Browsers limit how high an element can be (Chromium
 * at 2^25 px), so a long table gets a shorter scroll bar, whose positions are mapped onto rows.
 */

export const MAX_SPACE_PX = 16_000_000

export class ScrollModel {
  readonly rowHeight: number
  /** Absolute index of the first row there is. */
  first = 0
  count = 0
  /** Height in which rows are seen, px. */
  viewport = 0
  #top = 0

  constructor(rowHeight: number) {
    this.rowHeight = rowHeight
  }

  get top(): number {
    return this.#top
  }

  set top(row: number) {
    this.#top = Math.min(Math.max(row, this.first), this.maxTop)
  }

  /** Rows that fit into sight, fractional. */
  get page(): number {
    return this.viewport / this.rowHeight
  }

  get end(): number {
    return this.first + this.count
  }

  get maxTop(): number {
    return this.first + Math.max(0, this.count - this.page)
  }

  get atEnd(): boolean {
    return this.#top > this.maxTop - 0.5
  }

  /** Whether one pixel of the scroll bar is more than one pixel of rows. */
  get scaled(): boolean {
    return this.count * this.rowHeight > MAX_SPACE_PX
  }

  /** Height of what is scrolled, px. */
  get space(): number {
    return Math.min(this.count * this.rowHeight, MAX_SPACE_PX)
  }

  get scrollTop(): number {
    const rows = this.maxTop - this.first
    return rows === 0 ? 0 : ((this.#top - this.first) / rows) * (this.space - this.viewport)
  }

  set scrollTop(px: number) {
    const range = this.space - this.viewport
    this.top = range <= 0 ? this.first : this.first + (px / range) * (this.maxTop - this.first)
  }

  /** There are other rows now: keeps what is in sight where it is, or the end if that is what one follows. */
  resize(first: number, count: number, follow: boolean): void {
    this.first = first
    this.count = count
    this.top = follow ? this.maxTop : this.#top
  }

  /** Scrolls just far enough to show a row. */
  reveal(row: number): void {
    if (row < this.#top) this.top = row
    else if (row + 1 > this.#top + this.page) this.top = row + 1 - this.page
  }

  /** Rows in sight, also those in part: [from, to). */
  get window(): readonly [number, number] {
    return [Math.floor(this.#top), Math.min(this.end, Math.ceil(this.#top + this.page))]
  }
}
