// SPDX-License-Identifier: Apache-2.0

import type { Flight } from '../../net/packet.ts'
import type { CompareOp, Element, Match, Scalar, SetElement, ValueSet } from '../statement.ts'
import type { TableContext } from './context.ts'
import { decideAddressType, decideIpSet, decideOwner, decidePhysdev, decideReversePath, decideSocket } from './decide-special.ts'
import { type ElementIndex, mayHold, numericSpan } from './lookup.ts'
import { knownKey, overlap } from './maps.ts'
import { readExpression, stableKey } from './read.ts'
import { chance, type Decision, isScalar, not, undecided, type Value } from './value.ts'

/** Whether a match holds for a packet. */
export function decide(match: Match, flight: Flight, context: TableContext): Decision {
  switch (match.kind) {
    case 'compare':
      return decideCompare(match, flight, context)
    case 'group':
      return decideGroup(match, flight, context)
    case 'statistic': {
      const probability = match.mode === 'random' ? match.probability : 1 / match.every
      return chance(match.negated ? 1 - probability : probability)
    }
    case 'ipset':
      return decideIpSet(match, flight, context)
    case 'owner':
      return decideOwner(match, flight, context)
    case 'addrtype':
      return decideAddressType(match, flight, context)
    case 'rpfilter':
      return decideReversePath(match, flight, context)
    case 'socket-match':
      return decideSocket(match, flight, context)
    case 'physdev':
      return decidePhysdev(match, flight)
    case 'recent':
      return match.mode === 'set' ? !match.negated : undecided(`list "${match.name}" of recently seen addresses`)
    case 'policy':
      return undecided('IPsec policies of the node (ip xfrm policy)', stableKey([match.direction, match.policy]))
    case 'rate':
      return undecided(`what match \`${match.name}\` has counted so far`)
    case 'unknown-match':
      return undecided(`meaning of match \`${match.name}\` for this packet`, match.text)
  }
}

function decideGroup(match: Extract<Match, { kind: 'group' }>, flight: Flight, context: TableContext): Decision {
  const all = match.mode === 'all'
  let open: Decision | undefined
  for (const part of match.of) {
    const decision = decide(part, flight, context)
    if (decision === !all) return all === match.negated
    if (decision !== all) open ??= decision
  }
  if (open === undefined || typeof open === 'boolean') return all !== match.negated
  const whole: Decision =
    open.kind === 'undecided' ? undecided(open.missing, stableKey([match.mode, match.of])) : { ...open, key: undefined }
  return match.negated ? not(whole) : whole
}

const ANY: readonly Element[] = [{ kind: 'any' }]

function decideCompare(match: Extract<Match, { kind: 'compare' }>, flight: Flight, context: TableContext): Decision {
  const value = readExpression(match.key, flight, context)
  if (!isScalar(value) && value.kind === 'absent') return false
  const decision = compareWith(match.op, value, match.value, flight, context)
  if (typeof decision === 'object' && decision.kind === 'undecided') {
    const { op, ...condition } = match
    // A set's elements are left out of the key: its name stands for them.
    return { ...decision, key: stableKey([condition, op === 'ne' ? 'eq' : op]) }
  }
  return decision
}

function compareWith(op: CompareOp, value: Value, set: ValueSet, flight: Flight, context: TableContext): Decision {
  if (op !== 'eq' && op !== 'ne') return compareOrder(op, value, set, flight, context)
  const member = membership(value, set, flight, context)
  return op === 'ne' ? not(member) : member
}

function membership(value: Value, set: ValueSet, flight: Flight, context: TableContext): Decision {
  if (set.kind === 'expression') return equal(value, readExpression(set.expression, flight, context))
  if (set.kind === 'literal') return inElements(value, set.elements, context.caches.literals(set.elements))
  const named = context.table.sets.get(set.name)
  if (!named) return undecided(`set @${set.name}, which is not in the table`)
  return inIndex(value, context.caches.elements(named.elements))
}

function equal(left: Value, right: Value): Decision {
  if (isScalar(left) && isScalar(right)) return left === right
  if (!isScalar(right) && right.kind === 'absent') return false
  return undecided(missingOf(isScalar(left) ? right : left))
}

function missingOf(value: Value): string {
  return !isScalar(value) && 'missing' in value ? value.missing : 'two values that are both computed'
}

/** Short lists are looked through one by one. */
function inElements(value: Value, elements: readonly Element[], index?: ElementIndex<Element>): Decision {
  const known = knownKey(value)
  if (index && known !== undefined) return index.find(known) !== undefined
  if (isScalar(value)) {
    for (const element of elements) if (mayHold(element, value) === true) return true
    return false
  }
  return inEntries(value, elements)
}

function inIndex(value: Value, index: ElementIndex<SetElement>): Decision {
  const known = knownKey(value)
  if (isScalar(value) || known !== undefined) return index.find(known ?? '') !== undefined
  return inEntries(
    value,
    index.entries.map((entry) => entry.key),
  )
}

function inEntries(value: Exclude<Value, Scalar>, elements: readonly Element[]): Decision {
  if (value.kind === 'uniform') return inUniform(value, elements)
  if (value.kind === 'choices') {
    let probability = 0
    for (const choice of value.choices) {
      const decision = inElements(choice.value, elements)
      if (typeof decision === 'object') return undecided('a choice that depends on an unknown')
      if (decision) probability += choice.probability
    }
    return chance(probability)
  }
  let missing: string | undefined
  for (const element of elements) {
    const result = mayHold(element, value)
    if (result === true) return true
    if (result !== false) missing ??= result
  }
  return missing === undefined ? false : undecided(missing)
}

function inUniform(value: Extract<Value, { kind: 'uniform' }>, elements: readonly Element[]): Decision {
  let count = 0
  const held: number[] = []
  for (const element of elements) {
    const values = overlap(value, numericSpan(element))
    count += values.count
    held.push(...values.list)
  }
  const decision = chance(count / value.modulus)
  if (value.key === undefined || typeof decision === 'boolean' || decision.kind !== 'chance') return decision
  const all = overlap(value, numericSpan(ANY[0] ?? { kind: 'any' })).list
  return { ...decision, key: value.key, held, failed: all.filter((each) => !held.includes(each)) }
}

function compareOrder(op: CompareOp, value: Value, set: ValueSet, flight: Flight, context: TableContext): Decision {
  const limit = orderLimit(set, flight, context)
  if (limit === undefined) return undecided('the value to compare with')
  if (isScalar(value)) return ordered(op, value, limit)
  if (typeof limit === 'number') {
    const range: Element = {
      kind: 'range',
      from: op === 'ge' ? limit : op === 'gt' ? limit + 1 : 0,
      to: op === 'le' ? limit : op === 'lt' ? limit - 1 : Number.MAX_SAFE_INTEGER,
    }
    return inEntries(value, [range])
  }
  return undecided(missingOf(value))
}

function orderLimit(set: ValueSet, flight: Flight, context: TableContext): Scalar | undefined {
  if (set.kind === 'set') return undefined
  if (set.kind === 'literal') {
    const [element] = set.elements
    return element?.kind === 'value' ? element.value : undefined
  }
  const value = readExpression(set.expression, flight, context)
  return isScalar(value) ? value : undefined
}

function ordered(op: CompareOp, value: Scalar, limit: Scalar): boolean {
  switch (op) {
    case 'lt':
      return value < limit
    case 'le':
      return value <= limit
    case 'gt':
      return value > limit
    default:
      return value >= limit
  }
}
