// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatAddress, parseAddress } from '../net/address.ts'
import { type Flight, IPPROTO, type Packet, TCP_FLAG } from '../net/packet.ts'
import { Netfilter } from './evaluate.ts'
import { parseIptablesSave } from './iptables/save.ts'
import { parseIpsets } from './ipset/save.ts'
import { looseEnvironment } from './loose-environment.ts'
import type { HookBranch, HookName } from './traversal.ts'

function address(text: string) {
  const parsed = parseAddress(text)
  assert.ok(parsed, text)
  return parsed
}

function flight(changes: Partial<Packet> = {}, beside: Partial<Flight> = {}): Flight {
  const packet: Packet = {
    family: 4,
    protocol: IPPROTO.tcp,
    src: address('10.0.0.2'),
    dst: address('10.96.0.1'),
    sport: 40000,
    dport: 80,
    icmp: undefined,
    tcpFlags: TCP_FLAG.syn,
    length: 60,
    ttl: 64,
    dscp: 0,
    srcMac: undefined,
    dstMac: undefined,
    ...changes,
  }
  return {
    packet,
    mark: 0,
    iif: 'eth0',
    oif: undefined,
    physin: undefined,
    physout: undefined,
    connection: undefined,
    notrack: false,
    priority: undefined,
    socket: undefined,
    ...beside,
  }
}

const environment = looseEnvironment({ addresses: [{ address: address('192.0.2.1'), device: 'eth0' }] })

function traverse(
  rules: string,
  hook: HookName,
  start: Flight,
  options: { ipsets?: string; indexed?: boolean } = {},
): HookBranch[] {
  const ruleset = parseIptablesSave(rules, 'rules')
  assert.deepEqual(ruleset.problems, [])
  const { sets } = parseIpsets(options.ipsets ?? '', 'ipsets')
  return new Netfilter(ruleset, sets, environment, { indexed: options.indexed ?? true }).traverse('ip', hook, start)
}

function table(name: string, chains: string[], rules: string[]): string {
  return `*${name}\n${chains.map((chain) => `:${chain} ${/^[A-Z]+$/.test(chain) && chain !== 'X' && chain !== 'Y' ? 'ACCEPT' : '-'} [0:0]`).join('\n')}\n${rules.map((rule) => `-A ${rule}`).join('\n')}\nCOMMIT\n`
}

function ends(branches: HookBranch[]): [verdict: string, probability: number | null, destination: string, mark: number][] {
  return branches.map(({ verdict, probability, flight: { packet, mark } }) => [
    verdict,
    probability === null ? null : Number(probability.toFixed(6)),
    `${formatAddress(packet.dst)}:${packet.dport}`,
    mark,
  ])
}

