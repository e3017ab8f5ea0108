// SPDX-License-Identifier: Apache-2.0

import type { Address, Family } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type { ConntrackFile, LinkFact } from './node.ts'

/** One network namespace of a node, in typed and indexed form. Shapes follow core/facts/node.ts, with addresses by value. */
export interface Netns {
  readonly node: string
  /** Folder name under netns/: "host", or the inode number. */
  readonly id: string
  /** As steps name it: "host", "pod:namespace/name", or the inode of a namespace no pod is known for. */
  readonly label: string
  /** Path of the namespace's folder in the bundle, for evidence. */
  readonly folder: string
  readonly pods: readonly { readonly namespace: string; readonly name: string }[]
  readonly devices: Devices
  readonly addresses: readonly DeviceAddress[]
  readonly routes: readonly Route[]
  /** By priority, as the kernel walks them. */
  readonly rules: readonly RoutingRule[]
  readonly neighbours: readonly Neighbour[]
  readonly conntrack: ConntrackFile | undefined
  /** Release of the node's kernel, where its behaviour depends on it. */
  readonly kernelRelease: string
  /** "net.ipv4.ip_forward" and the like; undefined when it was not collected. */
  sysctl(key: string): string | undefined
  /** Text of one of its files, undefined when absent. */
  text(file: string): string | undefined
}

/** Where a fact stands in its file. */
export interface FactPlace {
  readonly file: string
  readonly pointer: string
}

export interface Device extends LinkFact {
  readonly place: FactPlace
}

export interface DeviceAddress {
  readonly place: FactPlace
  readonly ifindex: number
  readonly family: Family
  readonly address: Address
  /** The peer's network on point-to-point devices, else its own. */
  readonly network: Prefix
  readonly scope: number
  readonly flags: ReadonlySet<string>
}

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'

export interface Route {
  readonly place: FactPlace
  readonly family: Family
  readonly table: number
  readonly dst: Prefix
  readonly src: Prefix | undefined
  readonly type: RouteType
  readonly scope: number
  readonly protocol: string
  readonly metric: number
  readonly tos: number
  readonly prefsrc: Address | undefined
  readonly mtu: number | undefined
  readonly nexthops: readonly Nexthop[]
}

export interface Nexthop {
  readonly ifindex: number | undefined
  readonly via: Address | undefined
  readonly weight: number
  readonly flags: ReadonlySet<string>
}

export type RuleAction = 'lookup' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit'

export interface RoutingRule {
  readonly place: FactPlace
  readonly family: Family
  readonly priority: number
  readonly not: boolean
  readonly src: Prefix | undefined
  readonly dst: Prefix | undefined
  readonly iif: string | undefined
  readonly oif: string | undefined
  readonly fwmark: number | undefined
  readonly fwmask: number
  readonly tos: number
  readonly ipProtocol: number | undefined
  readonly sportRange: readonly [number, number] | undefined
  readonly dportRange: readonly [number, number] | undefined
  readonly uidRange: readonly [number, number] | undefined
  readonly suppressPrefixLength: number | undefined
  readonly l3mdev: boolean
  readonly action: RuleAction
  readonly table: number | undefined
  readonly gotoPriority: number | undefined
}

export interface Neighbour {
  readonly place: FactPlace
  readonly ifindex: number
  readonly address: Address
  readonly lladdr: string | undefined
  readonly state: string
}

/** include/uapi/linux/rtnetlink.h rt_scope_t: the greater, the closer. */
export const SCOPE = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const

/** Devices of a namespace, by index and by any of their names. */
export class Devices implements Iterable<Device> {
  readonly #byIndex = new Map<number, Device>()
  readonly #byName = new Map<string, Device>()

  constructor(devices: Iterable<Device>) {
    for (const device of devices) {
      this.#byIndex.set(device.ifindex, device)
      this.#byName.set(device.ifname, device)
    }
    for (const device of this.#byIndex.values()) {
      for (const name of device.altnames ?? []) if (!this.#byName.has(name)) this.#byName.set(name, device)
    }
  }

  [Symbol.iterator](): Iterator<Device> {
    return this.#byIndex.values()
  }

  at(ifindex: number | undefined): Device | undefined {
    return ifindex === undefined ? undefined : this.#byIndex.get(ifindex)
  }

  named(name: string | undefined): Device | undefined {
    return name === undefined ? undefined : this.#byName.get(name)
  }

  /** The device's name, or "if7" for one that is not among the facts. */
  nameOf(ifindex: number | undefined): string | undefined {
    return ifindex === undefined ? undefined : (this.#byIndex.get(ifindex)?.ifname ?? `if${ifindex}`)
  }
}

export function isUp(device: Device): boolean {
  return device.flags.includes('up')
}

export function isLoopback(device: Device | undefined): boolean {
  return device?.flags.includes('loopback') ?? false
}
