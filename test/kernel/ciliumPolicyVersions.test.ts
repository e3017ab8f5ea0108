// SPDX-License-Identifier: Apache-2.0

/**
 * The judge of the policy judge, of every release: the kernel runs the release's own __policy_can_access, compiled from its headers,
 * on random policy maps; what Plumbline makes of the same bytes must be the same verdict, proxy port and entry.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Entry } from '../../core/ebpf/cilium/entries.ts'
import type { ClusterNumber } from '../../core/ebpf/cilium/identity.ts'
import { lookUpPolicy, type PolicyLookup, type PolicyVerdict } from '../../core/ebpf/cilium/policy.ts'
import { precedenceOf } from '../../core/ebpf/cilium/precedence.ts'
import { CILIUM_LAYOUTS } from '../../core/ebpf/maps/cilium.ts'
import { decodeEntries } from '../../core/ebpf/maps/decode.ts'
import type { Field, MapLayout } from '../../core/ebpf/maps/layout.ts'
import { compileWith, RELEASES, type Release } from '../support/ciliumHeaders.ts'
import { ciliumPrograms } from '../support/ciliumPrograms.ts'
import { Random } from '../support/random.ts'

const CLANG = ['clang-19', 'clang'].find((name) => spawnSync(name, ['--version']).error === undefined)
const isRoot = process.getuid?.() === 0
const skip = !isRoot
  ? 'skipped: loading programs into the kernel needs root'
  : CLANG === undefined
    ? 'skipped: needs clang'
    : false

const SEED = Number(process.env['PLUMBLINE_SEED'] ?? 1)
const ROUNDS = 60
const QUESTIONS = 50
/** enum of bpf/lib/drop.h. */
const DROPPED = { unmatched: -133, denied: -181, unauthenticated: -189 } as const

const minor = ({ version }: Release) => Number(version.split('.')[1])

/** Peers that meet: pods of this cluster and of others, nodes, CIDRs, reserved ones, and what stands for them in 1.20. */
const PEERS = [1, 2, 6, 9, 11, 102, 300, 40_000, 0x10_012c, 0x30_012c, 0x01_000001, 0x02_000001] as const
const ENTRY_IDENTITIES = [...PEERS, 0, 0, 0, 0, 11, 12, 13, 14] as const
const PROTOCOLS = [6, 6, 6, 17, 132, 1, 58] as const
/** Near each other, so that prefixes contain them. ICMP has types there. */
const PORTS = [0, 1, 8, 53, 80, 81, 128, 8080, 8081, 8088, 65_535] as const

type Fields = Readonly<Record<string, number>>

function write(into: DataView, base: number, fields: readonly Field[], values: Fields): void {
  for (const [name, value] of Object.entries(values)) {
    const field = fields.find((each) => each.name === name)
    if (field === undefined) continue
    const at = base + field.offset
    const { shift, width } = field.bits ?? { shift: 0, width: 8 }
    if (field.type === 'u8') into.setUint8(at, into.getUint8(at) | ((value & (2 ** width - 1)) << shift))
    else if (field.type === 'be16') into.setUint16(at, value)
    else if (field.type === 'u32') into.setUint32(at, value, true)
    else assert.fail(`${name} is ${field.type}`)
  }
}

