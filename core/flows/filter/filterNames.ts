// SPDX-License-Identifier: Apache-2.0

import { didYouMean } from '../../text/suggest.ts'
import type { EventTypeFilter } from './filter.ts'
import type { TcpFlags, Workload } from '../flow.ts'
import { TCP_FLAGS } from '../hubble/messages.ts'

/** Values of filters as people write them. All throw an Error that says what would be right. */

/** Cilium's reserved identities (pkg/identity). */
export const RESERVED_IDENTITIES: Readonly<Record<string, number>> = {
  host: 1,
  world: 2,
  unmanaged: 3,
  health: 4,
  init: 5,
  'remote-node': 6,
  'kube-apiserver': 7,
  ingress: 8,
  'world-ipv4': 9,
  'world-ipv6': 10,
  'overlay-to-encrypt': 11,
}

export function identityNumber(text: string): number {
  const known = RESERVED_IDENTITIES[text]
  if (known !== undefined) return known
  if (/^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff) return Number(text)
  throw new Error(`\`${text}\` is no identity: a number or one of ${Object.keys(RESERVED_IDENTITIES).join(', ')}`)
}

/** `Deployment/web`, `web`, `Deployment/`. */
export function workloadOf(text: string): Workload {
  const slash = text.indexOf('/')
  return slash < 0 ? { name: text, kind: '' } : { name: text.slice(slash + 1), kind: text.slice(0, slash) }
}

const FLAG_NAMES = Object.keys(TCP_FLAGS.empty)

/** `syn,ack`. */
export function tcpFlagsOf(text: string): TcpFlags {
  const names = text.toLowerCase().split(',')
  const wrong = names.find((name) => !FLAG_NAMES.includes(name))
  if (wrong !== undefined) throw new Error(`\`${wrong}\` is no flag of TCP: ${FLAG_NAMES.join(', ')}`)
  return { ...TCP_FLAGS.empty, ...Object.fromEntries(names.map((name) => [name, true])) }
}

/** Types of Cilium's monitor (pkg/monitor/api). */
export const EVENT_TYPES: Readonly<Record<string, number>> = {
  drop: 1,
  debug: 2,
  capture: 3,
  trace: 4,
  'policy-verdict': 5,
  'trace-sock': 7,
  l7: 129,
  agent: 130,
}

/** Sub-types of `trace`: where a packet was seen. */
export const TRACE_POINTS: readonly string[] = [
  'to-endpoint',
  'to-proxy',
  'to-host',
  'to-stack',
  'to-overlay',
  'from-endpoint',
  'from-proxy',
  'from-host',
  'from-stack',
  'from-overlay',
  'from-network',
  'to-network',
  'from-crypto',
  'to-crypto',
]

/** `TYPE` or `TYPE:SUBTYPE`, by name or number. */
export function eventTypeOf(text: string): EventTypeFilter {
  const colon = text.indexOf(':')
  const [name, sub] = colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)]
  const type = EVENT_TYPES[name] ?? wholeNumber(name)
  if (type === undefined) throw new Error(`\`${name}\` is no type of event${didYouMean(name, Object.keys(EVENT_TYPES))}`)
  if (sub === undefined) return { type, matchSubType: false, subType: 0 }
  const point = type === EVENT_TYPES['trace'] ? TRACE_POINTS.indexOf(sub) : -1
  const subType = point >= 0 ? point : wholeNumber(sub)
  if (subType === undefined) throw new Error(`\`${sub}\` is no sub-type of \`${name}\`${didYouMean(sub, TRACE_POINTS)}`)
  return { type, matchSubType: true, subType }
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

/** The way back, for flags. */
export function eventTypeText({ type, matchSubType, subType }: EventTypeFilter): string {
  const name = Object.entries(EVENT_TYPES).find(([, number]) => number === type)?.[0] ?? String(type)
  if (!matchSubType) return name
  return `${name}:${(name === 'trace' ? TRACE_POINTS[subType] : undefined) ?? subType}`
}

export function headerOf(text: string): { readonly key: string; readonly value: string } {
  const colon = text.indexOf(':')
  if (colon < 0) throw new Error(`\`${text}\` is no header: NAME:VALUE`)
  return { key: text.slice(0, colon), value: text.slice(colon + 1) }
}

/** One of the names, in any case of letters. */
export function nameAmong(text: string, names: readonly string[], what: string): string {
  const wanted = text.toLowerCase()
  const found = names.find((name) => name.toLowerCase() === wanted)
  if (found === undefined) throw new Error(`\`${text}\` is no ${what}${didYouMean(text, names)}`)
  return found
}
