// SPDX-License-Identifier: Apache-2.0

import type { BackendTarget, Balanced, Masquerade } from '../ebpf/datapath.ts'
import { formatEndpoint } from '../net/address.ts'
import type { Flight } from '../net/packet.ts'
import { branched, type Ended, packetText, step, type Traveller, unknown, withPacket } from './traveller.ts'

/** Steps of the eBPF lane: what a datapath did to a packet, in words. */

export type Way = { readonly kind: 'passed'; readonly traveller: Traveller; readonly balanced?: Balanced | undefined } | Ended

const VERDICTS = { drop: 'dropped', reject: 'rejected', unknown: 'unknown' } as const

export function noBackend(traveller: Traveller, balanced: Balanced): Ended {
  const where = balanced.at
  const verdict = VERDICTS[balanced.failure ?? 'reject']
  const told = verdict === 'rejected' ? (where === 'socket' ? ': connect fails at once' : ': the sender is told') : ''
  const failed = step(unknown(traveller, ...balanced.unknowns), {
    hook: where === 'socket' ? 'socket' : 'tc',
    actor: { kind: 'service', ref: balanced.name },
    effect: balanced.failure ?? 'reject',
    evidence: balanced.evidence,
    text: `${balanced.name}: ${balanced.reason}${told}`,
  })
  return { kind: 'ended', ending: { verdict, traveller: failed, remedy: undefined } }
}

export function chosen(traveller: Traveller, balanced: Balanced, backend: BackendTarget): Traveller {
  const { packet } = traveller.flight
  const asked = unknown(branched(traveller, backend.probability), ...balanced.unknowns)
  const after = withPacket(asked, { ...packet, dst: backend.address, dport: backend.port })
  const count = balanced.backends.length
  return step(after, {
    hook: balanced.at === 'socket' ? 'socket' : 'tc',
    actor: { kind: 'service', ref: balanced.name },
    effect: 'select-backend',
    before: formatEndpoint(packet.dst, packet.dport),
    after: formatEndpoint(backend.address, backend.port),
    evidence: backend.evidence ?? balanced.evidence,
    text: `${balanced.name}: ${backend.text}${count > 1 ? `, 1 of ${count}` : ''} (${balanced.reason})`,
  })
}

export function masqueraded(traveller: Traveller, { address, evidence, text, unknowns }: Masquerade): Traveller {
  const { packet } = traveller.flight
  const after: Flight['packet'] = { ...packet, src: address, sport: undefined }
  return step(withPacket(unknown(traveller, ...unknowns), after), {
    hook: 'snat',
    actor: { kind: 'program', ref: 'eBPF masquerade' },
    effect: 'masquerade',
    before: packetText(packet),
    after: packetText(after),
    evidence,
    text,
  })
}
