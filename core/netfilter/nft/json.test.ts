// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseNftJson } from './json.ts'

const FIXTURE = readFileSync(new URL('../../../test/fixtures/raw/nftables/n1/nft-ruleset.json', import.meta.url), 'utf8')

const OBJECTS = [
  { metainfo: { version: '1.0.6', json_schema_version: 1 } },
  { table: { family: 'inet', name: 't', handle: 1 } },
  { chain: { family: 'inet', table: 't', name: 'c', handle: 1, type: 'filter', hook: 'input', prio: -1, policy: 'drop' } },
  rule(2, [{ match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 80 } }, { accept: null }]),
  rule(3, [{ drop: null }]),
]

function rule(handle: number, expr: readonly object[]): object {
  return { rule: { family: 'inet', table: 't', chain: 'c', handle, expr } }
}

function read(objects: readonly unknown[], indent?: number) {
  return parseNftJson(JSON.stringify({ nftables: objects }, null, indent), 'nft.json')
}

test('positions are the objects’ lines where the JSON was reformatted, and line 1 as nft prints it', () => {
  const lines = (indent?: number) =>
    read(OBJECTS, indent)
      .tables[0]?.chains.get('c')
      ?.rules.map((found) => found.position.line)
  assert.deepEqual(lines(), [1, 1])
  const pretty = JSON.stringify({ nftables: OBJECTS }, null, 2).split('\n')
  const starts = pretty.flatMap((line, i) => (line === '      "rule": {' ? [i] : []))
  assert.deepEqual(lines(2), starts)
})

test('rules get the text nft would print', () => {
  const [first, second] = read(OBJECTS).tables[0]?.chains.get('c')?.rules ?? []
  assert.deepEqual([first?.text, first?.handle], ['tcp dport 80 accept', 2])
  assert.equal(second?.text, 'drop')
})

test('what is not understood costs its statement, and nothing else', () => {
  const strange = rule(4, [{ match: { op: '==', left: { warp: 9 }, right: 1 } }, { teleport: null }, { accept: null }])
  const { tables, problems } = read([...OBJECTS, strange, { gizmo: {} }, rule(5, [{ accept: null }])])
  const rules = tables[0]?.chains.get('c')?.rules ?? []
  assert.deepEqual(
    rules.map((found) => found.handle),
    [2, 3, 4, 5],
  )
  assert.deepEqual(
    rules[2]?.statements.map((statement) => statement.kind),
    ['unknown-match', 'unknown-action', 'verdict'],
  )
  assert.deepEqual(problems.map((problem) => problem.reason).sort(), [
    '"gizmo" is not known in a ruleset',
    'the expression "warp" is not known',
    'the statement "teleport" is not known',
  ])
})

test('newer forms: typeof sets, flag lists, elements apart, long operand lists, statements of updates', () => {
  const { tables, problems } = read([
    { table: { family: 'ip', name: 't', flags: ['dormant'] } },
    {
      set: {
        family: 'ip',
        table: 't',
        name: 's',
        type: { typeof: { concat: [{ payload: { protocol: 'ip', field: 'saddr' } }, { meta: { key: 'mark' } }] } },
        elem: [{ concat: ['10.0.0.1', 5] }],
      },
    },
    { element: { family: 'ip', table: 't', name: 's', elem: { set: [{ concat: ['10.0.0.2', 6] }] } } },
    { chain: { family: 'ip', table: 't', name: 'c' } },
    {
      rule: {
        family: 'ip',
        table: 't',
        chain: 'c',
        expr: [
          { mangle: { key: { meta: { key: 'mark' } }, value: { '|': [{ meta: { key: 'mark' } }, 1, 2] } } },
          {
            set: {
              op: 'update',
              elem: { elem: { val: { payload: { protocol: 'ip', field: 'saddr' } }, timeout: 5 } },
              set: '@s',
              stmt: [{ limit: { rate: 1, per: 'second' } }],
            },
          },
          'update @m { ip saddr : tcp dport }',
        ],
      },
    },
  ])
  assert.deepEqual(problems, [])
  const table = tables[0]
  assert.equal(table?.dormant, true)
  const set = table?.sets.get('s')
  assert.deepEqual([set?.keyType, set?.flags, set?.elements.length], [['ipv4_addr', 'mark'], ['dynamic'], 2])
  const [assign, update, map] = table?.chains.get('c')?.rules[0]?.statements ?? []
  const mark = { kind: 'meta', key: 'mark' }
  const one = { kind: 'literal', value: { kind: 'value', value: 1 } }
  const two = { kind: 'literal', value: { kind: 'value', value: 2 } }
  const both = { kind: 'binary', op: '|', left: { kind: 'binary', op: '|', left: mark, right: one }, right: two }
  assert.deepEqual(assign, { kind: 'assign', target: mark, value: both })
  assert.ok(update?.kind === 'set-update' && update.matches.length === 1)
  assert.ok(map?.kind === 'set-update' && map.data !== undefined)
})

test('what nft 1.0 leaves out of JSON is told', () => {
  const { problems } = read([
    { table: { family: 'netdev', name: 't', flags: 'c1' } },
    { chain: { family: 'netdev', table: 't', name: 'c', type: 'filter', hook: 'ingress', prio: 0, policy: 'accept' } },
  ])
  assert.deepEqual(
    problems.map((problem) => problem.text),
    ['c1', 'chain c'],
  )
})

test('numbers JSON can not hold exactly are not guessed', () => {
  const match = { match: { op: '==', left: { payload: { base: 'nh', offset: 0, len: 64 } }, right: 0 } }
  const text = JSON.stringify({ nftables: [...OBJECTS, rule(9, [match])] }).replace('"right":0}', '"right":18446744073709551615}')
  const { tables, problems } = parseNftJson(text, 'f')
  assert.match(problems[0]?.reason ?? '', /too large to be read exactly/)
  assert.equal(tables[0]?.chains.get('c')?.rules[2]?.statements[0]?.kind, 'unknown-match')
})

test('a text that breaks off keeps every whole object before the break', () => {
  const count = (text: string) =>
    parseNftJson(text, 'f').tables.flatMap((table) => [...table.chains.values()].flatMap((chain) => chain.rules)).length
  const ends = [...FIXTURE.matchAll(/\{"rule": /g)].map((match) => match.index)
  const whole = count(FIXTURE)
  assert.equal(whole, ends.length)
  fc.assert(
    fc.property(fc.nat(FIXTURE.trimEnd().length - 1), (cut) => {
      const result = parseNftJson(FIXTURE.slice(0, cut), 'f')
      assert.ok(result.problems.length > 0)
      const begun = ends.filter((start) => start < cut).length
      const kept = count(FIXTURE.slice(0, cut))
      assert.ok(kept === begun || kept === begun - 1, `${kept} of ${begun}`)
    }),
    { numRuns: 60 },
  )
})

test('arbitrary JSON never throws', () => {
  fc.assert(fc.property(fc.jsonValue(), (json) => void parseNftJson(JSON.stringify({ nftables: json }), 'f')))
  const kinds = fc.constantFrom('table', 'chain', 'rule', 'set', 'map', 'element')
  const body = fc.record({
    family: fc.constant('ip'),
    table: fc.constant('t'),
    name: fc.string(),
    chain: fc.string(),
    expr: fc.array(fc.jsonValue()),
    elem: fc.jsonValue(),
    type: fc.jsonValue(),
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(kinds, body)), (objects) => void read(objects.map(([kind, value]) => ({ [kind]: value })))),
  )
})
