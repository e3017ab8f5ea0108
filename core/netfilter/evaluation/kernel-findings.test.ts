// SPDX-License-Identifier: Apache-2.0

/** What comparing with the kernel taught, one finding a test. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Address, formatAddress, ipv4, parseAddress } from '../../net/address.ts'
import { type Flight, IPPROTO, type Packet, TCP_FLAG } from '../../net/packet.ts'
import { Netfilter } from '../evaluate.ts'
import { looseEnvironment } from '../loose-environment.ts'
import { parseNft } from '../nft/nft.ts'
import type { HookBranch, HookEnvironment, HookName } from '../traversal.ts'

function address(text: string): Address {
  const parsed = parseAddress(text)
  assert.ok(parsed, text)
  return parsed
}

const TCP: Packet = {
  family: 4,
  protocol: IPPROTO.tcp,
  src: address('10.9.0.1'),
  dst: address('10.2.0.2'),
  sport: 40000,
  dport: 80,
  icmp: undefined,
  tcpFlags: TCP_FLAG.syn,
  length: 60,
  ttl: 64,
  dscp: 0,
  srcMac: undefined,
  dstMac: undefined,
}
const PING: Packet = {
  ...TCP,
  protocol: IPPROTO.icmp,
  sport: undefined,
  dport: undefined,
  tcpFlags: undefined,
  icmp: { type: 8, code: 0, id: 7 },
}

function flight(packet: Packet, beside: Partial<Flight> = {}): Flight {
  const start: Flight = {
    packet,
    mark: 0,
    iif: 'n0',
    oif: 'n1',
    physin: undefined,
    physout: undefined,
    connection: undefined,
    notrack: false,
    priority: undefined,
    socket: undefined,
  }
  return { ...start, ...beside }
}

const environment = looseEnvironment({ addresses: [{ address: address('10.2.0.1'), device: 'n1' }] })

function traverse(chains: string, hook: HookName, start: Flight, env: HookEnvironment = environment): HookBranch[] {
  const ruleset = parseNft(`table ip t {\n${chains}\n}\n`, 'nft')
  assert.deepEqual(ruleset.problems, [])
  return new Netfilter(ruleset, new Map(), env).traverse('ip', hook, start)
}

function forward(...rules: string[]): string {
  return `chain f {\ntype filter hook forward priority 0; policy accept;\n${rules.join('\n')}\n}`
}

function chances(branches: HookBranch[]): [string, number | null][] {
  return branches.map(({ verdict, probability }) => [verdict, probability && Number(probability.toFixed(3))])
}

describe('findings', () => {
  it('a lookup without result ends the rule, and the rule did not match', () => {
    const [branch] = traverse(forward('tcp dport vmap { 22 : accept } counter drop'), 'forward', flight(TCP))
    assert.equal(branch?.verdict, 'accept')
    assert.deepEqual(branch.visited, [])
  })

  it('jhash expressions without a seed each draw their own: they agree in nothing', () => {
    const rules = ['jhash ip saddr mod 10 < 5 drop', 'jhash ip saddr mod 10 >= 5 drop']
    assert.deepEqual(chances(traverse(forward(...rules), 'forward', flight(TCP))), [
      ['drop', 0.75],
      ['accept', 0.25],
    ])
    const seeded = rules.map((rule) => rule.replace('mod 10', 'mod 10 seed 7'))
    assert.deepEqual(chances(traverse(forward(...seeded), 'forward', flight(TCP))), [['drop', 1]])
  })

  it('a hash of something the packet does not have breaks off the rule', () => {
    assert.deepEqual(chances(traverse(forward('jhash tcp sport mod 2 0 drop'), 'forward', flight(PING))), [['accept', 1]])
  })

  it('single bits of a random number have a probability', () => {
    assert.deepEqual(chances(traverse(forward('meta random & 0x80000001 == 1 drop'), 'forward', flight(TCP))), [
      ['drop', 0.25],
      ['accept', 0.75],
    ])
  })

  it('of chains with the same priority, the one made last runs first', () => {
    const chain = (name: string, mark: number) =>
      `chain ${name} {\ntype filter hook forward priority 0; policy accept;\nmeta mark set ${mark}\n}`
    const [branch] = traverse(`${chain('one', 1)}\n${chain('two', 2)}`, 'forward', flight(TCP))
    assert.equal(branch?.flight.mark, 1)
  })

  it('random translation of a ping draws a new id', () => {
    const chain = 'chain p {\ntype nat hook postrouting priority 100; policy accept;\nmasquerade random\n}'
    const conntracked = traverse(
      `${chain}\nchain o {\ntype filter hook prerouting priority 0; policy accept;\n}`,
      'prerouting',
      flight(PING),
    )
    const [branch] = traverse(chain, 'postrouting', conntracked[0]?.flight ?? flight(PING))
    assert.ok(branch)
    assert.equal(formatAddress(branch.flight.packet.src), '10.2.0.1')
    assert.equal(branch.flight.packet.icmp?.id, undefined)
  })

  it('an ACK after a SYN that nobody answered is invalid', () => {
    const { protocol, src, dst, sport, dport } = TCP
    const original = { protocol, src, dst, sport, dport }
    const reply = { protocol, src: dst, dst: src, sport: dport, dport: sport }
    const evidence = { kind: 'fact', file: '', pointer: '', text: '' } as const
    const env: HookEnvironment = {
      ...environment,
      connection: () => ({ direction: 'original', original, reply, status: 8, mark: 0, tcpState: 'SYN_SENT', evidence }),
    }
    const chain = 'chain r {\ntype filter hook prerouting priority 0; policy accept;\nct state invalid drop\n}'
    const verdict = (tcpFlags: number) => traverse(chain, 'prerouting', flight({ ...TCP, tcpFlags }), env)[0]?.verdict
    assert.equal(verdict(TCP_FLAG.ack), 'drop')
    assert.equal(verdict(TCP_FLAG.syn), 'accept')
  })

  it('setting a zone takes a notrack back, and a notrack comes too late after a zone', () => {
    const raw = (...rules: string[]) =>
      `chain r {\ntype filter hook prerouting priority -300; policy accept;\n${rules.join('\n')}\n}`
    const zone = (chain: string) => traverse(chain, 'prerouting', flight(TCP))[0]?.flight.connection?.zone
    assert.equal(zone(raw('notrack')), undefined)
    assert.equal(zone(raw('notrack', 'ct zone set 7')), 7)
    assert.equal(zone(raw('ct zone set 7', 'notrack', 'ct zone set 8')), 7)
  })

  it('an address of a range is chosen by the hash the kernel uses', () => {
    // As Linux 6.18 chose for clients 10.9.0.1 to 10.9.0.4.
    const chain = 'chain p {\ntype nat hook prerouting priority -100; policy accept;\ndnat to 10.2.0.2-10.2.0.9 persistent\n}'
    const chosen = [1, 2, 3, 4].map((low) => {
      const [branch] = traverse(chain, 'prerouting', flight({ ...TCP, src: ipv4(0x0a090000 + low) }))
      return branch && formatAddress(branch.flight.packet.dst)
    })
    assert.deepEqual(chosen, ['10.2.0.2', '10.2.0.4', '10.2.0.2', '10.2.0.3'])
  })
})
