// SPDX-License-Identifier: Apache-2.0

import { type Address, formatAddress, ipv4, ipv6 } from '../../net/address.ts'
import type { Connection, Packet } from '../../net/packet.ts'
import type { Unknown } from '../../path/answer.ts'
import type { Action, Element, Expression, NatFlags } from '../statement.ts'
import { end, step } from './action.ts'
import { assume, type Branch, withUnknown } from './branch.ts'
import { entryOf, readExpression } from './read.ts'
import { breakOff, NEXT, type RuleProgress, type RuleResult } from './rule-walk.ts'
import { describeProbability, ruleEvidence, ruleStep } from './text.ts'
import { addressesOf, describeChange, NO_FLAGS, type NatRange, translate } from './translate.ts'
import { isScalar, type Value } from './value.ts'

type Nat = Extract<Action, { kind: 'nat' }>
type Netmap = Extract<Action, { kind: 'netmap' }>
type Tproxy = Extract<Action, { kind: 'tproxy' }>

/** Which end a hook's nat chains rewrite (HOOK2MANIP). */
export function manipOf(hook: string): 'src' | 'dst' {
  return hook === 'postrouting' || hook === 'input' ? 'src' : 'dst'
}

export function runNat(branch: Branch, action: Nat, progress: RuleProgress): RuleResult[] {
  const connection = entryOf(branch.flight)
  if (!connection) return [{ branch, control: { kind: 'accept' } }]
  const targets = natTargets(branch, action, progress)
  return targets.flatMap(({ branch: chosen, range, problem, notes }) => {
    const noted = { ...progress, notes: [...progress.notes, ...notes] }
    if (problem === 'drop')
      return [end(step(chosen, noted, 'drop', `${action.op}: no address to use, the packet is dropped`), 'drop')]
    if (problem === 'break') return [breakOff(chosen, noted)]
    if (!range) return [undecidedTarget(chosen, action.op, problem ?? 'the address to translate to', noted)]
    return apply(chosen, connection, action.op, range, noted, problem)
  })
}

interface Target {
  readonly branch: Branch
  readonly range: NatRange | undefined
  /** "drop", "break", or which fact is missing: with a range, it is the address that can't be told. */
  readonly problem: string | undefined
  readonly notes: readonly string[]
}

function apply(
  branch: Branch,
  connection: Connection,
  op: Nat['op'] | 'netmap',
  range: NatRange,
  progress: RuleProgress,
  missing?: string,
): RuleResult[] {
  const manip = manipOf(progress.context.hook)
  const { packet } = branch.flight
  return translate(branch.flight, connection, manip, range, progress.context).map(({ flight, probability, text }) => {
    const after = { ...branch, flight, probability: branch.probability * probability }
    const port = probability < 1 ? `, chosen with probability ${describeProbability(probability)}` : ''
    if (missing !== undefined) {
      const where = `${NAMES[op]} to an address that can't be told${range.ports ? `, ${portText(flight.packet, manip)}` : ''}${port}`
      const said = step(withUnknown(after, unknownTarget(op, missing, progress)), progress, op, where)
      return { branch: said, control: { kind: 'accept' } }
    }
    const change = describeChange(packet, flight.packet)
    const said = step(after, progress, op, `${NAMES[op]} ${text}${port}`, change)
    return { branch: said, control: { kind: 'accept' } }
  })
}

function portText({ sport, dport }: Packet, manip: 'src' | 'dst'): string {
  return `port ${(manip === 'src' ? sport : dport) ?? 'unknown'}`
}

const NAMES = { dnat: 'DNAT', snat: 'SNAT', masquerade: 'MASQUERADE', redirect: 'REDIRECT', netmap: 'NETMAP' } as const

function undecidedTarget(branch: Branch, op: Nat['op'], missing: string, progress: RuleProgress): RuleResult {
  const unknown = unknownTarget(op, missing, progress)
  const said = step(withUnknown(branch, unknown), progress, 'unknown', `${NAMES[op]} to an address that can't be told`)
  return { branch: said, control: { kind: 'accept' } }
}

