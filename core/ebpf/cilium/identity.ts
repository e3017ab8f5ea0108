// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import type { Family } from '../../net/address.ts'

/** Numbers of identities that Cilium reserves (pkg/identity/numericidentity.go, bpf/lib/identity.h of 1.19). */
export const IDENTITY = { host: 1, world: 2, unmanaged: 3, remoteNode: 6, kubeApiserver: 7, worldIpv4: 9, worldIpv6: 10 } as const

/** Identities of policy entries, since 1.20, that stand for all identities of a kind. 0 stands for every identity. */
export const AGGREGATE = { cluster: 11, clusterMesh: 12, world: 13, remoteNode: 14 } as const

/** Upper byte of identities that every agent numbers for itself. */
const SCOPE = { cidr: 1, remoteNode: 2 } as const

export function isRemoteNode(identity: number): boolean {
  return identity === IDENTITY.remoteNode || identity === IDENTITY.kubeApiserver || identity >>> 24 === SCOPE.remoteNode
}

export function isCidr(identity: number): boolean {
  return identity >>> 24 === SCOPE.cidr
}

export function isWorld(identity: number): boolean {
  return identity === IDENTITY.world || identity === IDENTITY.worldIpv4 || identity === IDENTITY.worldIpv6 || isCidr(identity)
}

/** Below it identities are reserved, and stand for no kind. */
const FIRST_OF_A_KIND = 100
const IDENTITY_BITS = 24

/** The number of a cluster among those of a mesh, which is in the upper bits of its pods' identities. */
export interface ClusterNumber {
  readonly number: number
  /** How many the mesh may have: 255 or 511. Both, where nobody knows. */
  readonly most: readonly number[]
}

/**
 * The identity whose entries stand for another identity: aggregate_for_identity of bpf/lib/identity.h, 1.20. Several are the
 * possible ones, where nobody knows the number of the node's own cluster.
 */
export function aggregatesOf(identity: number, cluster: ClusterNumber | undefined): readonly number[] {
  if (Object.values<number>(AGGREGATE).includes(identity)) return [identity]
  if (identity < FIRST_OF_A_KIND) return [0]
  if (identity >>> IDENTITY_BITS === SCOPE.remoteNode) return [AGGREGATE.remoteNode]
  if (identity >>> IDENTITY_BITS === SCOPE.cidr) return [AGGREGATE.world]
  if (cluster === undefined) return [AGGREGATE.cluster, AGGREGATE.clusterMesh]
  const kinds = cluster.most.map((most) => {
    const localBits = IDENTITY_BITS - Math.log2(most + 1)
    return identity >>> localBits === cluster.number ? AGGREGATE.cluster : AGGREGATE.clusterMesh
  })
  return [...new Set(kinds)]
}

/** What an address is that the ipcache doesn't know. */
export function worldOf(family: Family): number {
  return family === 4 ? IDENTITY.worldIpv4 : IDENTITY.worldIpv6
}

/** Labels by identity number, of identities that stand for pods: from the CiliumIdentity objects. */
export class IdentityLabels {
  readonly #labels = new Map<number, ReadonlyMap<string, string>>()

  constructor(facts: ClusterFacts) {
    for (const { object } of facts.objects.others.get('CiliumIdentity') ?? []) {
      const id = Number(object.at('metadata', 'name').text())
      if (!Number.isInteger(id)) continue
      const labels = [...object.field('security-labels').strings()].map(
        ([key, value]) => [key.replace(/^k8s:/, ''), value] as const,
      )
      this.#labels.set(id, new Map(labels))
    }
  }

  of(identity: number): ReadonlyMap<string, string> | undefined {
    return this.#labels.get(identity)
  }
}