describe('traversal', () => {
  it('picks backends with the probabilities kube-proxy means', () => {
    const rules = table(
      'nat',
      ['PREROUTING', 'SVC-1', 'SEP-1', 'SEP-2', 'SEP-3'],
      [
        'PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j SVC-1',
        'SVC-1 -m statistic --mode random --probability 0.33333333349 -j SEP-1',
        'SVC-1 -m statistic --mode random --probability 0.50000000000 -j SEP-2',
        'SVC-1 -j SEP-3',
        ...[1, 2, 3].map((n) => `SEP-${n} -p tcp -j DNAT --to-destination 10.1.0.${n}:8080`),
      ],
    )
    const branches = traverse(rules, 'prerouting', flight())
    assert.deepEqual(
      ends(branches),
      [1, 2, 3].map((n) => ['accept', 0.333333, `10.1.0.${n}:8080`, 0]),
    )
    assert.deepEqual(
      branches[0]?.steps.map((step) => step.text),
      [
        'connection tracking: a new connection',
        'PREROUTING rule 1: jump SVC-1',
        'SVC-1 rule 1: chosen with probability 1/3 → jump SEP-1',
        'SEP-1 rule 1: DNAT to 10.1.0.1:8080',
      ],
    )
    assert.equal(branches[0]?.steps.at(-1)?.hook, 'nat/PREROUTING')
    assert.deepEqual(branches[0]?.steps.at(-1)?.evidence, {
      kind: 'file',
      file: 'rules',
      line: 11,
      text: '-A SEP-1 -p tcp -j DNAT --to-destination 10.1.0.1:8080',
    })
  })

  it('returns from user chains, and goto returns to the caller of the caller', () => {
    const rules = table(
      'filter',
      ['FORWARD', 'X', 'Y'],
      ['FORWARD -j X', 'FORWARD -j DROP', 'X -g Y', 'X -j ACCEPT', 'Y -p udp -j ACCEPT', 'Y -j RETURN'],
    )
    assert.deepEqual(ends(traverse(rules, 'forward', flight())), [['drop', 1, '10.96.0.1:80', 0]])
  })

  it('accept ends one table, drop ends them all', () => {
    const rules =
      table('mangle', ['FORWARD'], ['FORWARD -j MARK --set-mark 1', 'FORWARD -j ACCEPT', 'FORWARD -j MARK --set-mark 2']) +
      table('filter', ['FORWARD'], ['FORWARD -m mark --mark 1 -j DROP']) +
      table('security', ['FORWARD'], ['FORWARD -j MARK --set-mark 9'])
    assert.deepEqual(ends(traverse(rules, 'forward', flight())), [['drop', 1, '10.96.0.1:80', 1]])
  })

  it('gives both sides of what it cannot decide, and says what is missing', () => {
    const rules = table('filter', ['FORWARD'], ['FORWARD -m bpf --bytecode "1,6 0 0 0" -j DROP'])
    const branches = traverse(rules, 'forward', flight())
    assert.deepEqual(ends(branches), [
      ['drop', null, '10.96.0.1:80', 0],
      ['accept', null, '10.96.0.1:80', 0],
    ])
    assert.deepEqual(branches[0]?.unknowns, [
      {
        what: 'match `bpf` in filter/FORWARD (FORWARD)',
        missing: 'meaning of match `bpf` for this packet',
        evidence: { kind: 'file', file: 'rules', line: 3, text: '-A FORWARD -m bpf --bytecode "1,6 0 0 0" -j DROP' },
      },
    ])
  })

  it('settles an undecided match that makes no difference', () => {
    const rules = table('filter', ['FORWARD'], ['FORWARD -m limit --limit 1/s -j LOG', 'FORWARD -p tcp -j DROP'])
    const [branch, ...more] = traverse(rules, 'forward', flight())
    assert.deepEqual(more, [])
    assert.equal(branch?.probability, 1)
    assert.deepEqual(branch?.unknowns, [])
    assert.match(branch?.steps[0]?.text ?? '', /can't be decided .* either way/)
    assert.equal(branch?.visited.length, 2)
  })

  it('asks an unknown fact once: a condition and its opposite never both hold', () => {
    const rules = table(
      'filter',
      ['FORWARD'],
      ['FORWARD -p tcp -m tcp --sport 40000 -j MARK --set-mark 1', 'FORWARD -p tcp -m tcp ! --sport 40000 -j MARK --set-mark 2'],
    )
    assert.deepEqual(
      ends(traverse(rules, 'forward', flight({ sport: undefined }))).map(([, probability, , mark]) => [probability, mark]),
      [
        [null, 1],
        [null, 2],
      ],
    )
    // Ephemeral ports are never privileged ones.
    const privileged = table('filter', ['FORWARD'], ['FORWARD -p tcp -m tcp --sport 53 -j DROP'])
    assert.deepEqual(ends(traverse(privileged, 'forward', flight({ sport: undefined }))), [['accept', 1, '10.96.0.1:80', 0]])
  })

  it('does not translate what is not tracked', () => {
    const rules =
      table('raw', ['PREROUTING'], ['PREROUTING -p tcp -j CT --notrack']) +
      table('nat', ['PREROUTING'], ['PREROUTING -j DNAT --to-destination 10.1.0.1'])
    assert.deepEqual(ends(traverse(rules, 'prerouting', flight())), [['accept', 1, '10.96.0.1:80', 0]])
  })

  it('stops at a loop of chains instead of running for ever', () => {
    const rules = table('filter', ['FORWARD', 'X', 'Y'], ['FORWARD -j X', 'X -j Y', 'Y -j X', 'FORWARD -j DROP'])
    const [branch] = traverse(rules, 'forward', flight())
    assert.equal(branch?.verdict, 'drop')
    assert.match(branch?.unknowns[0]?.missing ?? '', /loop through chain X/)
  })

  it('keeps the number of ways bounded, and says so', () => {
    const rules = table(
      'filter',
      ['FORWARD'],
      Array.from(
        { length: 20 },
        (_, i) => `FORWARD -m statistic --mode random --probability 0.5 -j MARK --set-xmark ${2 ** i}/${2 ** i}`,
      ),
    )
    const branches = traverse(rules, 'forward', flight())
    assert.ok(branches.length <= 4097, `${branches.length}`)
    assert.ok(branches.some((branch) => branch.unknowns.some((unknown) => /more than 4096 ways/.test(unknown.missing))))
  })

  it('asks ipsets', () => {
    const ipsets = 'create nets hash:net,port family inet\nadd nets 10.96.0.0/16,tcp:80\nadd nets 10.96.0.0/24,tcp:80 nomatch\n'
    const rules = table('filter', ['FORWARD'], ['FORWARD -m set --match-set nets dst,dst -j DROP'])
    assert.deepEqual(
      ends(traverse(rules, 'forward', flight(), { ipsets })).map(([verdict]) => verdict),
      ['accept'],
    )
    const other = flight({ dst: address('10.96.7.1') })
    assert.deepEqual(
      ends(traverse(rules, 'forward', other, { ipsets })).map(([verdict]) => verdict),
      ['drop'],
    )
    assert.equal(traverse(rules, 'forward', other)[0]?.probability, null)
  })
})

/** Rules of all kinds over few addresses, ports and marks, so that they often hold. */
const option = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('', '! '),
      fc.constantFrom('-s', '-d'),
      fc.constantFrom('10.0.0.2', '10.0.0.3', '10.0.0.0/30', '10.96.0.1', '10.96.0.0/16'),
    )
    .map((parts) => `${parts[0]}${parts[1]} ${parts[2]}`),
  fc.tuple(fc.constantFrom('', '! '), fc.constantFrom('-i eth0', '-i eth+', '-i lo')).map((parts) => parts.join('')),
  fc.constantFrom(
    '-p tcp -m tcp --dport 80',
    '-p tcp -m tcp --dport 81',
    '-p tcp -m multiport --dports 80,443',
    '-p udp -m udp --dport 80',
    '-p tcp -m tcp ! --dport 80',
    '-p tcp -m tcp --sport 40000:50000',
  ),
  fc.constantFrom(
    '-m mark --mark 1/1',
    '-m mark ! --mark 0',
    '-m statistic --mode random --probability 0.5',
    '-m bpf --bytecode x',
    '-m limit --limit 1/s',
  ),
)
const target = fc.constantFrom(
  'ACCEPT',
  'DROP',
  'RETURN',
  'MARK --set-xmark 0x1/0x1',
  'MARK --set-mark 2',
  'LOG',
  'REJECT',
  'A',
  'B',
)
const ruleOptions = fc.tuple(
  fc.uniqueArray(option, { maxLength: 3, selector: (text) => text.split(' ').find((word) => word.startsWith('-')) ?? '' }),
  target,
)

