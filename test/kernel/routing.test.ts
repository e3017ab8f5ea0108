// SPDX-License-Identifier: Apache-2.0

/**
 * The kernel is the judge: random devices, addresses, routes, rules and settings in a namespace, and then thousands of
 * questions asked both of `ip route get` and of core/routing. Every answer must be the same.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Netns } from '../../core/facts/netns.ts'
import { type Family, formatAddress, parseAddress } from '../../core/net/address.ts'
import type { RouteDecision, Unrouted } from '../../core/routing/decision.ts'
import { routeInput } from '../../core/routing/input.ts'
import { routeOutput } from '../../core/routing/output.ts'
import type { Flow } from '../../core/routing/rules.ts'
import { TestNetns, withoutNetns } from '../support/netns.ts'
import { Random } from '../support/random.ts'

const SEED = Number(process.env['PLUMBLINE_SEED'] ?? 20261122)
const WORLDS = Number(process.env['PLUMBLINE_WORLDS'] ?? 12)
const QUERIES = 600
const DEVICES = ['v0', 'v1', 'v2', 'v3', 'v4'] as const

interface Query {
  readonly dst: string
  readonly src?: string
  readonly iif?: string
  readonly oif?: string
  readonly mark: number
  readonly tos: number
  readonly dport?: number
}

for (const family of [4, 6] as const) {
  for (const custom of [false, true]) {
    test(`IPv${family} ${custom ? 'with' : 'without'} policy rules: every answer is the kernel's`, {
      skip: withoutNetns(),
    }, () => {
      const disagreements: string[] = []
      let asked = 0
      for (let world = 0; world < WORLDS; world++) {
        const seed = SEED + world
        const random = new Random(seed)
        using netns = new TestNetns(`plumbline-rt${process.pid}`)
        const sysctls = build(netns, family, custom, random)
        const facts = netns.facts(sysctls)
        const queries = Array.from({ length: QUERIES }, () => query(random, family))
        const kernel = askKernel(netns, family, queries)
        for (const [index, question] of queries.entries()) {
          const real = kernel[index]
          if (real === undefined) continue
          asked++
          const predicted = predict(facts, family, question)
          if (!predicted.includes(real)) {
            disagreements.push(`seed ${seed}: ${command(question)}\n  kernel    ${real}\n  predicted ${predicted.join(' | ')}`)
          }
        }
      }
      assert.equal(asked, WORLDS * QUERIES)
      assert.equal(disagreements.length, 0, `${disagreements.length} of ${asked}:\n${disagreements.slice(0, 12).join('\n')}`)
    })
  }
}

/** Configures the namespace and gives its settings. Commands that make no sense are refused by the kernel, and that is fine. */
function build(netns: TestNetns, family: Family, custom: boolean, random: Random): Readonly<Record<string, string>> {
  const lines = ['link set lo up']
  for (const device of DEVICES) lines.push(`link add ${device} type veth peer name p${device}`, `link set ${device} up`)
  for (const device of DEVICES) if (random.chance(75)) lines.push(`link set p${device} up`)
  netns.ip(lines)
  const sysctls = settings(random, family)
  netns.sysctl(sysctls)
  const configuration: string[] = []
  for (const device of DEVICES) {
    for (let i = random.below(4); i > 0; i--) configuration.push(`addr add ${address(random, family)} dev ${device}`)
  }
  for (let i = 0; i < 40; i++) configuration.push(`route add ${route(random, family, custom)}`)
  if (custom) for (let i = 0; i < 10; i++) configuration.push(`rule add ${rule(random, family)}`)
  netns.ip(configuration, [`-${family}`])
  return sysctls
}

function settings(random: Random, family: Family): Readonly<Record<string, string>> {
  const result: Record<string, string> = {}
  if (family === 6) {
    // `ip route get` leaves out the test for forwarding, which comes after routing in IPv6.
    result['net.ipv6.conf.all.forwarding'] = '1'
    for (const device of ['all', ...DEVICES]) result[`net.ipv6.conf.${device}.accept_dad`] = '0'
    return result
  }
  for (const device of ['all', ...DEVICES]) {
    const base = `net.ipv4.conf.${device}`
    if (device !== 'all') result[`${base}.forwarding`] = random.chance(80) ? '1' : '0'
    result[`${base}.rp_filter`] = device === 'all' ? (random.chance(70) ? '0' : '2') : String(random.below(3))
    result[`${base}.accept_local`] = random.chance(15) ? '1' : '0'
    result[`${base}.route_localnet`] = random.chance(10) ? '1' : '0'
    result[`${base}.ignore_routes_with_linkdown`] = random.chance(25) ? '1' : '0'
    result[`${base}.src_valid_mark`] = random.chance(30) ? '1' : '0'
  }
  return result
}

