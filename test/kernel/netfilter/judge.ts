// SPDX-License-Identifier: Apache-2.0

import { type Address, formatAddress, formatEndpoint } from '../../../core/net/address.ts'
import { type Connection, IPPROTO, type Packet, TCP_FLAG } from '../../../core/net/packet.ts'
import { Netfilter } from '../../../core/netfilter/evaluate.ts'
import { parseIpsets } from '../../../core/netfilter/ipset/save.ts'
import { parseIptablesSave } from '../../../core/netfilter/iptables/save.ts'
import { parseNft } from '../../../core/netfilter/nft/nft.ts'
import type { Ruleset } from '../../../core/netfilter/ruleset.ts'
import type { Statement } from '../../../core/netfilter/statement.ts'
import { Random } from '../../support/random.ts'
import { type Question, question, sizeOf } from './packets.ts'
import { type End, flightOf, predict, TestEnvironment } from './predict.ts'
import type { RuleCase } from './rulesets.ts'
import { CATCH_TABLE, type Sighting, type Topology } from './topology.ts'
import { decodePacket, encodePacket, tagOf } from './wire.ts'

export type Backend = 'legacy' | 'iptables-nft' | 'nft'

/** Packets that counted, by line of the saved rules. */
type Counts = ReadonlyMap<number, number>

/** Loads one rule set, sends packets, and compares each one's fate with the prediction. */
export class Judge {
  readonly disagreements: string[] = []
  asked = 0
  readonly #fates = new Map<string, number>()
  #unknowns = 0
  #choices = 0
  readonly #topology: Topology
  readonly #case: RuleCase
  readonly #backend: Backend
  readonly #random: Random
  readonly #netns
  readonly #environment: TestEnvironment
  readonly #netfilter: Netfilter
  /** Lines of rules that packets made by the node itself pass: rejections are such packets. */
  readonly #outputLines: ReadonlySet<number>
  readonly #lookupLines: ReadonlySet<number>
  readonly #texts: readonly string[]
  #counts: Counts
  #tag = 0

  constructor(topology: Topology, rules: RuleCase, backend: Backend, seed: number) {
    this.#topology = topology
    this.#case = rules
    this.#backend = backend
    this.#random = new Random(seed)
    this.#load()
    this.#netns = topology.facts()
    this.#environment = new TestEnvironment(this.#netns)
    const saved = this.#save()
    this.#texts = saved.split('\n')
    const ruleset = this.#parse(saved)
    if (ruleset.problems.length > 0) throw new Error(`problems: ${JSON.stringify(ruleset.problems)}`)
    const ipsets = parseIpsets(topology.node.exec('ipset', ['save']).stdout, 'ipset.txt')
    if (ipsets.problems.length > 0) throw new Error(`problems: ${JSON.stringify(ipsets.problems)}`)
    this.#netfilter = new Netfilter(ruleset, ipsets.sets, this.#environment, { merging: false })
    this.#outputLines = outputLines(ruleset)
    this.#lookupLines = lookupLines(ruleset)
    this.#counts = counters(ruleset)
  }

  #load(): void {
    const { node } = this.#topology
    const { iptables, nft, ipset, family } = this.#case
    const loads: [command: string, args: string[], input: string][] = []
    if (ipset !== undefined) loads.push(['ipset', ['restore'], `${ipset}\n`])
    if (this.#backend === 'nft') loads.push(['nft', ['-f', '-'], nft ?? ''])
    else loads.push([`${this.#tool(family)}-restore`, [], iptables ?? ''])
    for (const [command, args, input] of loads) {
      const { status, stderr } = node.exec(command, args, input)
      if (status !== 0) throw new Error(`${command}: ${stderr}`)
    }
  }

