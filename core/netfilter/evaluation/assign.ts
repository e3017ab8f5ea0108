// SPDX-License-Identifier: Apache-2.0

import { ipv4, ipv6 } from '../../net/address.ts'
import type { Flight, Packet } from '../../net/packet.ts'
import type { Effect } from '../../path/answer.ts'
import type { Action, AssignTarget } from '../statement.ts'
import { step } from './action.ts'
import { spreadOut } from './arithmetic.ts'
import { assume, type Branch, withUnknown } from './branch.ts'
import { entryOf, readExpression } from './read.ts'
import type { RuleProgress } from './rule-walk.ts'
import { ruleEvidence } from './text.ts'
import { describeChange } from './translate.ts'
import { isScalar, type Value } from './value.ts'

type Assign = Extract<Action, { kind: 'assign' }>

/** Writes a mark or a header field. Several branches where the value is chosen at random. */
export function assign(branch: Branch, action: Assign, progress: RuleProgress): Branch[] {
  const value = readExpression(action.value, branch.flight, progress.context)
  const spread = isScalar(value) ? undefined : spreadOut(value)
  if (!spread) return [write(branch, action.target, value, progress)]
  return spread.map((choice) =>
    write(
      assume({ ...branch, probability: branch.probability * choice.probability }, choice.key, choice.values),
      action.target,
      choice.value,
      progress,
    ),
  )
}

function write(branch: Branch, target: AssignTarget, value: Value, progress: RuleProgress): Branch {
  if (!isScalar(value)) {
    if (value.kind === 'absent') return branch
    const missing = 'missing' in value ? value.missing : 'a single value to write'
    return withUnknown(branch, {
      what: `the value written to ${describeTarget(target)} in ${progress.context.place} (${progress.place.chain.name})`,
      missing,
      evidence: ruleEvidence(progress.place.rule),
    })
  }
  if (target.kind === 'meta') return writeMeta(branch, target, value, progress)
  if (target.kind === 'ct') return writeCt(branch, target, value, progress)
  return writePacket(branch, target, value, progress)
}

function describeTarget(target: AssignTarget): string {
  if (target.kind === 'meta') return `meta ${target.key}`
  if (target.kind === 'ct') return `ct ${target.key}`
  if (target.kind === 'payload') return `${target.protocol} ${target.field}`
  return target.kind
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

function writeMeta(
  branch: Branch,
  target: Extract<AssignTarget, { kind: 'meta' }>,
  value: string | number | bigint,
  progress: RuleProgress,
): Branch {
  const { flight } = branch
  const number = Number(value)
  if (target.key === 'mark') {
    const mark = number >>> 0
    return step({ ...branch, flight: { ...flight, mark } }, progress, 'mark', `mark ${hex(flight.mark)} becomes ${hex(mark)}`, {
      before: hex(flight.mark),
      after: hex(mark),
    })
  }
  if (target.key === 'priority') {
    return step({ ...branch, flight: { ...flight, priority: number } }, progress, 'set', `priority becomes ${hex(number)}`)
  }
  return target.key === 'nftrace' ? branch : step(branch, progress, 'set', `${describeTarget(target)} becomes ${value}`)
}

function writeCt(
  branch: Branch,
  target: Extract<AssignTarget, { kind: 'ct' }>,
  value: string | number | bigint,
  progress: RuleProgress,
): Branch {
  const { flight } = branch
  if (target.key === 'zone') return writeZone(branch, Number(value) & 0xffff, progress)
  const connection = entryOf(flight)
  if (!connection) return branch
  if (target.key !== 'mark') return step(branch, progress, 'set', `${describeTarget(target)} becomes ${value}`)
  const mark = Number(value) >>> 0
  const changed: Flight = { ...flight, connection: { ...connection, mark } }
  return step(
    { ...branch, flight: changed },
    progress,
    'connmark',
    `connection mark ${hex(connection.mark)} becomes ${hex(mark)}`,
    {
      before: hex(connection.mark),
      after: hex(mark),
    },
  )
}

/** A zone is chosen before tracking begins. Unlike a template it takes a NOTRACK back (nft_ct_set_zone_eval). */
function writeZone(branch: Branch, zone: number, progress: RuleProgress): Branch {
  if (branch.flight.connection || branch.template) return branch
  const flight = { ...branch.flight, notrack: false }
  return step({ ...branch, flight, template: true, zone }, progress, 'set', `connection tracking zone becomes ${zone}`)
}

function writePacket(branch: Branch, target: AssignTarget, value: string | number | bigint, progress: RuleProgress): Branch {
  const { flight } = branch
  const packet = target.kind === 'payload' ? changedPacket(flight.packet, target.field, value) : undefined
  const text = `${describeTarget(target)} becomes ${value}`
  if (!packet) return step(branch, progress, 'mangle', text)
  const effect: Effect = 'mangle'
  return step({ ...branch, flight: { ...flight, packet } }, progress, effect, text, describeChange(flight.packet, packet))
}

function changedPacket(packet: Packet, field: string, value: string | number | bigint): Packet | undefined {
  const address = typeof value === 'bigint' ? ipv6(value) : ipv4(Number(value))
  switch (field) {
    case 'saddr':
      return { ...packet, src: address }
    case 'daddr':
      return { ...packet, dst: address }
    case 'sport':
    case 'dport':
    case 'dscp':
    case 'ttl':
      return { ...packet, [field]: Number(value) }
    case 'hoplimit':
      return { ...packet, ttl: Number(value) }
  }
  return undefined
}
