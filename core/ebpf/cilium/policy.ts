// SPDX-License-Identifier: Apache-2.0

import type { Entry } from './entries.ts'
import type { ClusterNumber } from './identity.ts'
import type { Precedence } from './precedence.ts'

/** One endpoint's entries, with what its release makes of them. */
export interface Policy {
  /** "cilium_policy_v2_00042" */
  readonly map: string
  readonly entries: readonly Entry[]
  readonly precedence: Precedence
}

export interface PolicyLookup {
  readonly direction: 'egress' | 'ingress'
  /** Of the other side. */
  readonly identity: number
  /** Of the node. Undefined: nobody knows. */
  readonly cluster: ClusterNumber | undefined
  /** IP protocol number. */
  readonly protocol: number
  /** 0 for protocols without ports; of ICMP, the message's type. */
  readonly port: number
}

export type PolicyVerdict =
  | { readonly kind: 'allowed' | 'denied'; readonly entry: Entry }
  /** The L7 proxy gets it. */
  | { readonly kind: 'proxied'; readonly entry: Entry; readonly port: number }
  | { readonly kind: 'authenticated'; readonly entry: Entry }
  /** DROP_POLICY: no entry allows it. */
  | { readonly kind: 'unmatched' }

const DIRECTION = { ingress: 0, egress: 1 } as const
/** Bits of a key before protocol and port: identity and direction. */
const FIXED_BITS = 40

/**
 * __policy_can_access of bpf/lib/policy.h: one lookup with the peer's identity and one with an identity that stands for it, each
 * the longest prefix of protocol and port. Several verdicts where it isn't known which identity that is, else one.
 */
export function lookUpPolicy(policy: Policy, query: PolicyLookup): readonly [PolicyVerdict, ...PolicyVerdict[]] {
  const [first = 0, ...others] = policy.precedence.aggregates(query.identity, query.cluster)
  return [decide(policy, query, first), ...others.map((aggregate) => decide(policy, query, aggregate))]
}

/** Whether packets fare alike, whichever entry it is that decides. */
export function agree(a: PolicyVerdict, b: PolicyVerdict): boolean {
  if (drops(a) || drops(b)) return drops(a) && drops(b)
  return a.kind === b.kind && (a.kind === 'proxied' ? a.port : 0) === (b.kind === 'proxied' ? b.port : 0)
}

function drops({ kind }: PolicyVerdict): boolean {
  return kind === 'denied' || kind === 'unmatched'
}

function decide({ entries, precedence }: Policy, query: PolicyLookup, aggregate: number): PolicyVerdict {
  const own = longest(entries, query, query.identity)
  if (own !== undefined && precedence.final(own)) return verdictOf(precedence, own, undefined)
  const standing = aggregate === query.identity ? undefined : longest(entries, query, aggregate)
  // An entry for every identity is the last resort, also of those that another stands for.
  const other = own === undefined && standing === undefined ? longest(entries, query, 0) : standing
  const chosen = choose(precedence, own, other)
  if (chosen === undefined) return { kind: 'unmatched' }
  return verdictOf(precedence, chosen, chosen === own ? other : own)
}

function choose({ ranks }: Precedence, own: Entry | undefined, other: Entry | undefined): Entry | undefined {
  if (own === undefined || other === undefined) return own ?? other
  const higher = ranks.map((rank) => rank(other) - rank(own)).find((difference) => difference !== 0) ?? 0
  return higher > 0 ? other : own
}

function longest(entries: readonly Entry[], query: PolicyLookup, identity: number): Entry | undefined {
  let best: Entry | undefined
  for (const entry of entries) {
    if (entry.key('identity') !== identity || !covers(entry, query)) continue
    if (best === undefined || entry.key('prefixLength') > best.key('prefixLength')) best = entry
  }
  return best
}

function covers(entry: Entry, { direction, protocol, port }: PolicyLookup): boolean {
  if (entry.key('direction') !== DIRECTION[direction]) return false
  const bits = entry.key('prefixLength') - FIXED_BITS
  if (bits >= 8 && entry.key('protocol') !== protocol) return false
  const open = 16 - Math.max(0, bits - 8)
  return entry.key('port') >>> open === port >>> open
}

/** __policy_check, up to 1.17 __account_and_check. The higher number of two kinds of authentication counts. */
function verdictOf({ inherits }: Precedence, entry: Entry, other: Entry | undefined): PolicyVerdict {
  if (entry.value('deny') !== 0) return { kind: 'denied', entry }
  const taken = other !== undefined && inherits(entry, other) ? other.value('authType') : 0
  if (Math.max(entry.value('authType'), taken) > 0) return { kind: 'authenticated', entry }
  const port = entry.value('proxyPort')
  return port === 0 ? { kind: 'allowed', entry } : { kind: 'proxied', entry, port }
}

/** Ports an entry stands for; undefined: all of them. */
export function portsOf(entry: Entry): { readonly lowest: number; readonly highest: number } | undefined {
  const bits = entry.key('prefixLength') - FIXED_BITS - 8
  if (bits <= 0) return undefined
  const lowest = entry.key('port')
  return { lowest, highest: lowest + 2 ** (16 - bits) - 1 }
}