describe('index', () => {
  it('gives the same answer as looking at every rule', () => {
    const chain = fc.array(ruleOptions, { maxLength: 30 })
    fc.assert(
      fc.property(
        chain,
        chain,
        chain,
        fc.constantFrom('10.0.0.2', '10.0.0.9', '172.16.0.1'),
        fc.constantFrom(80, 81, undefined),
        (forward, a, b, src, dport) => {
          const write = (name: string, rules: [string[], string][], allowed: string[]) =>
            rules
              .filter(([, to]) => to.length > 1 || allowed.includes(to))
              .map(([options, to]) => `${name} ${options.join(' ')} -j ${to}`)
          const lines = [...write('FORWARD', forward, ['A', 'B']), ...write('A', a, ['B']), ...write('B', b, [])]
          const rules = `*filter\n:FORWARD ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n${lines.map((line) => `-A ${line}`).join('\n')}\nCOMMIT\n`
          const start = flight({ src: address(src), dport })
          assert.deepEqual(
            traverse(rules, 'forward', start, { indexed: true }),
            traverse(rules, 'forward', start, { indexed: false }),
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  it('probabilities of decided branches sum to 1', () => {
    const decided = ruleOptions.filter(([options]) => !options.some((text) => /bpf|limit/.test(text)))
    fc.assert(
      fc.property(fc.array(decided, { maxLength: 12 }), (rules) => {
        const lines = rules.filter(([, to]) => to.length > 1).map(([options, to]) => `-A FORWARD ${options.join(' ')} -j ${to}`)
        const branches = traverse(`*filter\n:FORWARD ACCEPT [0:0]\n${lines.join('\n')}\nCOMMIT\n`, 'forward', flight())
        const sum = branches.reduce((total, branch) => total + (branch.probability ?? Number.NaN), 0)
        assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`)
      }),
      { numRuns: 500 },
    )
  })
})
