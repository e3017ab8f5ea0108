// SPDX-License-Identifier: Apache-2.0

/** One entry whole: its fields with what they stand for, and its bytes with the fields marked in them. */

import { html, nothing, type TemplateResult } from 'lit'
import type { EntryField, MapEntry } from '../../protocol/mapPanel.ts'
import { button, iconButton, linkButton } from '../components/controls.ts'
import { code, foreign } from '../components/text.ts'

export interface EntryActions {
  readonly onClose: () => void
  readonly onCopy: (as: 'text' | 'json' | 'hex') => void
  readonly onFind: (query: string) => void
  /** The field the pointer or the focus is at: "key.port". */
  readonly field: string | null
  readonly onField: (field: string | null) => void
}

export function entryView(entry: MapEntry, actions: EntryActions): TemplateResult {
  return html`<aside class="entry" aria-label="Selected entry">
    <div class="entry-head">
      <h2>${foreign(entry.title)}</h2>
      ${iconButton({ label: 'Close details', icon: 'close', onPress: actions.onClose })}
    </div>
    <div class="entry-actions">
      ${button({ label: 'Copy', icon: 'copy', onPress: () => actions.onCopy('text') })}
      ${button({ label: 'Copy JSON', onPress: () => actions.onCopy('json') })}
      ${button({ label: 'Copy Hex', onPress: () => actions.onCopy('hex') })}
    </div>
    ${side('key', 'Key', entry.keyBytes, entry, actions)} ${side('value', 'Value', entry.valueBytes, entry, actions)}
  </aside>`
}

function side(which: 'key' | 'value', title: string, bytes: string, entry: MapEntry, actions: EntryActions): TemplateResult {
  const fields = entry.fields.filter((field) => field.side === which)
  return html`<section>
    <h3>${title} <span class="note">${bytes.length / 2} bytes</span></h3>
    <table class="fields">
      <tbody>
        ${fields.map((field) => fieldRow(field, actions))}
      </tbody>
    </table>
    ${hexDump(bytes, fields, actions)}
  </section>`
}

const idOf = ({ side: which, name }: EntryField) => `${which}.${name}`

function fieldRow(field: EntryField, actions: EntryActions): TemplateResult {
  const id = idOf(field)
  const { bytes, find } = field
  const where = bytes === null ? nothing : `bytes ${bytes.offset}–${bytes.offset + bytes.size - 1}`
  return html`<tr
    class=${actions.field === id ? 'at' : ''}
    title=${where}
    @pointerenter=${() => actions.onField(id)}
    @pointerleave=${() => actions.onField(null)}
  >
    <th scope="row">${foreign(field.name)}</th>
    <td>
      ${code(field.text)} ${field.meaning === null ? nothing : html`<span class="meaning">${foreign(field.meaning)}</span>`}
      ${find === null ? nothing : linkButton('Find everything', `Find everything about ${find}`, () => actions.onFind(find))}
    </td>
  </tr>`
}

const PER_LINE = 8

/** Sixteen digits a line; each byte tells the field it belongs to, and neighbouring fields differ in their underline. */
function hexDump(bytes: string, fields: readonly EntryField[], actions: EntryActions): TemplateResult {
  const pairs = bytes.match(/../g) ?? []
  const owners = pairs.map((_, index) => fields.findIndex((field) => field.bytes !== null && isWithin(index, field.bytes)))
  const lines = Array.from({ length: Math.ceil(pairs.length / PER_LINE) }, (_, line) => line * PER_LINE)
  return html`<div class="hex" role="img" aria-label=${`Bytes in hexadecimal: ${pairs.join(' ')}`}>
    ${lines.map(
      (start) =>
        html`<div class="hex-line"><span class="hex-offset">${start.toString(16).padStart(4, '0')}</span>${pairs
          .slice(start, start + PER_LINE)
          .map((pair, index) => hexByte(pair, owners[start + index] ?? -1, fields, actions))}</div>`,
    )}
  </div>`
}

function hexByte(pair: string, owner: number, fields: readonly EntryField[], actions: EntryActions): TemplateResult {
  const field = fields[owner]
  const id = field === undefined ? null : idOf(field)
  const classes = [
    'hex-byte',
    field === undefined ? 'unowned' : owner % 2 === 0 ? 'even' : 'odd',
    id !== null && id === actions.field ? 'at' : '',
  ]
  return html`<span
    class=${classes.join(' ')}
    title=${field?.name ?? 'padding'}
    @pointerenter=${() => actions.onField(id)}
    @pointerleave=${() => actions.onField(null)}
    >${pair}</span
  >`
}

function isWithin(index: number, { offset, size }: { readonly offset: number; readonly size: number }): boolean {
  return index >= offset && index < offset + size
}
