// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { alignLanes, type Cell, pairOutcomes } from './alignment.ts'
import type { Effect, Outcome, Step, Verdict } from './answer.ts'

/** "node/netns hook" per step. */
function way(...places: readonly string[]): Step[] {
  return places.map((place, index) => {
    const [where = '', hook = ''] = place.split(' ')
    const [node = '', netns = ''] = where.split('/')
    return { ...STEP, node, netns, hook, text: String(index) }
  })
}

const STEP: Step = {
  node: 'a',
  netns: 'host',
  hook: 'route',
  actor: { kind: 'kernel', ref: '' },
  effect: 'pass' satisfies Effect,
  before: null,
  after: null,
  evidence: null,
  text: '',
}

/** One line a row: "a/host route 1 gap". */
function table(...lanes: readonly (readonly Step[] | null)[]): string[] {
  return alignLanes(lanes).flatMap(({ node, netns, rows }) =>
    rows.map(({ hook, cells }) => `${node}/${netns} ${hook} ${cells.map(cellText).join(' ')}`),
  )
}

function cellText(cell: Cell): string {
  return cell.kind === 'steps' ? String(cell.steps.length) : cell.kind
}

test('a place only one lane knows is a gap in the other', () => {
  const netfilter = way('a/host link', 'a/host nat/PREROUTING', 'a/host nat/PREROUTING', 'a/host route')
  const ebpf = way('a/host link', 'a/host route')
  assert.deepEqual(table(netfilter, ebpf), ['a/host link 1 1', 'a/host nat/PREROUTING 2 gap', 'a/host route 1 1'])
})

test('programs at a device stand before the hooks on the way in, after them on the way out', () => {
  const netfilter = way('a/host nat/PREROUTING', 'a/host route', 'a/host nat/POSTROUTING')
  const ebpf = way('a/host tc', 'a/host route', 'a/host tc')
  assert.deepEqual(table(netfilter, ebpf), [
    'a/host tc gap 1',
    'a/host nat/PREROUTING 1 gap',
    'a/host route 1 1',
    'a/host nat/POSTROUTING 1 gap',
    'a/host tc ended 1',
  ])
})

test('lanes that share no place still read in the order of the kernel', () => {
  const netfilter = way('a/host link', 'a/host nat/PREROUTING', 'a/host route', 'a/host nat/POSTROUTING')
  const ebpf = way('a/host policy-egress', 'a/host tc', 'a/host policy-ingress')
  assert.deepEqual(table(netfilter, ebpf), [
    'a/host link 1 gap',
    'a/host policy-egress gap 1',
    'a/host tc gap 1',
    'a/host nat/PREROUTING 1 gap',
    'a/host route 1 gap',
    'a/host nat/POSTROUTING 1 gap',
    'a/host policy-ingress ended 1',
  ])
})

test('a lane that was dropped is not past the rest, it never comes there', () => {
  const netfilter = way('a/host filter/FORWARD')
  const ebpf = way('a/host filter/FORWARD', 'b/host route')
  assert.deepEqual(table(netfilter, ebpf), ['a/host filter/FORWARD 1 1', 'b/host route ended 1'])
})

test('the same hook in another namespace or node is another place', () => {
  const netfilter = way('a/pod:x route', 'a/host route', 'b/host route')
  const ebpf = way('a/pod:x route', 'b/host route')
  assert.deepEqual(table(netfilter, ebpf), ['a/pod:x route 1 1', 'a/host route 1 gap', 'b/host route 1 1'])
})

test('one lane alone, or one without a way', () => {
  assert.deepEqual(table(way('a/host route')), ['a/host route 1'])
  assert.deepEqual(table(way('a/host route'), null), ['a/host route 1 ended'])
  assert.deepEqual(table(null, null), [])
})

const anyWay = fc
  .array(
    fc.record({
      node: fc.constantFrom('a', 'b'),
      netns: fc.constantFrom('host', 'pod'),
      hook: fc.constantFrom('w', 'x', 'y', 'route'),
    }),
    {
      maxLength: 14,
    },
  )
  .map((places) => places.map((place, index): Step => ({ ...STEP, ...place, text: String(index) })))

