// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Ruleset, Table } from '../ruleset.ts'
import { parseNftJson } from './json.ts'
import { parseNft } from './nft.ts'
import { parseNftText } from './text.ts'

const FIXTURES = new URL('../../../test/fixtures/raw/', import.meta.url)
const LAB = ['nftables/n1', 'nftables/n2', 'mixed/n1', 'iptables/n1']

function only(ruleset: Ruleset): Table {
  const [table] = ruleset.tables
  assert.ok(table !== undefined && ruleset.tables.length === 1)
  return table
}

const LISTING = `table bridge filter { # handle 4
	flags dormant
	comment "a } b"

	set s { # handle 2
		type ipv4_addr . inet_service
		size 65535	# count 2
		flags interval,timeout
		elements = { 10.0.0.1 . 80 timeout 30s expires 29s comment "a, b" counter packets 1 bytes 2,
			     10.0.0.0/8 . 80-90 }
	}

	map m {
		typeof ip daddr . tcp dport : verdict
		elements = { 10.0.0.1 . 80 : goto other,
			     * : drop }
	}

	chain in { # handle 1
		comment "entry"
		type filter hook input priority filter - 1; policy drop;
		ip saddr . tcp dport @s counter packets 1 bytes 60 accept comment "say "hi" # now" # handle 5
		update @s { ip saddr . tcp dport timeout 1m } # handle 6
	}

	chain dev {
		type filter hook ingress devices = { eth0, "a b" } priority -500; policy accept;
	}
}
`

test('tables, sets and chains', () => {
  const ruleset = parseNftText(LISTING, 'nft.txt')
  assert.deepEqual(ruleset.problems, [])
  const table = only(ruleset)
  assert.deepEqual([table.family, table.name, table.dormant, table.backend], ['bridge', 'filter', true, 'nft'])
  const input = table.chains.get('in')
  assert.deepEqual(input?.base, { type: 'filter', hook: 'input', priority: -201, devices: [], policy: 'drop' })
  assert.deepEqual(table.chains.get('dev')?.base?.devices, ['eth0', 'a b'])
  assert.deepEqual(
    input?.rules.map((rule) => [rule.position.line, rule.handle, rule.comment, rule.text]),
    [
      [22, 5, 'say "hi" # now', 'ip saddr . tcp dport @s counter packets 1 bytes 60 accept comment "say "hi" # now"'],
      [23, 6, undefined, 'update @s { ip saddr . tcp dport timeout 1m }'],
    ],
  )
  const set = table.sets.get('s')
  assert.deepEqual(
    [set?.kind, set?.keyType, set?.flags],
    ['set', ['ipv4_addr', 'inet_service'], ['interval', 'timeout', 'dynamic']],
  )
  assert.deepEqual(set?.elements[0], {
    key: {
      kind: 'concat',
      parts: [
        { kind: 'value', value: 0x0a000001 },
        { kind: 'value', value: 80 },
      ],
    },
    comment: 'a, b',
    line: 9,
  })
  assert.equal(set?.elements[1]?.line, 10)
  const map = table.sets.get('m')
  assert.deepEqual([map?.kind, map?.keyType], ['verdict-map', ['ipv4_addr', 'inet_service']])
  assert.deepEqual(
    map?.elements.map((element) => element.verdict),
    [{ kind: 'goto', chain: 'other' }, { kind: 'drop' }],
  )
})

test('priorities by name, by name and distance, and by number', () => {
  const priorities = ['raw', 'mangle', 'dstnat', 'filter', 'security', 'srcnat', 'dstnat + 5', 'filter - 1', '-225', '7']
  const text = priorities.map((p, i) => `chain c${i} { type filter hook prerouting priority ${p}; policy accept; }`).join('\n')
  const chains = [...only(parseNftText(`table ip t {\n${text}\n}\n`, 'f')).chains.values()]
  assert.deepEqual(
    chains.map((chain) => chain.base?.priority),
    [-300, -150, -100, 0, 50, 100, -95, -1, -225, 7],
  )
})

