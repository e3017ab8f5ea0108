// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../facts/cluster.ts'
import { isLoopback, type Netns } from '../facts/netns.ts'
import { type Address, formatAddress } from '../net/address.ts'
import type { Flight } from '../net/packet.ts'
import type { HookBranch, HookLayer, HookName } from '../netfilter/traversal.ts'
import { addressFlow, routeOutput } from '../routing/output.ts'
import { isLinkLocal6, isLoopbackAddress } from '../routing/source.ts'

/** Rules of one namespace, ready to be asked. */
export interface Hooks {
  traverse(layer: HookLayer, hook: HookName, flight: Flight, device?: string): readonly HookBranch[]
}

/** Which rules are met where: the real ones, or none at all for a walk that asks only about the wires. */
export type HooksOf = (netns: Netns) => Hooks

/** The network as a whole: who owns which address, and whose rules are met. */
export class World {
  readonly facts: ClusterFacts
  readonly hooksOf: HooksOf
  readonly #owners = new Map<string, Netns>()
  readonly #hooks = new Map<Netns, Hooks>()

  constructor(facts: ClusterFacts, hooksOf: HooksOf) {
    this.facts = facts
    this.hooksOf = hooksOf
    for (const node of facts.nodes.values()) {
      for (const netns of node.netns.values()) this.#own(netns)
    }
  }

  hooks(netns: Netns): Hooks {
    const existing = this.#hooks.get(netns)
    if (existing) return existing
    const hooks = this.hooksOf(netns)
    this.#hooks.set(netns, hooks)
    return hooks
  }

  /** The namespace that has this address, among all snapshots. */
  ownerOf(address: Address): Netns | undefined {
    return this.#owners.get(formatAddress(address))
  }

  netnsAt(node: string, id: string | undefined): Netns | undefined {
    return id === undefined ? undefined : this.facts.nodes.get(node)?.netns.get(id)
  }

  hostOf(node: string): Netns | undefined {
    return this.facts.nodes.get(node)?.host
  }

  /** The device of a node's host namespace that other nodes reach it by. */
  uplinkOf(netns: Netns): string | undefined {
    const node = this.facts.objects.nodes.get(netns.node)
    for (const address of node?.internalIPs ?? []) {
      const own = netns.addresses.find((entry) => formatAddress(entry.address) === formatAddress(address))
      if (own !== undefined) return netns.devices.nameOf(own.ifindex)
    }
    const route = netns.routes.find((entry) => entry.dst.bits === 0 && entry.type === 'unicast')
    return netns.devices.nameOf(route?.nexthops[0]?.ifindex)
  }

  /** The device a namespace sends to this address by. */
  deviceTowards(netns: Netns, address: Address): string | undefined {
    const [decision] = routeOutput(netns, addressFlow(address))
    return decision?.kind === 'routed' && decision.type === 'unicast' ? decision.oif : undefined
  }

  #own(netns: Netns): void {
    for (const { address, ifindex } of netns.addresses) {
      const everywhere = isLoopbackAddress(address) || isLinkLocal6(address) || isLoopback(netns.devices.at(ifindex))
      const key = formatAddress(address)
      // Anycast-like addresses (node-local DNS) belong to whoever asks, not to the first who has them.
      if (!everywhere && !this.#owners.has(key)) this.#owners.set(key, netns)
    }
  }
}