  #tool(family: 4 | 6): string {
    return `${family === 6 ? 'ip6tables' : 'iptables'}-${this.#backend === 'legacy' ? 'legacy' : 'nft'}`
  }

  #save(): string {
    const { node } = this.#topology
    if (this.#backend === 'nft') return node.exec('nft', ['-a', 'list', 'ruleset']).stdout
    return node.exec(`${this.#tool(this.#case.family)}-save`, ['-c']).stdout
  }

  #parse(saved: string): Ruleset {
    if (this.#backend !== 'nft') return parseIptablesSave(saved, 'rules')
    const ruleset = parseNft(saved, 'rules')
    return { tables: ruleset.tables.filter((table) => table.name !== CATCH_TABLE), problems: ruleset.problems }
  }

  /** Sends packets, some of them with an answer and one more packet after it, and judges all of them. */
  async run(packets: number): Promise<void> {
    for (let number = 0; number < packets; number++) {
      const first = question(this.#random, this.#case.family, number)
      const outcome = await this.#ask(first)
      const arrived = outcome?.arrived
      if (outcome?.end.fate !== 'server' || !arrived || !this.#random.chance(50)) continue
      const answer = await this.#ask({ from: 'server', uid: 0, gid: 0, packet: answerTo(arrived) })
      if (answer?.end.fate === 'client' && first.from === 'client') await this.#ask({ ...first, packet: nextOf(first.packet) })
    }
  }

  summary(): string {
    const fates = [...this.#fates].map(([fate, count]) => `${count} ${fate}`).join(', ')
    return `${this.asked} packets: ${fates}; ${this.#choices} had several possible ends, ${this.#unknowns} an unknown`
  }

  async #ask(asked: Question): Promise<{ end: End; arrived: Packet | undefined } | undefined> {
    const ends = predict(this.#netfilter, this.#netns, this.#flight(asked))
    this.#tag = (this.#tag % 60_000) + 1
    const seen = await this.#topology.shoot({
      from: asked.from,
      uid: asked.uid,
      gid: asked.gid,
      tag: this.#tag,
      packet: Buffer.from(encodePacket(asked.packet, this.#tag)).toString('hex'),
    })
    const hits = this.#newHits()
    this.asked++
    if (ends.length > 1) this.#choices++
    if (ends.some((end) => end.unknowns > 0)) this.#unknowns++
    const reasons = ends.map((end) => this.#disagreement(end, seen, hits, asked))
    const agreed = ends[reasons.indexOf(undefined)]
    if (!agreed) {
      this.disagreements.push(this.#report(asked, ends, reasons, seen, hits))
      return undefined
    }
    this.#fates.set(agreed.fate, (this.#fates.get(agreed.fate) ?? 0) + 1)
    const arrived = arrivedPacket(agreed, seen, this.#tag)
    this.#remember(agreed, arrived, asked.packet)
    return { end: agreed, arrived }
  }

  #flight({ from, packet, uid, gid }: Question) {
    if (from === 'node') return flightOf(packet, undefined, { uid, gid })
    return flightOf(packet, from === 'client' ? 'n0' : 'n1')
  }

  #newHits(): Counts {
    const now = counters(this.#parse(this.#save()))
    const hits = new Map<number, number>()
    for (const [line, packets] of now) {
      const more = packets - (this.#counts.get(line) ?? 0)
      if (more !== 0) hits.set(line, more)
    }
    this.#counts = now
    return hits
  }

  /** Connections that made it into the table; a port the kernel chose is known by now. */
  #remember(end: End, arrived: Packet | undefined, sent: Packet): void {
    const { connection } = end.flight
    if (!connection?.confirmed) return
    const reply =
      connection.reply.dport === undefined && arrived ? { ...connection.reply, dport: arrived.sport } : connection.reply
    const seen = connection.state === 'established'
    const assured = seen && connection.direction === 'original' && sent.protocol === IPPROTO.tcp
    this.#environment.remember({ ...connection, reply } as Connection, seen, assured, sent.tcpFlags)
  }

  /** What speaks against an end; undefined: nothing. */
  #disagreement(end: End, seen: Sighting, hits: Counts, asked: Question): string | undefined {
    return fateDisagreement(end, seen, asked, this.#tag) ?? this.#hitsDisagreement(end, hits, asked)
  }

  #hitsDisagreement(end: End, hits: Counts, asked: Question): string | undefined {
    const predicted = new Map<number, number>()
    for (const { evidence } of end.visited) {
      if (evidence.kind === 'file') predicted.set(evidence.line, (predicted.get(evidence.line) ?? 0) + 1)
    }
    for (const line of new Set([...predicted.keys(), ...hits.keys()])) {
      if (!this.#counts.has(line)) continue
      const [want, got] = [predicted.get(line) ?? 0, hits.get(line) ?? 0]
      // Counters stand before the lookup of a map, and count where it finds nothing too.
      if (got > want && this.#lookupLines.has(line)) continue
      // The answer of a rejection passes the node's own output, and comes in again when it was asked for here.
      if (
        (end.fate === 'reject' || end.fate === 'unrouted') &&
        got > want &&
        (asked.from === 'node' || this.#outputLines.has(line))
      )
        continue
      if (want !== got) return `rule at line ${line} hit ${got}×, predicted ${want}×: ${this.#texts[line - 1]?.trim()}`
    }
    return undefined
  }

  #report(asked: Question, ends: readonly End[], reasons: readonly (string | undefined)[], seen: Sighting, hits: Counts): string {
    const { from, packet, uid, gid } = asked
    const lines = [
      `from ${from} (uid ${uid} gid ${gid}): ${describe(packet)} flags ${packet.tcpFlags} ttl ${packet.ttl} dscp ${packet.dscp}`,
      `  seen: client ${list(seen.client)} server ${list(seen.server)} local ${list(seen.local)} ${seen.error ?? ''}`,
      `  hits: ${[...hits].map(([line, count]) => `${count}× ${this.#texts[line - 1]?.trim()}`).join('\n        ')}`,
    ]
    for (const [index, end] of ends.slice(0, 4).entries()) {
      lines.push(
        `  predicted ${end.fate} ${end.detail ?? ''} ${describe(end.flight.packet)}: ${reasons[index]}`,
        ...end.texts.map((text) => `    ${text}`),
      )
    }
    return lines.join('\n')
  }
}

function counters(ruleset: Ruleset): Counts {
  const counts = new Map<number, number>()
  for (const rule of ruleset.tables.flatMap((table) => [...table.chains.values()].flatMap((chain) => chain.rules))) {
    const counter = rule.statements.find((statement) => statement.kind === 'counter')
    if (counter?.kind === 'counter') counts.set(rule.position.line, counter.packets)
  }
  return counts
}

function lookupLines(ruleset: Ruleset): ReadonlySet<number> {
  const rules = ruleset.tables.flatMap((table) => [...table.chains.values()].flatMap((chain) => chain.rules))
  const looksUp = (statement: Statement) =>
    statement.kind === 'vmap' || (statement.kind === 'nat' && JSON.stringify(statement, bigints).includes('"map"'))
  return new Set(rules.filter((rule) => rule.statements.some(looksUp)).map((rule) => rule.position.line))
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}

/** Rules of output and postrouting chains and of all chains they jump to. */
function outputLines(ruleset: Ruleset): ReadonlySet<number> {
  const lines = new Set<number>()
  for (const { chains } of ruleset.tables) {
    const open = [...chains.values()]
      .filter((chain) => chain.base?.hook === 'output' || chain.base?.hook === 'postrouting')
      .map((chain) => chain.name)
    const done = new Set<string>()
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (done.has(name)) continue
      done.add(name)
      for (const rule of chains.get(name)?.rules ?? []) {
        lines.add(rule.position.line)
        for (const statement of rule.statements) {
          if (statement.kind === 'verdict' && 'chain' in statement.verdict) open.push(statement.verdict.chain)
          if (statement.kind === 'vmap') open.push(...chains.keys())
        }
      }
    }
  }
  return lines
}

function fateDisagreement(end: End, seen: Sighting, asked: Question, tag: number): string | undefined {
  const found = { client: plain(seen.client, tag), server: plain(seen.server, tag), local: plain(seen.local, tag) }
  const total = found.client.length + found.server.length + found.local.length
  switch (end.fate) {
    case 'client':
    case 'server':
    case 'local':
      if (total === 0) return 'did not arrive'
      if (found[end.fate].length === 0) return `arrived elsewhere`
      return headerDisagreement(end.flight.packet, found[end.fate][0])
    case 'drop':
    case 'unrouted':
      return total > 0 ? 'arrived' : errors(seen, tag).length > 0 && end.fate === 'drop' ? 'was rejected' : undefined
    case 'reject':
      return total > 0 ? 'arrived' : rejectDisagreement(end, errors(seen, tag)[0], asked)
  }
}

/** The packet that was sent, as it arrived. */
function plain(packets: readonly string[], tag: number): Packet[] {
  return packets.filter((hex) => tagOf(hex) === tag).map(decodePacket)
}

/** Errors about it, and resets that answer it: the node made those. */
function errors(seen: Sighting, tag: number): Packet[] {
  return [...seen.client, ...seen.server, ...seen.local].filter((hex) => tagOf(hex) !== tag).map(decodePacket)
}

const REJECTS: Readonly<Record<string, [type: number, code: number]>> = {
  'icmp-net-unreachable': [3, 0],
  'icmp-host-unreachable': [3, 1],
  'icmp-proto-unreachable': [3, 2],
  'icmp-port-unreachable': [3, 3],
  'icmp-net-prohibited': [3, 9],
  'icmp-host-prohibited': [3, 10],
  'icmp-admin-prohibited': [3, 13],
  'icmpx-port-unreachable': [3, 3],
  'icmpx-admin-prohibited': [3, 13],
  'icmpx-host-unreachable': [3, 1],
  'icmpx-no-route': [3, 0],
}

function rejectDisagreement(end: End, error: Packet | undefined, asked: Question): string | undefined {
  const { tcpFlags, protocol } = asked.packet
  if (end.detail === 'tcp-reset') {
    // A reset is never answered with a reset (nf_reject_ip_tcphdr_get).
    if (protocol !== IPPROTO.tcp || (tcpFlags ?? 0) & TCP_FLAG.rst) return undefined
    return error?.protocol === IPPROTO.tcp ? undefined : 'no reset came'
  }
  if (!error) return 'no ICMP error came'
  const expected = REJECTS[end.detail ?? '']
  if (!expected) return asked.packet.family === 6 ? undefined : `unknown rejection ${end.detail}`
  if (asked.packet.family === 6) return undefined
  return error.icmp?.type === expected[0] && error.icmp.code === expected[1]
    ? undefined
    : `another error: ${JSON.stringify(error.icmp)}`
}

function headerDisagreement(want: Packet, got: Packet | undefined): string | undefined {
  if (!got) return 'nothing arrived'
  const pairs: [string, unknown, unknown][] = [
    ['source', formatAddress(want.src), formatAddress(got.src)],
    ['destination', formatAddress(want.dst), formatAddress(got.dst)],
    ['source port', want.sport, got.sport],
    ['destination port', want.dport, got.dport],
    ['DSCP', want.dscp, got.dscp],
    ['ICMP id', want.icmp?.id, got.icmp?.id],
  ]
  for (const [what, expected, actual] of pairs) {
    if (expected !== undefined && expected !== actual) return `${what} ${actual}, predicted ${expected}`
  }
  return undefined
}

function arrivedPacket(end: End, seen: Sighting, tag: number): Packet | undefined {
  return end.fate === 'client' || end.fate === 'server' || end.fate === 'local' ? plain(seen[end.fate], tag)[0] : undefined
}

/** What the receiver would send back. */
function answerTo(packet: Packet): Packet {
  const { icmp, src, dst, sport, dport, protocol, family } = packet
  const answers: Readonly<Record<number, number>> = { 8: 0, 13: 14, 128: 129 }
  return {
    ...packet,
    src: dst,
    dst: src,
    sport: dport,
    dport: sport,
    icmp: icmp && { ...icmp, type: answers[icmp.type] ?? icmp.type },
    tcpFlags: protocol === IPPROTO.tcp ? TCP_FLAG.syn | TCP_FLAG.ack : undefined,
    length: sizeOf(family, protocol),
    ttl: 64,
    dscp: 0,
  }
}

/** The sender's second packet. */
function nextOf(packet: Packet): Packet {
  return { ...packet, tcpFlags: packet.protocol === IPPROTO.tcp ? TCP_FLAG.ack : undefined }
}

function describe({ protocol, src, dst, sport, dport, icmp }: Packet): string {
  const endpoint = (address: Address, port: number | undefined) => formatEndpoint(address, port)
  return `${protocol} ${endpoint(src, sport)} -> ${endpoint(dst, dport)}${icmp ? ` icmp ${icmp.type}/${icmp.code}` : ''}`
}

function list(packets: readonly string[]): string {
  return `[${packets.map((hex) => describe(decodePacket(hex))).join(', ')}]`
}