test('each lane reads top to bottom exactly as it was, gaps only before its end', () => {
  fc.assert(
    fc.property(anyWay, anyWay, (a, b) => {
      const visits = alignLanes([a, b])
      for (const [lane, steps] of [a, b].entries()) {
        const cells = visits.flatMap(({ rows }) => rows.map(({ cells: row }) => row[lane]))
        const shown = cells.flatMap((cell) => (cell?.kind === 'steps' ? cell.steps : []))
        assert.deepEqual(shown, steps)
        const lastSteps = cells.findLastIndex((cell) => cell?.kind === 'steps')
        cells.forEach((cell, index) => {
          if (cell?.kind === 'gap') assert.ok(index < lastSteps)
          if (cell?.kind === 'ended') assert.ok(index > lastSteps)
          if (cell?.kind === 'steps') assert.deepEqual(steps[cell.first], cell.steps[0])
        })
      }
      for (const { node, netns, rows } of visits) {
        for (const { hook, cells } of rows) {
          assert.ok(cells.some((cell) => cell.kind === 'steps'))
          for (const cell of cells) {
            if (cell.kind !== 'steps') continue
            for (const step of cell.steps) assert.deepEqual([step.node, step.netns, step.hook], [node, netns, hook])
          }
        }
      }
    }),
  )
})

test('equal ways have no gaps', () => {
  fc.assert(
    fc.property(anyWay, (steps) => {
      for (const { rows } of alignLanes([steps, steps])) {
        for (const { cells } of rows) assert.ok(cells.every((cell) => cell.kind === 'steps'))
      }
    }),
  )
})

function outcome(ip: string, verdict: Verdict = 'delivered'): Outcome {
  const endpoint = { ip, port: 80 }
  return { probability: 1, verdict, source: endpoint, destination: endpoint, masquerade: false, steps: [], unknowns: [] }
}

test('outcomes are paired by end, wherever they stand', () => {
  assert.deepEqual(
    pairOutcomes([
      [outcome('x'), outcome('y')],
      [outcome('y'), outcome('x')],
    ]),
    [
      [0, 1],
      [1, 0],
    ],
  )
})

test('the same destination counts before the verdict', () => {
  const dropped = [outcome('x', 'dropped'), outcome('y', 'dropped')]
  assert.deepEqual(pairOutcomes([dropped, [outcome('y'), outcome('x')]]), [
    [0, 1],
    [1, 0],
  ])
})

test('one drop stands beside every backend', () => {
  assert.deepEqual(pairOutcomes([[outcome('svc', 'dropped')], [outcome('x'), outcome('y')]]), [
    [0, 0],
    [0, 1],
  ])
})

test('a backend only one lane knows has no partner', () => {
  assert.deepEqual(pairOutcomes([[outcome('x'), outcome('y')], [outcome('x')]]), [
    [0, 0],
    [1, null],
  ])
})

test('several ways to one end', () => {
  assert.deepEqual(pairOutcomes([[outcome('x'), outcome('x')], [outcome('x')]]), [
    [0, 0],
    [1, 0],
  ])
  assert.deepEqual(pairOutcomes([[outcome('x'), outcome('y')]]), [[0], [1]])
})

test('no outcome is left out', () => {
  const outcomes = fc.array(
    fc
      .tuple(fc.constantFrom('x', 'y', 'z'), fc.constantFrom<Verdict>('delivered', 'dropped'))
      .map(([ip, verdict]) => outcome(ip, verdict)),
    { maxLength: 5 },
  )
  fc.assert(
    fc.property(outcomes, outcomes, (a, b) => {
      const choices = pairOutcomes([a, b])
      for (const [lane, own] of [a, b].entries()) {
        const shown = new Set(choices.map((choice) => choice[lane]))
        for (const index of own.keys()) assert.ok(shown.has(index))
      }
    }),
  )
})
