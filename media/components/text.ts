// SPDX-License-Identifier: Apache-2.0

import { html, type TemplateResult } from 'lit'
import { printable } from '../../core/text/printable.ts'

/** Text that came from a cluster: what could hide or reorder it is made visible, and it can't reorder its surroundings. */
export function foreign(text: string): TemplateResult {
  return html`<bdi>${printable(text)}</bdi>`
}

/** The same for addresses, rules and names, in the editor's font. */
export function code(text: string): TemplateResult {
  return html`<code><bdi>${printable(text)}</bdi></code>`
}

/** For assistive technology alone: the words behind a shape. */
export function spoken(text: string): TemplateResult {
  return html`<span class="spoken">${text} </span>`
}