test('what is not understood costs its rule, and nothing else', () => {
  const text =
    'table ip t {\n\tchain c {\n\t\taccept\n\t\ttcp dport 5 frobnicate { 1 } drop\n\t\ttcp dport nosuchport drop\n\t\tdrop comment "open\n\t\treturn\n\t}\n\n\tgadget g {\n\t}\n\n\tchain d {\n\t\taccept\n\t}\n}\n'
  const { tables, problems } = parseNftText(text, 'nft.txt')
  const rules = tables[0]?.chains.get('c')?.rules ?? []
  assert.deepEqual(
    rules.map((rule) => rule.statements.map((statement) => statement.kind)),
    [['verdict'], ['compare', 'unknown-action'], ['unknown-match', 'verdict'], ['verdict', 'unknown-action'], ['verdict']],
  )
  assert.deepEqual(
    problems.map((problem) => problem.position),
    [4, 5, 6, 10].map((line) => ({ file: 'nft.txt', line })),
  )
  assert.match(problems[0]?.reason ?? '', /"frobnicate" begins no statement/)
  assert.match(problems[1]?.reason ?? '', /"nosuchport" is not a known inet_service/)
  assert.equal(problems[1]?.text, 'tcp dport nosuchport drop')
})

test('a set that can not be read keeps what came before, says so, and ends where it ends', () => {
  const set = '\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 1.1.1.1, 2.2.2.2 ) 3,\n\t\t\t     4.4.4.4 }\n\t}\n'
  const { tables, problems } = parseNftText(`table ip t {\n${set}\n\tchain c {\n\t\taccept\n\t}\n}\n`, 'f')
  const read = tables[0]?.sets.get('s')
  assert.equal(read?.incomplete, true)
  assert.equal(read?.elements.length, 2)
  assert.equal(problems.length, 1)
  assert.equal(tables[0]?.chains.get('c')?.rules.length, 1)
})

test('an element that means nothing for its type makes the set incomplete', () => {
  const { tables, problems } = parseNftText(
    'table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 1.1.1.1, host.example }\n\t}\n}\n',
    'f',
  )
  assert.equal(tables[0]?.sets.get('s')?.incomplete, true)
  assert.deepEqual(
    problems.map((problem) => problem.position.line),
    [4],
  )
})

test('a listing that breaks off keeps all before; its last rule is not trusted', () => {
  const whole = 'table ip t {\n\tchain c {\n\t\taccept\n\t\tip saddr 10.0.0.15 drop\n\t}\n}\n'
  const { tables, problems } = parseNftText(whole.slice(0, whole.indexOf('5 drop')), 'f')
  const rules = tables[0]?.chains.get('c')?.rules ?? []
  assert.deepEqual(
    rules.map((rule) => rule.statements[0]?.kind),
    ['verdict', 'unknown-action'],
  )
  assert.ok(problems.some((problem) => /ends within this rule/.test(problem.reason)))
})

test('arbitrary, cut and damaged text never throws', () => {
  const fixture = readFileSync(new URL('nftables/n1/nft-ruleset.txt', FIXTURES), 'utf8')
  const words = fc.constantFrom(
    'table',
    'ip',
    'chain',
    '{',
    '}',
    '"',
    '\n',
    'elements',
    '=',
    'tcp',
    'dport',
    '@s',
    ',',
    'vmap',
    'dnat',
    'to',
    ':',
    '#',
  )
  fc.assert(fc.property(fc.string(), (text) => void parseNft(text, 'f')))
  fc.assert(fc.property(fc.array(words, { maxLength: 40 }), (parts) => void parseNft(parts.join(' '), 'f')))
  fc.assert(
    fc.property(fc.nat(fixture.length), fc.nat(fixture.length), fc.string({ maxLength: 3 }), (from, length, junk) => {
      parseNftText(fixture.slice(0, from), 'f')
      parseNftText(fixture.slice(0, from) + junk + fixture.slice(from + (length % 50)), 'f')
    }),
    { numRuns: 60 },
  )
})

test('hostile nesting and length are problems, not full stacks', () => {
  const rules = [
    `meta mark set ${'('.repeat(50000)}`,
    `meta mark set ${'jhash '.repeat(50000)}`,
    `tcp flags ${'('.repeat(50000)}`,
    `meta mark set ${'1 | '.repeat(50000)}1`,
    `tcp flags ${'syn | '.repeat(50000)}syn`,
    'add @s { '.repeat(50000),
    'ip saddr { 1.1.1.1 counter name ip saddr map '.repeat(20000),
  ]
  for (const rule of rules) {
    const { tables, problems } = parseNftText(`table ip t {\n\tchain c {\n\t\t${rule}\n\t\taccept\n\t}\n}\n`, 'f')
    assert.equal(problems.length, 1)
    assert.equal(tables[0]?.chains.get('c')?.rules.length, 2)
  }
  const deep = `{"nftables": [{"rule": ${'['.repeat(50000)}${']'.repeat(50000)}}, {"table": {"family": "ip", "name": "t"}}]}`
  const { tables, problems } = parseNftJson(deep, 'f')
  assert.deepEqual([tables.length, problems.length], [1, 1])
})

