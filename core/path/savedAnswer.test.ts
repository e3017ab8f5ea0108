// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TRACE_SCHEMA, type TraceAnswer } from './answer.ts'
import { parseSavedAnswer } from './savedAnswer.ts'

const ANSWER: TraceAnswer = {
  schema: TRACE_SCHEMA,
  question: {
    from: '10.0.0.5',
    to: '10.0.0.1:80/TCP',
    source: { ip: '10.0.0.5', port: null },
    destination: { ip: '10.0.0.1', port: 80 },
    protocol: 'TCP',
    ctState: 'new',
    mark: 0,
  },
  lanes: [{ lane: 'netfilter', source: 'rules', outcomes: [], unknowns: [] }],
  difference: null,
  proof: null,
}

function parse(value: unknown): TraceAnswer {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return parseSavedAnswer(new TextEncoder().encode(text), 'a.plumbline-trace.json')
}

test('what was saved is read back', () => {
  assert.deepEqual(parse(ANSWER), ANSWER)
  assert.deepEqual(parse({ ...ANSWER, later: 'fields are ignored' }).question, ANSWER.question)
})

test('anything else is refused with cause and place', () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ['', /a\.plumbline-trace\.json: is empty/],
    ['{\n"schema": ', /a\.plumbline-trace\.json:2: is not valid JSON/],
    [[], /names no `schema`/],
    [{ schema: 'plumbline.bundle/v1' }, /its schema is `plumbline\.bundle\/v1`/],
    [
      { ...ANSWER, schema: 'plumbline.trace/v2' },
      /newer Plumbline \(plumbline\.trace\/v2\); this one reads plumbline\.trace\/v1/,
    ],
    [{ ...ANSWER, lanes: [{ ...ANSWER.lanes[0], lane: 'ipvs' }] }, /\/lanes\/0\/lane is none of \["netfilter","ebpf"\]: "ipvs"/],
    [{ ...ANSWER, question: null, proof: 1 }, /\/question is not of type object: null \(and \d+ more\)/],
  ]
  for (const [value, expected] of cases) assert.throws(() => parse(value), expected)
})
