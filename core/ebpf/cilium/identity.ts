// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import type { Family } from '../../net/address.ts'

/** Numbers of identities that Cilium reserves (pkg/identity/numericidentity.go, bpf/lib/identity.h of 1.19). */
export const IDENTITY = { host: 1, world: 2, unmanaged: 3, remoteNode: 6, kubeApiserver: 7, worldIpv4: 9, worldIpv6: 10 } as const

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