test('a cut listing has every rule that stands whole before the cut', () => {
  const fixture = readFileSync(new URL('nftables/n1/nft-ruleset.txt', FIXTURES), 'utf8')
  const lines = (ruleset: Ruleset) =>
    ruleset.tables.flatMap((table) =>
      [...table.chains.values()].flatMap((chain) => chain.rules.map((rule) => rule.position.line)),
    )
  const whole = lines(parseNftText(fixture, 'f'))
  fc.assert(
    fc.property(fc.nat(fixture.length), (cut) => {
      const last = fixture.slice(0, cut).split('\n').length
      const found = new Set(lines(parseNftText(fixture.slice(0, cut), 'f')))
      for (const line of whole) if (line < last) assert.ok(found.has(line), `rule on line ${line}, cut in line ${last}`)
    }),
    { numRuns: 40 },
  )
})

for (const node of LAB) {
  test(`a node's recorded ruleset reads without problems, and as its JSON does: ${node}`, () => {
    const text = parseNft(readFileSync(new URL(`${node}/nft-ruleset.txt`, FIXTURES), 'utf8'), 'nft.txt')
    const json = parseNft(readFileSync(new URL(`${node}/nft-ruleset.json`, FIXTURES), 'utf8'), 'nft.json')
    assert.deepEqual(text.problems, [])
    assert.deepEqual(json.problems, [])
    assert.deepEqual(text.tables.map(named), json.tables.map(named))
    assert.deepEqual(text.tables.filter(own).map(meaning), json.tables.filter(own).map(meaning))
    const printed = json.tables.filter(own).flatMap(ruleTexts)
    assert.deepEqual(printed, text.tables.filter(own).flatMap(ruleTexts))
  })
}

function named(table: Table): string {
  return `${table.backend} ${table.family} ${table.name}`
}

/** iptables-nft's tables differ: text shows what nft makes of xt matches, JSON only their names. */
function own(table: Table): boolean {
  return table.backend === 'nft'
}

function ruleTexts(table: Table): string[] {
  return [...table.chains.values()].flatMap((chain) => chain.rules.map((rule) => rule.text))
}

function meaning(table: Table): unknown {
  const chains = [...table.chains.values()].map(({ name, base, rules }) => ({
    name,
    base,
    rules: rules.map((rule) => rule.statements),
  }))
  const sets = [...table.sets.values()].map(({ position: _, elements, flags, ...set }) => ({
    ...set,
    flags: flags.filter((flag) => flag !== 'dynamic'),
    elements: elements.map(({ line: __, ...element }) => element),
  }))
  return { dormant: table.dormant, chains, sets }
}

test('JSON and text are told apart', () => {
  assert.deepEqual(parseNft('{"nftables": []}', 'f'), { tables: [], problems: [] })
  assert.deepEqual(parseNft('', 'f'), { tables: [], problems: [] })
  assert.equal(
    parseNft('# Warning: table ip nat is managed by iptables-nft, do not touch!\ntable ip nat {\n}\n', 'f').tables.length,
    1,
  )
  assert.deepEqual(parseNftJson('{"nftables": []}', 'f').problems, [])
})

test('a text that ends within a rule is cut off, wherever that is', () => {
  const text = 'table inet t {\n\tchain c {\n\t\ttcp dport 1 accept\n\t\ttcp dport { 2, 3 } drop\n\t}\n}\n'
  for (let end = 1; end < text.length - 1; end++) {
    const { problems } = parseNft(text.slice(0, end), 'cut.nft')
    const started = end > 'table inet t {'.length
    assert.ok(problems.length > 0, `${end}`)
    if (started)
      assert.ok(
        problems.some(({ cutOff, position }) => cutOff === true && position.line > 0),
        `${end}`,
      )
  }
})
