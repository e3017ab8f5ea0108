// SPDX-License-Identifier: Apache-2.0

import type { TraceQuestion } from '../../core/path/answer.ts'

/** What the panel remembers across a reload: never the answer, only what a person did with it. */
export interface UiState {
  /** The question it belongs to; another question starts afresh. */
  readonly question: string
  /** Index of the outcome choice. */
  readonly choice: number
  /** Ids of the folds that are open. */
  readonly open: readonly string[]
}

export function initialState(question: TraceQuestion): UiState {
  return { question: questionKey(question), choice: 0, open: [] }
}

/** The remembered state if it is one and belongs to the question; else a fresh one. */
export function restoreState(remembered: unknown, question: TraceQuestion, choices: number): UiState {
  if (!isUiState(remembered) || remembered.question !== questionKey(question)) return initialState(question)
  return remembered.choice < choices ? remembered : { ...remembered, choice: 0 }
}

export function toggleOpen(state: UiState, id: string): UiState {
  const open = state.open.includes(id) ? state.open.filter((other) => other !== id) : [...state.open, id]
  return { ...state, open }
}

function questionKey(question: TraceQuestion): string {
  return JSON.stringify([question.from, question.to, question.protocol, question.ctState, question.mark])
}

function isUiState(value: unknown): value is UiState {
  if (typeof value !== 'object' || value === null) return false
  const { question, choice, open } = value as Partial<Record<keyof UiState, unknown>>
  return (
    typeof question === 'string' &&
    typeof choice === 'number' &&
    Number.isInteger(choice) &&
    choice >= 0 &&
    Array.isArray(open) &&
    open.every((id) => typeof id === 'string')
  )
}
