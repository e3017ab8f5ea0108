// SPDX-License-Identifier: Apache-2.0

/**
 * The kernel's own two ways of showing a ruleset, `nft -a list ruleset` and `nft -j -a list ruleset`, are written by different
 * code. Whatever it accepts must read the same from both, and be printed back from JSON as nft prints it.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { parseNftJson } from '../../core/netfilter/nft/json.ts'
import { parseNftText } from '../../core/netfilter/nft/text.ts'
import { TestNetns, withoutNetns } from '../support/netns.ts'
import { Random } from '../support/random.ts'
import { firstDifferences, outline, texts } from './nft-compare.ts'
import { CORPUS, OBJECTS } from './nft-corpus.ts'
import { randomRule } from './nft-random.ts'

const SEED = Number(process.env['PLUMBLINE_SEED'] ?? 20261122)
const WORLDS = Number(process.env['PLUMBLINE_WORLDS'] ?? 6)

const skip = withoutNetns() || (spawnSync('nft', ['--version']).error === undefined ? false : 'skipped: needs nft')

/** Runs commands, one a line, leaving out those nft refuses. Gives how many were taken. */
function load(netns: TestNetns, commands: readonly string[]): number {
  let left = [...commands]
  while (left.length > 0) {
    const { status, stderr } = netns.exec('nft', ['-f', '-'], `${left.join('\n')}\n`)
    if (status === 0) return left.length
    const refused = new Set([...stderr.matchAll(/^\/dev\/stdin:(\d+):/gm)].map((match) => Number(match[1]) - 1))
    if (refused.size === 0) {
      // nft itself failed on a line: one by one.
      return left.filter((command) => netns.exec('nft', ['-f', '-'], `${command}\n`).status === 0).length
    }
    left = left.filter((_, i) => !refused.has(i))
  }
  return 0
}

function compare(netns: TestNetns, what: string): number {
  const shown = netns.exec('nft', ['-a', 'list', 'ruleset']).stdout
  const text = parseNftText(shown, 'nft.txt')
  const listed = netns.exec('nft', ['-j', '-a', 'list', 'ruleset'])
  assert.equal(listed.status, 0, `${what}: nft -j failed: ${listed.stderr}`)
  const json = parseNftJson(listed.stdout, 'nft.json')
  assert.deepEqual(text.problems, [], what)
  const unexpected = json.problems.filter((problem) => !/does not name the devices|table flags/.test(problem.reason))
  assert.deepEqual(unexpected, [], what)
  assert.equal(firstDifferences(outline(text), outline(json)), '', what)
  const fromJson = texts(json)
  for (const [rule, shownText] of texts(text))
    assert.equal(fromJson.get(rule), shownText, `${what}: rule ${rule} printed from JSON`)
  const lines = shown.split('\n')
  for (const table of text.tables) {
    for (const chain of table.chains.values()) {
      for (const rule of chain.rules) assert.match(lines[rule.position.line - 1] ?? '', new RegExp(`# handle ${rule.handle}$`))
    }
  }
  for (const options of [['-nn'], ['-n', '-y', '-T'], ['-s']]) {
    const numeric = parseNftText(netns.exec('nft', ['-a', ...options, 'list', 'ruleset']).stdout, 'nft.txt')
    assert.deepEqual(numeric.problems, [], `${what} with ${options.join(' ')}`)
    if (options[0] === '-nn') assert.equal(firstDifferences(outline(numeric), outline(text)), '', `${what} with -nn`)
  }
  return fromJson.size
}

function world(): TestNetns {
  const netns = new TestNetns(`plumbline-nft${process.pid}`)
  netns.ip(['link add d0 type veth peer name d1', 'link set lo up', 'link set d0 up', 'link set d1 up'])
  return netns
}

test('rules of every kind read the same from text and from JSON', { skip }, () => {
  using netns = world()
  const families = [...new Set(CORPUS.map((entry) => entry.family))]
  load(
    netns,
    families.flatMap((family) => [`add table ${family} t`, `add chain ${family} t other`]),
  )
  load(
    netns,
    families.flatMap((family) =>
      OBJECTS.map((object) => `add ${object.replace(/^(\w+(?: (?:helper|timeout|expectation))?) /, `$1 ${family} t `)}`),
    ),
  )
  const refused: string[] = []
  for (const { family, chain, base, rules } of CORPUS) {
    load(netns, [`add chain ${family} t ${chain} { ${base} }`])
    for (const rule of rules) if (load(netns, [`add rule ${family} t ${chain} ${rule}`]) === 0) refused.push(`${family}: ${rule}`)
  }
  const rules = compare(netns, 'corpus')
  const total = CORPUS.reduce((sum, entry) => sum + entry.rules.length, 0)
  assert.equal(rules, total - refused.length)
  assert.ok(rules > total * 0.7, `only ${rules} of ${total} rules were taken; refused:\n${refused.join('\n')}`)
})

test('random rules read the same from text and from JSON', { skip }, () => {
  for (let i = 0; i < WORLDS; i++) {
    const random = new Random(SEED + i)
    using netns = world()
    load(netns, ['add table inet t', 'add chain inet t other', 'add chain inet t c { type filter hook forward priority 0; }'])
    load(
      netns,
      OBJECTS.map((object) => `add ${object.replace(/^(\w+(?: (?:helper|timeout|expectation))?) /, '$1 inet t ')}`),
    )
    const taken = load(
      netns,
      Array.from({ length: 120 }, () => `add rule inet t c ${randomRule(random)}`),
    )
    assert.ok(taken > 30, `seed ${SEED + i}: only ${taken} rules were taken`)
    compare(netns, `seed ${SEED + i}`)
  }
})

test('a dormant table says so', { skip }, () => {
  using netns = world()
  load(netns, ['add table ip asleep { flags dormant; }', 'add table ip awake'])
  const { tables } = parseNftText(netns.exec('nft', ['list', 'ruleset']).stdout, 'nft.txt')
  assert.deepEqual(
    tables.map((table) => [table.name, table.dormant]),
    [
      ['asleep', true],
      ['awake', false],
    ],
  )
})

test("iptables' own tables are told from nft's", { skip }, () => {
  using netns = world()
  for (const args of ['-t nat -A PREROUTING -p tcp -m comment --comment x -j REDIRECT', '-A INPUT -m recent --name a --set']) {
    netns.exec('iptables-nft', args.split(' '))
  }
  load(netns, ['add table ip mine', 'add chain ip mine INPUT { type filter hook input priority 0; }', 'add table inet filter'])
  for (const [ruleset, form] of [
    [parseNftText(netns.exec('nft', ['list', 'ruleset']).stdout, 'nft.txt'), 'text'],
    [parseNftJson(netns.exec('nft', ['-j', 'list', 'ruleset']).stdout, 'nft.json'), 'JSON'],
  ] as const) {
    const backends = Object.fromEntries(ruleset.tables.map((table) => [`${table.family} ${table.name}`, table.backend]))
    assert.deepEqual(
      backends,
      { 'ip nat': 'iptables-nft', 'ip filter': 'iptables-nft', 'ip mine': 'nft', 'inet filter': 'nft' },
      form,
    )
    assert.deepEqual(ruleset.problems, [], form)
  }
})
