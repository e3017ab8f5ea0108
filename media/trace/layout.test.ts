// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { alignLanes } from '../../core/path/alignment.ts'
import type { Effect, Step } from '../../core/path/answer.ts'
import { isIdle } from '../../core/path/weight.ts'
import { bypassedAt, cellItems, laneSummary, layOut } from './layout.ts'

function step(hook: string, effect: Effect): Step {
  const actor = { kind: 'kernel', ref: '' } as const
  return { node: 'a', netns: 'host', hook, actor, effect, before: null, after: null, evidence: null, text: '' }
}

const anyStep = fc
  .tuple(fc.constantFrom('w', 'x', 'y', 'z'), fc.constantFrom<Effect>('pass', 'pass', 'jump', 'dnat', 'accept', 'drop'))
  .map(([hook, effect]) => step(hook, effect))

test('folding hides rows that decided nothing, and no others', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 12 }), fc.array(anyStep, { maxLength: 12 }), (a, b) => {
      const visits = alignLanes([a, b])
      const items = layOut(visits, () => false).flatMap((visit) => visit.items)
      const rows = items.flatMap((item) => (item.kind === 'row' ? [item.row] : item.rows.map(({ row }) => row)))
      assert.deepEqual(
        rows,
        visits.flatMap((visit) => visit.rows),
      )
      for (const item of items) {
        if (item.kind === 'fold') assert.ok(item.rows.length > 1 && item.rows.every(({ row }) => isIdle(row)))
      }
      const ids = items.flatMap((item) => (item.kind === 'row' ? [item.id] : [item.id, ...item.rows.map(({ id }) => id)]))
      assert.equal(new Set(ids).size, ids.length)
    }),
  )
})

test('a row that matters stays in sight even if nothing was decided there', () => {
  const visits = alignLanes([[step('w', 'pass'), step('x', 'pass'), step('y', 'pass')]])
  const kinds = layOut(visits, (_, row) => row.hook === 'x').flatMap(({ items }) => items.map(({ kind }) => kind))
  assert.deepEqual(kinds, ['row', 'row', 'row'])
  assert.deepEqual(
    layOut(visits, () => false).flatMap(({ items }) => items.map(({ kind }) => kind)),
    ['fold'],
  )
})

test('inside a cell, runs of two and more fold, and every step keeps its index', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 12 }), fc.nat(100), (steps, first) => {
      const items = cellItems(steps, first)
      const shown = items.flatMap((item) => (item.kind === 'step' ? [item] : item.steps))
      assert.deepEqual(
        shown.map(({ step: own, index }) => [own, index]),
        steps.map((own, index) => [own, first + index]),
      )
      for (const item of items) if (item.kind === 'fold') assert.ok(item.steps.length > 1)
    }),
  )
})

test('a fold says how much a lane did, or that it was elsewhere', () => {
  const [visit] = alignLanes([
    [step('w', 'pass'), step('w', 'pass'), step('x', 'pass'), step('z', 'dnat')],
    [step('z', 'dnat'), step('y', 'pass')],
  ])
  const rows = visit?.rows ?? []
  assert.deepEqual(laneSummary(rows.slice(0, 2), 0), { steps: 3, absent: 'ended' })
  assert.deepEqual(laneSummary(rows.slice(0, 2), 1), { steps: 0, absent: 'gap' })
  assert.deepEqual(laneSummary(rows.slice(3), 0), { steps: 0, absent: 'ended' })
})

test('bypassed rules are counted at their place', () => {
  const rule = (hook: string, owner: string) => {
    const evidence = { kind: 'file', file: 'f', line: 1, text: '' } as const
    return { node: 'a', hook, text: '', owner, evidence }
  }
  const bypassedRules = [rule('nat', 'kube-proxy'), rule('nat', 'unknown'), rule('filter', 'kubelet')]
  const difference = { kind: 'path', at: null, text: '', bypassedRules } as const
  assert.deepEqual(bypassedAt(difference, 'a', new Set(['nat'])), { rules: 2, unknown: 1 })
  assert.deepEqual(bypassedAt(difference, 'a', new Set(['nat', 'filter'])), { rules: 3, unknown: 1 })
  assert.deepEqual(bypassedAt(difference, 'b', new Set(['nat'])), { rules: 0, unknown: 0 })
  assert.deepEqual(bypassedAt(null, 'a', new Set(['nat'])), { rules: 0, unknown: 0 })
})