interface Written {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** @param mark which entry it is, in bytes of the value that the release has no use for, or in its cookie */
function randomEntry(random: Random, layout: MapLayout, mark: number): Written {
  const kind = random.below(10)
  const bits = kind < 2 ? 0 : kind < 4 ? 8 : kind < 7 ? 24 : 9 + random.below(16)
  const protocol = bits === 0 ? 0 : random.pick(PROTOCOLS)
  const open = 24 - Math.max(8, bits)
  const key = new Uint8Array(layout.keySize)
  write(new DataView(key.buffer), 0, layout.key, {
    prefixLength: 40 + bits,
    identity: random.pick(ENTRY_IDENTITIES),
    direction: random.below(2),
    protocol,
    port: bits <= 8 ? 0 : (random.pick(PORTS) >>> open) << open,
  })
  const value = new Uint8Array(layout.valueSize)
  const view = new DataView(value.buffer)
  // Cilium writes what the key says; what the programs read is the value.
  const odd = random.chance(10)
  write(view, 0, layout.value, {
    proxyPort: random.chance(30) ? 10_000 + random.below(3) : 0,
    deny: random.chance(25) ? 1 : 0,
    lpmPrefixLength: odd ? random.below(25) : bits,
    anyProtocol: (odd ? random.chance(50) : bits === 0) ? 1 : 0,
    anyPort: (odd ? random.chance(50) : bits <= 8) ? 1 : 0,
    authType: random.chance(20) ? 1 + random.below(3) : 0,
    explicitAuth: random.chance(20) ? 1 : 0,
    proxyPriority: random.below(3),
    precedence: random.pick([0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0xffffffff]),
    cookie: mark,
  })
  if (!layout.value.some(({ name }) => name === 'cookie')) view.setUint16(SPARE, mark, true)
  return { key, value }
}

/** `pad2` of struct policy_entry up to 1.18. */
const SPARE = 6

function randomEntries(random: Random, layout: MapLayout): readonly Written[] {
  const byKey = new Map<string, Written>()
  const count = 1 + random.below(60)
  for (let mark = 1; mark <= count; mark++) {
    const entry = randomEntry(random, layout, mark)
    const key = hex(entry.key)
    if (!byKey.has(key)) byKey.set(key, entry)
  }
  return [...byKey.values()]
}

function randomQuery(random: Random, cluster: ClusterNumber): PolicyLookup {
  const protocol = random.pick(PROTOCOLS)
  const port = random.pick(PORTS)
  return {
    direction: random.chance(50) ? 'egress' : 'ingress',
    identity: random.chance(3) ? random.below(20) : random.pick(PEERS),
    cluster,
    protocol,
    port: protocol === 1 || protocol === 58 ? port & 0xff : port,
  }
}

const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd } as const

