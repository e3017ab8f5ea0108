// SPDX-License-Identifier: Apache-2.0

import type { Versions } from '../maps/layout.ts'
import type { Entry } from './entries.ts'
import { AGGREGATE, aggregatesOf, type ClusterNumber } from './identity.ts'

/**
 * How a release decides between the entry of the peer's own identity and one that stands for it: __policy_can_access and what it
 * calls, in bpf/lib/policy.h. All of them take the longest prefix of protocol and port of either.
 */
export interface Precedence {
  readonly versions: Versions
  /** The identity whose entry stands for the peer's; several where nobody knows the number of the node's cluster. */
  readonly aggregates: (identity: number, cluster: ClusterNumber | undefined) => readonly number[]
  /** What identities of entries are called that stand for others. */
  readonly names: Readonly<Record<number, string>>
  /** An entry of the peer's own that is taken without a look at the other. */
  readonly final: (own: Entry) => boolean
  /** The first that differs decides, the higher wins. Nothing differs: the peer's own entry wins. */
  readonly ranks: readonly ((entry: Entry) => number)[]
  /** Whether an entry without authentication of its own may take over the other's. */
  readonly inherits: (chosen: Entry, other: Entry) => boolean
}

const EVERYONE = { aggregates: () => [0], names: { 0: 'every identity' } } as const
const HIGHEST = 0xffffffff

const denies = (entry: Entry) => entry.value('deny')
const length = (entry: Entry) => entry.value('lpmPrefixLength')
const precedence = (entry: Entry) => entry.value('precedence')

/** Flags tell how specific an entry is; a denial weighs no more than a permission. */
const FLAGS: Precedence = {
  ...EVERYONE,
  versions: { first: 16, last: 16 },
  final: () => false,
  ranks: [(entry) => (entry.value('anyPort') === 0 ? 2 : entry.value('anyProtocol') === 0 ? 1 : 0)],
  inherits: () => false,
}

const PROXY_PRIORITY: Precedence = {
  ...EVERYONE,
  versions: { first: 17, last: 18 },
  final: (own) => denies(own) !== 0,
  ranks: [denies, (entry) => entry.value('proxyPriority'), length],
  inherits: (chosen) => chosen.value('explicitAuth') === 0,
}

const NUMBERED: Precedence = {
  ...EVERYONE,
  versions: { first: 19, last: 19 },
  final: (own) => precedence(own) === HIGHEST,
  ranks: [precedence, length],
  inherits: (chosen, other) => chosen.value('explicitAuth') === 0 && precedence(chosen) === precedence(other),
}

const NUMBERED_BY_KIND: Precedence = {
  ...NUMBERED,
  versions: { first: 20, last: 20 },
  aggregates: aggregatesOf,
  names: {
    ...NUMBERED.names,
    [AGGREGATE.cluster]: 'every identity of the cluster',
    [AGGREGATE.clusterMesh]: 'every identity of other clusters',
    [AGGREGATE.world]: 'every identity of a CIDR',
    [AGGREGATE.remoteNode]: 'every identity of other nodes',
  },
}

const PRECEDENCES: readonly Precedence[] = [FLAGS, PROXY_PRIORITY, NUMBERED, NUMBERED_BY_KIND]

/** Of the release that a policy map's layout belongs to: no two releases with different rules have maps of the same name and sizes. */
export function precedenceOf({ first, last }: Versions): Precedence | undefined {
  return PRECEDENCES.find(({ versions }) => versions.first <= first && last <= versions.last)
}
