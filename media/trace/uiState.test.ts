// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { initialState, restoreState, toggleOpen } from './uiState.ts'

const END = { ip: '10.0.0.1', port: 80 }
const QUESTION = {
  from: 'pod:a/b',
  to: 'svc:a/c:80/TCP',
  source: END,
  destination: END,
  protocol: 'TCP',
  ctState: 'new',
  mark: 0,
}

test('what was chosen comes back for the same question', () => {
  const chosen = toggleOpen({ ...initialState(QUESTION), choice: 2 }, 'f0.1')
  assert.deepEqual(restoreState(JSON.parse(JSON.stringify(chosen)), QUESTION, 3), chosen)
  assert.deepEqual(restoreState(chosen, { ...QUESTION, mark: 1 }, 3), initialState({ ...QUESTION, mark: 1 }))
})

test('an outcome that is gone falls back to the first', () => {
  assert.equal(restoreState({ ...initialState(QUESTION), choice: 2 }, QUESTION, 2).choice, 0)
})

test('folds open and close', () => {
  const open = toggleOpen(initialState(QUESTION), 'x')
  assert.deepEqual(open.open, ['x'])
  assert.deepEqual(toggleOpen(open, 'x').open, [])
})

test('whatever else was remembered is ignored', () => {
  fc.assert(
    fc.property(fc.anything(), (remembered) => {
      assert.deepEqual(restoreState(remembered, QUESTION, 3), initialState(QUESTION))
    }),
  )
  assert.deepEqual(restoreState({ ...initialState(QUESTION), choice: -1 }, QUESTION, 3), initialState(QUESTION))
})
