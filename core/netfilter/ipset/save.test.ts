// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../../net/address.ts'
import { type Flight, IPPROTO, type Packet } from '../../net/packet.ts'
import { parseIpsets } from './save.ts'

function address(text: string) {
  const parsed = parseAddress(text)
  assert.ok(parsed, text)
  return parsed
}

function flight(changes: Partial<Packet> = {}, beside: Partial<Flight> = {}): Flight {
  const packet: Packet = {
    family: 4,
    protocol: IPPROTO.tcp,
    src: address('10.0.0.1'),
    dst: address('10.1.0.1'),
    sport: 1000,
    dport: 80,
    icmp: undefined,
    tcpFlags: 2,
    length: 60,
    ttl: 64,
    dscp: 0,
    srcMac: '02:00:00:00:00:01',
    dstMac: undefined,
    ...changes,
  }
  return {
    packet,
    mark: 0x10,
    iif: 'eth0',
    oif: 'cali1',
    physin: undefined,
    physout: undefined,
    connection: undefined,
    notrack: false,
    priority: undefined,
    socket: undefined,
    ...beside,
  }
}

/** Whether the set "s" holds the packet. */
function matches(lines: string[], directions: string, start = flight(), returnNomatch = false): boolean | undefined {
  const { sets, problems } = parseIpsets(lines.join('\n'), 'ipset.txt')
  assert.deepEqual(problems, [])
  const set = sets.get('s')
  assert.ok(set)
  return set.lookup(start, directions.split(',') as ('src' | 'dst')[], returnNomatch).matched
}