/** From a small space, so that things meet. */
function host(random: Random, family: Family): string {
  if (family === 4) return `10.${random.below(4)}.${random.below(4)}.${random.below(16)}`
  const text = parseAddress(`fd00:${random.below(4)}:${random.below(4)}::${(random.below(15) + 1).toString(16)}`)
  return text === undefined ? '::' : formatAddress(text)
}

function network(random: Random, family: Family): string {
  const bits = random.pick(family === 4 ? [0, 8, 14, 16, 20, 23, 24, 28, 30, 32] : [0, 16, 32, 40, 48, 60, 64, 124, 128])
  const value = parseAddress(host(random, family))
  if (value === undefined) throw new Error('bad address')
  return formatPrefixText(value, bits)
}

function formatPrefixText(value: NonNullable<ReturnType<typeof parseAddress>>, bits: number): string {
  if (value.family === 4) {
    const masked = bits === 0 ? 0 : (value.value & (-1 << (32 - bits))) >>> 0
    return `${formatAddress({ family: 4, value: masked })}/${bits}`
  }
  const keep = ((1n << BigInt(bits)) - 1n) << BigInt(128 - bits)
  return `${formatAddress({ family: 6, value: value.value & keep })}/${bits}`
}

function address(random: Random, family: Family): string {
  if (family === 6) {
    const flags = `${random.chance(15) ? ' preferred_lft 0' : ''} nodad`
    const text = random.chance(15) ? `2001:db8:${random.below(4)}::${random.below(9) + 1}` : host(random, 6)
    return `${text}/${random.pick([48, 64, 64, 128])}${flags}`
  }
  const scope = random.pick(['', '', '', ' scope link', ' scope host'])
  if (random.chance(15)) return `${host(random, 4)} peer ${host(random, 4)}/32${scope}`
  return `${host(random, 4)}/${random.pick([16, 24, 24, 28, 32])}${scope}`
}

function route(random: Random, family: Family, custom: boolean): string {
  const table = custom ? random.pick(['main', 'main', '100', '101', 'local']) : random.pick(['main', 'main', 'main', 'local'])
  const metric = random.chance(50) ? ` metric ${random.below(3) + 1}` : ''
  const tos = family === 4 && random.chance(15) ? ' tos 0x10' : ''
  const dst = network(random, family)
  if (random.chance(15)) {
    const type = random.pick(['blackhole', 'unreachable', 'prohibit', 'throw'])
    return `${type} ${dst} table ${table}${metric}${tos}`
  }
  if (random.chance(8)) return `local ${dst} dev lo table ${table}${metric}`
  const hop = () => {
    const via = random.chance(60) ? ` via ${host(random, family)}` : ''
    return `${via} dev ${random.pick(DEVICES)}${via === '' ? '' : ' onlink'}`
  }
  if (random.chance(20)) return `${dst} table ${table}${metric}${tos} nexthop ${hop()} weight 2 nexthop ${hop()} nexthop ${hop()}`
  const scope = family === 4 && random.chance(20) ? ' scope link' : ''
  const prefsrc = random.chance(15) ? ` src ${host(random, family)}` : ''
  return `${dst}${hop()} table ${table}${metric}${tos}${scope}${prefsrc}`
}

function rule(random: Random, family: Family): string {
  const words = [random.chance(15) ? 'not' : '']
  if (random.chance(35)) words.push(`from ${network(random, family)}`)
  if (random.chance(35)) words.push(`to ${network(random, family)}`)
  if (random.chance(30)) words.push(`iif ${random.pick([...DEVICES, 'lo', 'none'])}`)
  if (random.chance(10)) words.push(`oif ${random.pick(DEVICES)}`)
  if (random.chance(40)) words.push(`fwmark ${random.below(4)}/${random.pick(['0x3', '0x1', '0xffffffff'])}`)
  if (random.chance(10)) words.push('tos 0x10')
  if (random.chance(15)) words.push(`ipproto tcp dport ${random.pick(['80', '80-90', '443'])}`)
  if (random.chance(10)) words.push('uidrange 0-0')
  words.push(`pref ${random.below(40) + 1}`)
  const action = random.below(10)
  if (action === 0) words.push(random.pick(['blackhole', 'unreachable', 'prohibit']))
  else if (action === 1) words.push(`goto ${random.pick(['20', '30', '32766'])}`)
  else if (action === 2) words.push('nop')
  else words.push(`lookup ${random.pick(['100', '101', 'main'])}`)
  if (action > 2 && random.chance(25)) words.push(`suppress_prefixlength ${random.pick([0, 8, 16, 32])}`)
  return words.filter((word) => word !== '').join(' ')
}

