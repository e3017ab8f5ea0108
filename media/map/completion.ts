// SPDX-License-Identifier: Apache-2.0

import type { Completion } from '../../protocol/flowsPanel.ts'
import type { MapColumn } from '../../protocol/mapPanel.ts'

const WORDS: readonly (readonly [text: string, note: string])[] = [
  ['and ', 'both'],
  ['or ', 'either'],
  ['not ', 'the opposite of what follows'],
]

/** Fields and words that the filter's language has, for what is being typed at `at`. */
export function completeFilter(text: string, at: number, columns: readonly MapColumn[]): Completion {
  const typed = /[^\s()"=~<>!]*$/.exec(text.slice(0, at))?.[0] ?? ''
  const from = at - typed.length
  const before = text.slice(0, from).trimEnd()
  // After an operator comes a value, of which there are too many.
  if (/[=~<>]$/.test(before) || (typed === '' && before !== '' && !/\b(and|or|not)$|\($/i.test(before)))
    return { from, to: at, choices: [] }
  const fields = columns
    .filter(({ side }) => side !== null)
    .map(({ title, side }) => ({ text: `${title}=`, note: `in the ${side}` }))
  const words = before === '' ? WORDS.slice(2) : WORDS
  const wanted = typed.toLowerCase()
  const choices = [...fields, ...words.map(([word, note]) => ({ text: word, note }))].filter(({ text: choice }) =>
    choice.toLowerCase().startsWith(wanted),
  )
  return { from, to: at, choices }
}
