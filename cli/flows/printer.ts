// SPDX-License-Identifier: Apache-2.0

import type { FlowEvent } from '../../core/flows/flow.ts'
import { hubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import { compactLine, dictText, type FlowWords, type SeenFlow, stamp, wordsOf } from './flowText.ts'

export type OutputFormat = 'json' | 'compact' | 'dict' | 'table'

/** Text for some events, in order; what is no flow, and not for standard output in this format, is left out. */
export type Printer = (events: readonly FlowEvent[]) => string

export function printerFor(format: OutputFormat): Printer {
  switch (format) {
    case 'json':
      return (events) => lines(events.filter(({ kind }) => kind === 'flow' || kind === 'lost').map(hubbleLine))
    case 'compact':
      return (events) => lines(events.flatMap(textOf(compactLine)))
    case 'dict':
      return dictPrinter()
    case 'table':
      return tablePrinter()
  }
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join('')
}

function textOf(flowText: (event: SeenFlow) => string): (event: FlowEvent) => readonly string[] {
  return (event) => {
    if (event.kind === 'flow') return [flowText(event)]
    if (event.kind !== 'lost') return []
    const { source, numEventsLost, cpu } = event.lost
    return [`${stamp(event.time)} EVENTS LOST: ${source} CPU(${cpu ?? 0}) ${numEventsLost}`]
  }
}

function dictPrinter(): Printer {
  let first = true
  return (events) => {
    const parts = events.flatMap(textOf(dictText))
    const text = parts.map((part, index) => `${first && index === 0 ? '' : '------------\n'}${part}\n`).join('')
    first &&= parts.length === 0
    return text
  }
}

const HEADS: readonly (readonly [keyof FlowWords, string])[] = [
  ['time', 'TIMESTAMP'],
  ['source', 'SOURCE'],
  ['destination', 'DESTINATION'],
  ['type', 'TYPE'],
  ['verdict', 'VERDICT'],
  ['summary', 'SUMMARY'],
]
const GAP = '   '

/** Columns as wide as the widest word so far: a table that goes on can't know what comes. */
function tablePrinter(): Printer {
  const widths = HEADS.map(([, head]) => head.length)
  let begun = false
  const row = (words: readonly string[]) =>
    words
      .map((word, column) => word.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd()
  return (events) => {
    const rows = events
      .flatMap((event) => (event.kind === 'flow' ? [wordsOf(event)] : []))
      .map((words) => HEADS.map(([key]) => words[key]))
    for (const words of rows)
      for (const [column, word] of words.entries()) widths[column] = Math.max(widths[column] ?? 0, word.length)
    const head = begun || rows.length === 0 ? [] : [row(HEADS.map(([, title]) => title))]
    begun ||= rows.length > 0
    return lines([...head, ...rows.map(row)])
  }
}