function unknownTarget(op: Nat['op'] | 'netmap', missing: string, progress: RuleProgress): Unknown {
  return {
    what: `${NAMES[op]} in ${progress.context.place} (${progress.place.chain.name})`,
    missing,
    evidence: ruleEvidence(progress.place.rule),
  }
}

/** Where a rule translates to: one target, or several when a map is asked with a random key. */
function natTargets(branch: Branch, action: Nat, progress: RuleProgress): Target[] {
  if (action.op === 'masquerade' || action.op === 'redirect') return [ownTarget(branch, action, progress)]
  if (action.toBoth) {
    return spread(branch, read(action.toBoth, branch, progress)).map(({ value, ...rest }) => bothTarget(rest, value, action))
  }
  const addresses = action.to ? spread(branch, read(action.to, branch, progress)) : [{ branch, value: undefined, notes: [] }]
  return addresses.map(({ value, ...rest }) => {
    const port = action.port ? read(action.port, rest.branch, progress) : undefined
    return target(rest, value, port, action)
  })
}

function read(expression: Expression, branch: Branch, progress: RuleProgress): Value {
  return readExpression(expression, branch.flight, progress.context)
}

type Chosen = Pick<Target, 'branch' | 'notes'>

function spread(branch: Branch, value: Value): (Chosen & { value: Value })[] {
  if (isScalar(value) || value.kind !== 'choices') return [{ branch, value, notes: [] }]
  return value.choices.map((choice) => ({
    branch: assume({ ...branch, probability: branch.probability * choice.probability }, choice.key, choice.values),
    value: choice.value,
    notes: choice.probability < 1 ? [`chosen with probability ${describeProbability(choice.probability)}`] : [],
  }))
}

/** Values of maps and literals as the element they were written as. */
function asElement(value: Value): Element | undefined {
  if (isScalar(value)) return { kind: 'value', value }
  return value.kind === 'span' ? { kind: 'range', from: value.from, to: value.to } : undefined
}

function problemOf(value: Value | undefined): string | undefined {
  if (value === undefined || isScalar(value)) return undefined
  if (value.kind === 'absent') return 'break'
  return 'missing' in value ? value.missing : undefined
}

function target(chosen: Chosen, address: Value | undefined, port: Value | undefined, action: Nat): Target {
  const problem = problemOf(address) ?? problemOf(port)
  if (problem) return { ...chosen, range: undefined, problem }
  const element = address === undefined ? undefined : asElement(address)
  const addresses = element && addressesOf(element, chosen.branch.flight.packet)
  if (address !== undefined && !addresses) return { ...chosen, range: undefined, problem: 'break' }
  return {
    ...chosen,
    range: { addresses, ports: ports(port), portBase: action.portBase, flags: action.flags, netmap: false },
    problem: undefined,
  }
}

function bothTarget(chosen: Chosen, value: Value, action: Nat): Target {
  if (!isScalar(value) && value.kind === 'parts') return target(chosen, value.parts[0], value.parts[1], action)
  return target(chosen, value, undefined, action)
}

function ports(value: Value | undefined): NatRange['ports'] {
  if (value === undefined) return undefined
  const element = asElement(value)
  if (element?.kind === 'value') return { from: Number(element.value), to: Number(element.value) }
  return element?.kind === 'range' ? { from: Number(element.from), to: Number(element.to) } : undefined
}

/** MASQUERADE takes the leaving device's address, REDIRECT the entering device's, or loopback for packets made here. */
function ownTarget(branch: Branch, action: Nat, progress: RuleProgress): Target {
  const { flight } = branch
  const { environment, hook } = progress.context
  const chosen = { branch, notes: [] }
  const port = action.port ? read(action.port, branch, progress) : undefined
  const address =
    action.op === 'masquerade'
      ? environment.masqueradeAddress(flight.oif, flight.packet.dst, flight.packet.family)
      : hook === 'output'
        ? loopback(flight.packet.family)
        : environment.deviceAddress(flight.iif, flight.packet.family)
  const problem = problemOf(port)
  if (problem) return { ...chosen, range: undefined, problem }
  const device = action.op === 'masquerade' ? flight.oif : flight.iif
  return {
    ...chosen,
    range: {
      addresses: address && { from: address, to: address },
      ports: ports(port),
      portBase: undefined,
      flags: action.flags,
      netmap: false,
    },
    // That it is replaced, and by which port, is known all the same.
    problem: address ? undefined : `address of device ${device ?? ''}`.trim(),
  }
}