/** Ethernet's header, then struct question of policy.c, then the beginning of the transport's. */
function packet({ direction, identity, protocol, port }: PolicyLookup): string {
  const bytes = new Uint8Array(64)
  const view = new DataView(bytes.buffer)
  const isIcmp = protocol === 1 || protocol === 58
  view.setUint16(12, ETHERTYPE.ipv4)
  view.setUint32(14, identity, true)
  view.setUint16(18, protocol === 58 ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4, true)
  // What a packet of ICMP has for a port must not matter.
  view.setUint16(20, isIcmp ? 4242 : port)
  view.setUint8(22, protocol)
  view.setUint8(23, direction === 'egress' ? 1 : 0)
  if (isIcmp) view.setUint8(26, port)
  return hex(bytes)
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

interface Answer {
  readonly verdict: number
  readonly mark: number
  readonly proxyPort: number
  readonly authentication: number
}

/** struct answer of policy.c, where the question was. */
function readAnswer(left: string): Answer {
  const bytes = Buffer.from(left, 'hex')
  return {
    verdict: bytes.readInt32LE(14),
    mark: bytes.readUInt32LE(18),
    proxyPort: bytes.readUInt16BE(22),
    authentication: bytes.readInt8(25),
  }
}

const KINDS: Readonly<Record<PolicyVerdict['kind'], number>> = {
  allowed: 0,
  proxied: 0,
  denied: DROPPED.denied,
  authenticated: DROPPED.unauthenticated,
  unmatched: DROPPED.unmatched,
}

interface Round {
  readonly written: readonly Written[]
  readonly queries: readonly PolicyLookup[]
}

describe("Cilium's own programs decide, Plumbline judges", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-policies-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const release of RELEASES) {
    const clusters: readonly ClusterNumber[] =
      minor(release) < 20
        ? [{ number: 0, most: [255] }]
        : [
            { number: 0, most: [255] },
            { number: 16, most: [255] },
            { number: 32, most: [511] },
          ]
    test(`Cilium ${release.version}`, (context) => {
      const random = new Random(SEED * 100 + minor(release))
      const kinds = new Map<string, number>()
      for (const cluster of clusters) judged(release, cluster, random, kinds)
      context.diagnostic([...kinds].map(([kind, count]) => `${count} ${kind}`).join(', '))
      // Every way to decide must have been met often.
      for (const kind of Object.keys(KINDS)) assert.ok((kinds.get(kind) ?? 0) > 40, `${kind}: ${kinds.get(kind)}`)
    })
  }

  function judged(release: Release, cluster: ClusterNumber, random: Random, kinds: Map<string, number>): void {
    const layout = CILIUM_LAYOUTS.find(({ of, group, versions }) => {
      return of === 'endpoint' && group === 'policy' && versions.first <= minor(release) && minor(release) <= versions.last
    })
    assert.ok(layout)
    const rounds = Array.from({ length: ROUNDS }, (): Round => {
      const queries = Array.from({ length: QUESTIONS }, () => randomQuery(random, cluster))
      return { written: randomEntries(random, layout), queries }
    })
    const answers = ask(release, cluster, rounds)
    const precedence = precedenceOf(layout.versions)
    assert.ok(precedence)
    for (const [index, { written, queries }] of rounds.entries()) {
      const bytes = Buffer.concat(written.flatMap(({ key, value }) => [key, value]))
      const decoded = decodeEntries(layout, bytes)
      const map: string = `${layout.name}00001`
      const entries = written.map((_, row) => new Entry('n1', map, decoded, row))
      for (const [number, query] of queries.entries()) {
        const answer = readAnswer(answers[index]?.[number] ?? '')
        const verdicts = lookUpPolicy({ map, entries, precedence }, query)
        assert.equal(verdicts.length, 1)
        const [verdict] = verdicts
        kinds.set(verdict.kind, (kinds.get(verdict.kind) ?? 0) + 1)
        const ours = {
          verdict: KINDS[verdict.kind],
          mark: verdict.kind === 'unmatched' ? 0 : markOf(written, entries.indexOf(verdict.entry)),
          proxyPort: verdict.kind === 'proxied' ? verdict.port : 0,
        }
        const { verdict: theirs, mark, proxyPort } = answer
        // A packet that must be authenticated first is not on its way to the proxy yet.
        const redirected = theirs === 0 ? proxyPort : 0
        const where = `${release.version}, round ${index}: ${JSON.stringify(query)}`
        assert.deepEqual(ours, { verdict: theirs, mark, proxyPort: redirected }, where)
      }
    }
  }

  function markOf(written: readonly Written[], row: number): number {
    const value = written[row]?.value
    assert.ok(value)
    const view = new DataView(value.buffer)
    return value.byteLength === 12 ? view.getUint32(8, true) : view.getUint16(SPARE, true)
  }

  function ask(release: Release, cluster: ClusterNumber, rounds: readonly Round[]): readonly (readonly string[])[] {
    const object = join(folder, `${release.version}.o`)
    const options = ['-DENABLE_IPV4=1', '-DENABLE_IPV6=1', '-DENABLE_ROUTING=1', '-DENABLE_ICMP_RULE=1', '-DSKIP_DEBUG=1']
    const cookies = minor(release) >= 19 ? ['-DPLUMBLINE_COOKIES=1'] : []
    compileWith(release, CLANG ?? '', 'policy.c', [...options, ...cookies], object)
    const job = {
      program: 'plumbline_ask',
      map: release.policyMap,
      settings: settings(release, cluster),
      rounds: rounds.map(({ written, queries }) => ({
        entries: written.map(({ key, value }) => ({ key: hex(key), value: hex(value) })),
        packets: queries.map(packet),
      })),
    }
    const { policyOracle } = ciliumPrograms()
    const printed = execFileSync(policyOracle, [object], { input: JSON.stringify(job), encoding: 'utf8', maxBuffer: 2 ** 28 })
    return JSON.parse(printed)
  }

  /** Since 1.19 they are variables of the programs, no macros. */
  function settings(release: Release, { number, most }: ClusterNumber): Readonly<Record<string, number>> {
    const icmp = minor(release) >= 19 ? { __config_enable_icmp_rule: 1 } : {}
    const mesh =
      minor(release) >= 20 ? { __config_cluster_id: number, __config_cluster_id_bits: Math.log2(Math.max(...most) + 1) } : {}
    return { ...icmp, ...mesh }
  }
})
