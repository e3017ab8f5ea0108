// SPDX-License-Identifier: Apache-2.0

import type { Entry } from './entries.ts'

export interface PolicyLookup {
  readonly direction: 'egress' | 'ingress'
  /** Of the other side. */
  readonly identity: number
  /** IP protocol number. */
  readonly protocol: number
  /** 0 for protocols without ports. */
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
 * __policy_can_access of bpf/lib/policy.h: one lookup with the peer's identity and one for every identity, each the longest
 * prefix of protocol and port. The higher precedence wins, then the longer prefix, then the one with an identity.
 */
export function lookUpPolicy(entries: readonly Entry[], query: PolicyLookup): PolicyVerdict {
  const peer = longest(entries, query, query.identity)
  const anyone = longest(entries, query, 0)
  const chosen = choose(peer, anyone)
  if (chosen === undefined) return { kind: 'unmatched' }
  return verdictOf(chosen, chosen === peer ? anyone : peer)
}

function choose(peer: Entry | undefined, anyone: Entry | undefined): Entry | undefined {
  if (peer === undefined || anyone === undefined) return peer ?? anyone
  const higher = anyone.value('precedence') - peer.value('precedence')
  if (higher !== 0) return higher > 0 ? anyone : peer
  return anyone.value('lpmPrefixLength') > peer.value('lpmPrefixLength') ? anyone : peer
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

/** __policy_check. An entry without authentication of its own takes over the other's, if that one is as high. */
function verdictOf(entry: Entry, other: Entry | undefined): PolicyVerdict {
  if (entry.value('deny') !== 0) return { kind: 'denied', entry }
  const inherits =
    other !== undefined && entry.value('explicitAuth') === 0 && other.value('precedence') === entry.value('precedence')
  const authentication = Math.max(entry.value('authType'), inherits ? other.value('authType') : 0)
  if (authentication > 0) return { kind: 'authenticated', entry }
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
