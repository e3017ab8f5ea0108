// SPDX-License-Identifier: Apache-2.0

import type { Completion } from '../../../protocol/flowsPanel.ts'
import { ALIASES, BOX_KEYS, END_KEYS } from './boxKeys.ts'
import { KEY_NAMES } from './filterBox.ts'
import type { FlowStore } from '../store/store.ts'
import { type Counts, type Ends, valueCounts } from '../store/storeValues.ts'

/** What could stand where the cursor is: keys first, and behind a key its values, those that most flows have first. */
export function complete(store: FlowStore, text: string, at: number): Completion {
  const from = wordStart(text, at)
  const to = at + (/^[^\s"]*"?/.exec(text.slice(at))?.[0].length ?? 0)
  const typed = text.slice(from, at)
  const colon = typed.indexOf(':')
  const choices = colon < 0 ? keys(typed) : values(store, typed.slice(0, colon), typed.slice(colon + 1))
  return { from, to, choices: choices.slice(0, MOST) }
}

type Choice = Completion['choices'][number]

const MOST = 50

/** Where the word that the cursor stands in or behind begins; a minus in front stays. */
function wordStart(text: string, at: number): number {
  const before = text.slice(0, at)
  const open = (before.match(/"/g)?.length ?? 0) % 2 === 1 ? before.lastIndexOf('"') : before.length
  const start = before.slice(0, open).search(/\S*$/)
  return text[start] === '-' ? start + 1 : start
}

function keys(typed: string): readonly Choice[] {
  const wanted = typed.toLowerCase()
  return KEY_NAMES.filter((name) => name.startsWith(wanted)).map((name) => ({ text: `${name}:`, note: noteOf(name) }))
}

function noteOf(name: string): string {
  const { base, ends } = partsOf(name)
  const key = [...BOX_KEYS, ...END_KEYS].find((each) => each.name === base)
  const note = key?.note ?? OTHER_NOTES[base] ?? ''
  if (key?.ofEnds !== true) return note
  return `${ends.length === 2 ? 'either end' : ends[0]}: ${note}`
}

const OTHER_NOTES: Readonly<Record<string, string>> = {
  policy: 'policy that allowed or denied it: `shop/allow-web`',
  since: 'from a time on: `5m`, `2006-01-02T15:04:05Z`',
  until: 'up to a time',
}

function partsOf(name: string): { readonly base: string; readonly ends: Ends } {
  const [, end, base = ''] = /^(from-|to-)?(.*)$/.exec(name) ?? []
  const ends: Ends = end === undefined ? ['source', 'destination'] : [end === 'from-' ? 'source' : 'destination']
  return { base: ALIASES[base] ?? base, ends }
}

function values(store: FlowStore, key: string, typed: string): readonly Choice[] {
  const { base, ends } = partsOf(key.toLowerCase())
  const counts = withKnown(valueCounts(store, base, ends), base)
  const wanted = typed.replace(/^"/, '').toLowerCase()
  return [...counts]
    .filter(([value]) => value.toLowerCase().includes(wanted))
    .sort(([a, countA], [b, countB]) => begins(b, wanted) - begins(a, wanted) || countB - countA || (a < b ? -1 : 1))
    .map(([value, count]) => ({
      text: `${key}:${quoted(value)}`,
      note: count === 0 ? '' : count === 1 ? '1 flow' : `${count} flows`,
    }))
}

/** Values that are known without a flow that has them. */
function withKnown(counts: Counts, key: string): Counts {
  const known = BOX_KEYS.find(({ name }) => name === key)?.values ?? []
  return new Map([...known.map((value) => [value, 0] as const), ...counts])
}

function begins(value: string, wanted: string): number {
  return value.toLowerCase().startsWith(wanted) ? 1 : 0
}

function quoted(value: string): string {
  return /[\s"]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value
}