function query(random: Random, family: Family): Query {
  const special =
    family === 4 ? ['127.0.0.1', '10.1.1.255', '255.255.255.255', '224.0.0.5', '8.8.8.8'] : ['::1', '2001:db8::1', 'fe80::5']
  const dst = random.chance(6) ? random.pick(special) : host(random, family)
  const base = { dst, mark: random.chance(50) ? random.below(4) : 0, tos: family === 4 && random.chance(20) ? 0x10 : 0 }
  const ports = random.chance(40) ? { dport: random.pick([80, 85, 443, 9]) } : {}
  // `::1` never gets as far as a route when it comes in by a wire.
  if (random.chance(40) && dst !== '::1') {
    const src = random.chance(5) && family === 4 ? '127.0.0.5' : host(random, family)
    return { ...base, ...ports, src, iif: random.pick(DEVICES) }
  }
  const src = random.chance(40) ? { src: host(random, family) } : {}
  return { ...base, ...ports, ...src, ...(random.chance(15) ? { oif: random.pick(DEVICES) } : {}) }
}

function command({ dst, src, iif, oif, mark, tos, dport }: Query): string {
  const words = [`route get ${dst}`]
  if (src !== undefined) words.push(`from ${src}`)
  if (iif !== undefined) words.push(`iif ${iif}`)
  if (oif !== undefined) words.push(`oif ${oif}`)
  if (mark !== 0) words.push(`mark ${mark}`)
  if (tos !== 0) words.push(`tos 0x${tos.toString(16)}`)
  if (dport !== undefined) words.push(`ipproto tcp sport 40000 dport ${dport}`)
  return words.join(' ')
}

/** Errors the kernel answers with, to the names core/routing uses; "martian" and the like have no errno of their own. */
const ERRORS: Readonly<Record<string, string>> = {
  'Network is unreachable': 'ENETUNREACH',
  'No route to host': 'EHOSTUNREACH',
  'Permission denied': 'EACCES',
  'Invalid argument': 'EINVAL',
  // Older kernels tell reverse path filtering apart.
  'Invalid cross-device link': 'EINVAL',
}

function askKernel(netns: TestNetns, family: Family, queries: readonly Query[]): readonly (string | undefined)[] {
  const { stdout, failed } = netns.ip(queries.map(command), [`-${family}`, '-j'])
  const answers = stdout.split('\n').filter((line) => line.startsWith('['))
  let next = 0
  return queries.map((question, index) => {
    const reason = failed.get(index + 1)
    if (reason !== undefined) return ERRORS[reason.replace('RTNETLINK answers: ', '')] ?? reason
    const [answer] = JSON.parse(answers[next++] ?? '[{}]') as readonly Record<string, string>[]
    const type = answer?.['type'] ?? 'unicast'
    if (family === 6 && REJECTED6[type] !== undefined) return REJECTED6[type]
    const src = question.iif === undefined ? (question.src ?? answer?.['prefsrc'] ?? none(family)) : ''
    return `${type} dev ${answer?.['dev']} via ${answer?.['gateway'] ?? '-'} src ${src}`
  })
}

/** IPv6 answers with the rejecting route itself. */
const REJECTED6: Readonly<Record<string, string>> = {
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  blackhole: 'EINVAL',
}

function none(family: Family): string {
  return family === 4 ? '0.0.0.0' : '::'
}

function predict(facts: Netns, family: Family, question: Query): readonly string[] {
  const dst = parseAddress(question.dst)
  const src = question.src === undefined ? undefined : parseAddress(question.src)
  if (dst === undefined) throw new Error(`bad address ${question.dst}`)
  const flow: Flow = {
    family,
    dst,
    src,
    mark: question.mark,
    tos: question.tos,
    iif: question.iif,
    oif: question.oif,
    protocol: question.dport === undefined ? 0 : 6,
    sport: question.dport === undefined ? 0 : 40000,
    dport: question.dport ?? 0,
    // Questions about packets that came in have no user in IPv6.
    uid: family === 6 && question.iif !== undefined ? 0xffff_ffff : 0,
  }
  const { iif } = question
  const decisions =
    iif !== undefined && src !== undefined
      ? routeInput(facts, { ...flow, iif, src })
      : routeOutput(facts, flow, { lookupOnly: true })
  return decisions.map((decision) => describe(decision, iif !== undefined))
}

const INPUT_ERRORS: Readonly<Record<string, string>> = {
  'martian-source': 'EINVAL',
  'martian-destination': 'EINVAL',
  'rp-filter': 'EINVAL',
  'not-forwarding': 'EHOSTUNREACH',
  blackhole: 'EINVAL',
  prohibit: 'EACCES',
  unreachable: 'EHOSTUNREACH',
  'no-route': 'ENETUNREACH',
}

/** A rule that says "unreachable" means the network, a route means the host. */
function inputError({ failure, route }: Unrouted): string | undefined {
  return failure === 'unreachable' && route === undefined ? 'ENETUNREACH' : INPUT_ERRORS[failure]
}

function describe(decision: RouteDecision, input: boolean): string {
  if (decision.kind === 'unrouted') return (input ? inputError(decision) : decision.answer) ?? decision.failure
  const via = decision.via === undefined ? '-' : formatAddress(decision.via)
  return `${decision.type} dev ${decision.oif} via ${via} src ${input ? '' : formatAddress(decision.src)}`
}