function loopback(family: 4 | 6): Address {
  return family === 4 ? ipv4(0x7f000001) : ipv6(1n)
}

export function runNetmap(branch: Branch, action: Netmap, progress: RuleProgress): RuleResult[] {
  const connection = entryOf(branch.flight)
  if (!connection) return [{ branch, control: { kind: 'accept' } }]
  const value = read(action.to, branch, progress)
  const element = asElement(value)
  const addresses = element && addressesOf(element, branch.flight.packet)
  if (!addresses) {
    if (problemOf(value) === 'break') return [breakOff(branch, progress)]
    return [
      undecidedTarget(
        branch,
        manipOf(progress.context.hook) === 'dst' ? 'dnat' : 'snat',
        problemOf(value) ?? 'the network to map to',
        progress,
      ),
    ]
  }
  const flags: NatFlags = NO_FLAGS
  return apply(branch, connection, 'netmap', { addresses, ports: undefined, portBase: undefined, flags, netmap: true }, progress)
}

/** net/netfilter/xt_TPROXY.c, nft_tproxy.c: a listener takes the packet although it is addressed elsewhere. */
export function runTproxy(
  branch: Branch,
  action: Tproxy,
  progress: RuleProgress,
  go: (after: Branch) => RuleResult[],
): RuleResult[] {
  const { flight } = branch
  const { environment, table } = progress.context
  const address = tproxyAddress(branch, action, progress)
  const portValue = action.port ? read(action.port, branch, progress) : flight.packet.dport
  const port = typeof portValue === 'number' ? portValue : undefined
  if (!address || port === undefined) return [undecidedTarget(branch, 'redirect', 'address or port of the proxy', progress)]
  const listener = environment.hasSocket({ ...flight, packet: { ...flight.packet, dst: address, dport: port } })
  const isNft = table.backend === 'nft'
  const taken = (from: Branch): RuleResult[] => {
    const mark = action.mark ? ((flight.mark & ~action.mark.mask) ^ action.mark.value) >>> 0 : flight.mark
    const after: Branch = { ...from, flight: { ...flight, mark }, tproxy: { address, port } }
    const said = step(after, progress, 'tproxy', `given to the local proxy at ${formatAddress(address)} port ${port}`)
    return isNft ? go(said) : [{ branch: said, control: { kind: 'accept' } }]
  }
  const left = (from: Branch): RuleResult[] =>
    isNft ? [{ branch: from, control: NEXT }] : [end(step(from, progress, 'drop', 'TPROXY without a listener drops'), 'drop')]
  if (listener !== undefined) return listener ? taken(branch) : left(branch)
  const unknown = {
    what: `TPROXY in ${progress.context.place} (${progress.place.chain.name})`,
    missing: `whether a transparent socket listens on port ${port}`,
    evidence: ruleEvidence(progress.place.rule),
  }
  const settled = ruleStep(progress.place, progress.context, 'unknown', `can't be decided (${unknown.missing} missing)`)
  const id = progress.context.budget.nextFork()
  const side = (held: boolean) => withUnknown({ ...branch, forks: [...branch.forks, { id, held, unknown, settled }] }, unknown)
  return [...taken(side(true)), ...left(side(false))]
}

/** Without an address: the entering device's own (nf_tproxy_laddr4). */
function tproxyAddress(branch: Branch, action: Tproxy, progress: RuleProgress): Address | undefined {
  const { flight } = branch
  if (!action.address) return progress.context.environment.deviceAddress(flight.iif, flight.packet.family)
  const value = read(action.address, branch, progress)
  if (typeof value === 'number') return ipv4(value)
  return typeof value === 'bigint' ? ipv6(value) : undefined
}
