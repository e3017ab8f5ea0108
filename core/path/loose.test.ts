// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../net/address.ts'
import { parsePrefix } from '../net/prefix.ts'
import { parseIptablesSave } from '../netfilter/iptables/save.ts'
import { parseNft } from '../netfilter/nft/nft.ts'
import type { Outcome } from './answer.ts'
import { type LooseQuestion, traceLoose } from './loose.ts'
import { parsePlace } from './place.ts'

const RULES = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.1.5:8080
-A PREROUTING -d 10.0.0.9/32 -p tcp -m tcp --dport 22 -j DNAT --to-destination 10.0.0.1:2222
-A OUTPUT -d 10.0.0.1/32 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 8443
-A POSTROUTING -s 10.0.1.0/24 ! -d 10.0.0.0/8 -j MASQUERADE
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 2222 -j ACCEPT
-A FORWARD -s 192.0.2.0/24 -j REJECT --reject-with icmp-admin-prohibited
COMMIT
`

function ask(from: string, to: string, extra: Partial<LooseQuestion> = {}): Outcome {
  const local = ['10.0.0.1', '10.0.1.1'].flatMap((text) => parseAddress(text) ?? [])
  const rules = {
    ruleset: parseIptablesSave(RULES, 'rules.txt'),
    ipsets: new Map(),
    local: { addresses: local.map((address) => ({ address })) },
  }
  const answer = traceLoose(rules, { from: parsePlace(from), to: parsePlace(to), ...extra })
  const [outcome, more] = answer.lanes[0]?.outcomes ?? []
  assert.ok(outcome)
  assert.equal(more, undefined)
  return outcome
}

test('the way through a machine is derived from its addresses, after translation', () => {
  const forwarded = ask('203.0.113.5', '10.0.0.1:80/TCP')
  assert.deepEqual([forwarded.verdict, forwarded.destination], ['accepted', { ip: '10.0.1.5', port: 8080 }])
  assert.ok(forwarded.steps.some((step) => step.hook === 'filter/FORWARD'))
  assert.match(forwarded.reply ?? '', /as from 10\.0\.0\.1/)
  const turned = ask('203.0.113.5', '10.0.0.9:22/TCP')
  assert.deepEqual([turned.verdict, turned.destination.port], ['accepted', 2222])
  assert.ok(turned.steps.some((step) => step.hook === 'filter/INPUT'))
})

test('a drop names the chain’s policy, a reject its rule and line', () => {
  const dropped = ask('203.0.113.5', '10.0.0.1:25/TCP')
  assert.equal(dropped.verdict, 'dropped')
  assert.equal(dropped.steps.at(-1)?.actor.kind, 'chain-policy')
  const rejected = ask('192.0.2.1', '10.0.1.5:80/TCP')
  assert.equal(rejected.verdict, 'rejected')
  const evidence = rejected.steps.at(-1)?.evidence
  assert.ok(evidence?.kind === 'file')
  assert.deepEqual([evidence.file, evidence.line], ['rules.txt', 16])
})

test('from the machine itself: OUTPUT, POSTROUTING, and around to INPUT when it talks to itself', () => {
  const itself = ask('10.0.0.1', '10.0.0.1:443/TCP')
  assert.equal(itself.verdict, 'dropped')
  assert.deepEqual(
    ['nat/OUTPUT', 'filter/INPUT'].map((place) => itself.steps.some((step) => step.hook === place)),
    [true, true],
  )
  assert.equal(ask('10.0.0.1', '198.51.100.1:80/TCP').verdict, 'accepted')
})

test('connection state and hook path may be given', () => {
  assert.equal(ask('203.0.113.5', '10.0.0.1:25/TCP', { ctState: 'established' }).verdict, 'accepted')
  assert.equal(ask('203.0.113.5', '10.0.0.1:25/TCP', { hookPath: 'forward' }).verdict, 'accepted')
})

test('masquerading needs the outgoing address, which is unknown, not guessed', () => {
  const out = ask('10.0.1.5', '198.51.100.1:80/TCP')
  assert.equal(out.verdict, 'accepted')
  assert.ok(out.masquerade || out.unknowns.length > 0)
})

test('names need a cluster', () => {
  assert.throws(() => ask('pod:shop/web', '10.0.0.1:80/TCP'), /needs a cluster/)
  assert.throws(() => ask('10.0.0.5', '[fd00::1]:80/TCP'), /different address families/)
})

const BROAD = `table netdev early {
  chain in {
    type filter hook ingress device "eth0" priority 0;
    tcp dport 9 drop
  }
}
table inet fw {
  set seen {
    type ipv4_addr
    flags dynamic
    elements = { 192.0.2.1 }
  }
  chain pre {
    type nat hook prerouting priority dstnat;
    tcp dport 15 redirect to :1500
  }
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "lo" drop
    tcp dport 80 masquerade
  }
  chain fwd {
    type filter hook forward priority 0;
    ip saddr @seen tcp dport 20 drop
    ip ttl 64 drop
    tcp dport 30 add @seen { ip saddr }
    tcp dport 30 ip saddr @seen drop
    tcp dport 31 add @seen { ip saddr limit rate over 5/second } drop
  }
  chain in {
    type filter hook input priority 0; policy drop;
    tcp dport 1500 accept
  }
}
`

function outcomes(from: string, to: string, extra: Partial<LooseQuestion> & { local?: string } = {}): readonly Outcome[] {
  const { local = '10.0.0.1,10.1.0.1/24', ...question } = extra
  const addresses = local.split(',').flatMap((text) => {
    const address = parseAddress(text.split('/')[0] ?? '')
    const network = text.includes('/') ? parsePrefix(text) : undefined
    return address === undefined ? [] : [{ address, ...(network === undefined ? {} : { network }) }]
  })
  const rules = { ruleset: parseNft(BROAD, 'broad.nft'), ipsets: new Map(), local: { addresses } }
  return (
    traceLoose(rules, { from: parsePlace(from), to: parsePlace(to), iif: 'eth0', oif: 'eth2', ...question }).lanes[0]?.outcomes ??
    []
  )
}

function askWithoutDevice(): readonly Outcome[] {
  const rules = { ruleset: parseNft(BROAD, 'broad.nft'), ipsets: new Map(), local: { addresses: [] } }
  const question = { from: parsePlace('203.0.113.5'), to: parsePlace('10.0.1.5:9/TCP'), oif: 'eth2' }
  return traceLoose(rules, question).lanes[0]?.outcomes ?? []
}

function briefly(from: string, to: string, extra: Partial<LooseQuestion> & { local?: string } = {}) {
  return outcomes(from, to, extra).map(({ verdict, probability }) => [verdict, probability])
}

test('a device’s ingress chains come first; without a device they are unknown', () => {
  assert.deepEqual(briefly('203.0.113.5', '10.0.1.5:9/TCP'), [['dropped', 1]])
  assert.deepEqual(briefly('203.0.113.5', '10.0.1.5:9/TCP', { iif: 'eth1' }), [['accepted', 1]])
  const [way] = askWithoutDevice()
  assert.deepEqual([way?.verdict, way?.probability, way?.unknowns.length], ['accepted', null, 1])
})

test('masquerading by an unknown address is masquerading; a neighbour tells which address', () => {
  const [far] = outcomes('203.0.113.5', '198.51.100.1:80/TCP')
  assert.deepEqual([far?.masquerade, far?.unknowns.length], [true, 1])
  const [near] = outcomes('203.0.113.5', '10.1.0.7:80/TCP')
  assert.deepEqual([near?.masquerade, near?.source.ip, near?.unknowns.length], [true, '10.1.0.1', 0])
})

test('a redirected packet is for the machine, whatever its address', () => {
  const [way] = outcomes('203.0.113.5', '198.51.100.1:15/TCP')
  assert.deepEqual([way?.verdict, way?.destination.port], ['accepted', 1500])
  assert.ok(way?.steps.some((step) => step.hook === 'nft inet fw/in'))
})

test('a hop is counted before FORWARD, and the machine talks to itself over lo', () => {
  assert.deepEqual(briefly('203.0.113.5', '10.0.1.5:21/TCP'), [['accepted', 1]])
  assert.deepEqual(briefly('10.0.0.1', '10.1.0.1:1500/TCP'), [['dropped', 1]])
})

test('sets that rules fill hold what was listed, until the packet itself fills them', () => {
  assert.deepEqual(briefly('203.0.113.5', '10.0.1.5:20/TCP'), [['accepted', 1]])
  assert.deepEqual(briefly('192.0.2.1', '10.0.1.5:20/TCP'), [['dropped', 1]])
  assert.deepEqual(
    new Set(briefly('203.0.113.5', '10.0.1.5:30/TCP').map(([verdict]) => verdict)),
    new Set(['dropped', 'accepted']),
  )
  assert.deepEqual(
    briefly('203.0.113.5', '10.0.1.5:31/TCP').map(([, probability]) => probability),
    [null, null],
  )
})

test('TPROXY takes the packet when a proxy listens, and drops it when none does: both are shown', () => {
  const text = '*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j TPROXY --on-port 15001 --on-ip 127.0.0.1\nCOMMIT\n'
  const rules = { ruleset: parseIptablesSave(text, 'tproxy.txt'), ipsets: new Map(), local: { addresses: [] } }
  const question = { from: parsePlace('203.0.113.5'), to: parsePlace('10.0.1.5:80/TCP') }
  const outcomes = traceLoose(rules, question).lanes[0]?.outcomes ?? []
  assert.deepEqual(outcomes.map(({ verdict, probability, unknowns }) => [verdict, probability, unknowns.length]).sort(), [
    ['accepted', null, 1],
    ['dropped', null, 1],
  ])
})