describe('ipset lookups', () => {
  const cases: [type: string, member: string, directions: string, expected: boolean][] = [
    ['hash:ip', '10.0.0.1', 'src', true],
    ['hash:ip', '10.0.0.1', 'dst', false],
    ['hash:ip netmask 24', '10.0.0.0', 'src', true],
    ['hash:net', '10.0.0.0/8', 'src', true],
    ['hash:net', '10.0.0.0/30', 'dst', false],
    ['hash:ip,port', '10.1.0.1,tcp:80', 'dst,dst', true],
    ['hash:ip,port', '10.1.0.1,udp:80', 'dst,dst', false],
    ['hash:ip,port', '10.0.0.1,tcp:80', 'src,dst', true],
    ['hash:net,port', '10.1.0.0/16,tcp:80', 'dst,dst', true],
    ['hash:ip,port,ip', '10.0.0.1,tcp:80,10.1.0.1', 'src,dst,dst', true],
    ['hash:ip,port,net', '10.0.0.1,tcp:80,10.1.0.0/24', 'src,dst,dst', true],
    ['hash:ip,port,net', '10.0.0.1,tcp:81,10.1.0.0/24', 'src,dst,dst', false],
    ['hash:net,iface', '10.0.0.0/24,eth0', 'src,src', true],
    ['hash:net,iface', '10.0.0.0/24,cali1', 'src,dst', true],
    ['hash:net,iface', '10.0.0.0/24,eth', 'src,src', false],
    ['hash:net,net', '10.0.0.0/24,10.1.0.0/16', 'src,dst', true],
    ['hash:net,port,net', '10.0.0.0/24,tcp:80,10.1.0.0/16', 'src,dst,dst', true],
    ['hash:mac', '02:00:00:00:00:01', 'src', true],
    ['hash:ip,mac', '10.0.0.1,02:00:00:00:00:01', 'src,src', true],
    ['hash:ip,mark', '10.0.0.1,0x00000010', 'src,src', true],
    ['hash:ip,mark', '10.0.0.1,0x00000011', 'src,src', false],
    ['bitmap:ip', '10.0.0.1', 'src', true],
    ['bitmap:ip,mac', '10.0.0.1,02:00:00:00:00:01', 'src,src', true],
    ['bitmap:ip,mac', '10.0.0.1', 'src,src', true],
    ['bitmap:port', '80', 'dst', true],
    ['bitmap:port', '80', 'src', false],
    // Fewer directions than the set has dimensions never match.
    ['hash:ip,port', '10.1.0.1,tcp:80', 'dst', false],
  ]
  for (const [type, member, directions, expected] of cases) {
    it(`${type} ${member} ${directions}`, () => {
      assert.equal(matches([`create s ${type} family inet`, `add s ${member}`], directions), expected)
    })
  }

  it('a MAC address nobody knows leaves it open', () => {
    const lines = ['create s bitmap:ip,mac range 10.0.0.0/24', 'add s 10.0.0.1,02:00:00:00:00:01']
    assert.equal(matches(lines, 'src,src', flight({ srcMac: undefined })), undefined)
  })

  it('wildcard interfaces', () => {
    assert.equal(matches(['create s hash:net,iface family inet', 'add s 10.0.0.0/24,eth wildcard'], 'src,src'), true)
  })

  it('exceptions win when they are more specific, and can be asked for', () => {
    const lines = ['create s hash:net family inet', 'add s 10.0.0.0/8', 'add s 10.0.0.0/24 nomatch', 'add s 10.0.0.1']
    assert.equal(matches(lines, 'src'), true)
    const other = flight({ src: address('10.0.0.9') })
    assert.equal(matches(lines, 'src', other), false)
    assert.equal(matches(lines, 'src', other, true), true)
  })

  it('lists ask their members', () => {
    const lines = [
      'create a hash:ip family inet',
      'add a 10.9.9.9',
      'create b hash:net family inet',
      'add b 10.0.0.0/8',
      'create s list:set size 8',
      'add s a',
      'add s b',
    ]
    assert.equal(matches(lines, 'src'), true)
    assert.equal(matches(lines.slice(0, -1), 'src'), false)
  })

  it('IPv6, ICMP types and what is not known', () => {
    const six = flight({ family: 6, src: address('fd00::1'), dst: address('fd00::2') })
    assert.equal(matches(['create s hash:net family inet6', 'add s fd00::/64'], 'src', six), true)
    assert.equal(matches(['create s hash:net family inet', 'add s 10.0.0.0/8'], 'src', six), false)
    const ping = flight({ protocol: IPPROTO.icmp, icmp: { type: 8, code: 0, id: 1 }, sport: undefined, dport: undefined })
    assert.equal(matches(['create s hash:ip,port family inet', 'add s 10.1.0.1,icmp:8/0'], 'dst,dst', ping), true)
    assert.equal(
      matches(['create s hash:ip,port family inet', 'add s 10.1.0.1,tcp:80'], 'dst,dst', flight({ dport: undefined })),
      undefined,
    )
  })

  it('ranges of hand-written files are taken apart', () => {
    const lines = ['create s hash:ip,port family inet', 'add s 10.1.0.0-10.1.0.3,tcp:79-81']
    assert.equal(matches(lines, 'dst,dst'), true)
    assert.equal(matches(['create s hash:ip', 'add s 10.1.0.0/30'], 'dst'), true)
  })
})

describe('ipset save', () => {
  it('tells what it could not read, with the line', () => {
    const { problems } = parseIpsets('create s hash:ip\nadd s nonsense\nadd t 1.1.1.1\nfoo\ncreate u hash:what\n', 'f')
    assert.deepEqual(
      problems.map(({ position, reason }) => [position.line, reason]),
      [
        [2, 'invalid member "nonsense" of hash:ip'],
        [3, 'set "t" was not created'],
        [4, 'unknown command "foo"'],
        [5, 'unknown set type "hash:what"'],
      ],
    )
  })

  it('never throws', () => {
    const word = fc.constantFrom(
      'create',
      'add',
      's',
      'hash:ip',
      'hash:ip,port',
      'hash:net,iface',
      'list:set',
      'bitmap:port',
      '10.0.0.0/8',
      '1.1.1.1,tcp:80-90',
      'fd00::/64',
      ',,',
      '-',
      ':',
      'family',
      'inet6',
      'nomatch',
      'netmask',
    )
    const line = fc.array(fc.oneof(word, word, fc.string()), { maxLength: 6 }).map((words) => words.join(' '))
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { sets } = parseIpsets(lines.join('\n'), 'f')
        for (const set of sets.values()) set.lookup(flight(), ['src', 'dst', 'src'], false)
      }),
      { numRuns: 1000 },
    )
  })
})
