// SPDX-License-Identifier: Apache-2.0

import type { NodeSnapshot } from '../../facts/snapshot.ts'
import { type Address, type Family, formatAddress } from '../../net/address.ts'
import { PrefixMap } from '../../net/lpm.ts'
import { prefixOf } from '../../net/prefix.ts'
import { POLICY_LAYOUTS } from '../maps/cilium/policies.ts'
import { findLayout } from '../maps/find.ts'
import { type Entry, readEntries } from './entries.ts'
import type { Policy } from './policy.ts'
import { precedenceOf } from './precedence.ts'

/** What a service is looked up by (struct lb4_key, lb6_key). The master entry has slot 0. */
export interface ServiceKey {
  readonly address: Address
  readonly port: number
  /** IP protocol number; 0 in the entry that stands for every port of an address. */
  readonly protocol: number
  readonly scope: 'external' | 'internal'
}

/** Cilium's maps of one node, each read and indexed when first asked for. */
export class CiliumMaps {
  readonly snapshot: NodeSnapshot
  readonly #services = new Map<Family, ReadonlyMap<string, Entry>>()
  readonly #backends = new Map<Family, ReadonlyMap<number, Entry>>()
  readonly #sourceRanges = new Map<Family, ReadonlyMap<number, PrefixMap<Entry>>>()
  readonly #policies = new Map<number, readonly Policy[]>()
  #identities: PrefixMap<Entry> | undefined
  #endpoints: ReadonlyMap<string, Entry> | undefined
  #connections: ReadonlyMap<string, readonly Entry[]> | undefined

  constructor(snapshot: NodeSnapshot) {
    this.snapshot = snapshot
  }

  /** Whether Cilium has a datapath on this node at all. */
  static on(snapshot: NodeSnapshot): boolean {
    const { maps } = snapshot
    return maps.named('cilium_lxc') !== undefined && IPCACHES.some((name) => maps.named(name) !== undefined)
  }

  service({ address, port, protocol, scope }: ServiceKey, slot: number): Entry | undefined {
    const { family } = address
    let index = this.#services.get(family)
    if (index === undefined) {
      index = new Map(
        this.#read(`cilium_lb${family}_services_v2`).map((entry) => [
          serviceKey(
            entry.keyAddress('address'),
            entry.key('port'),
            entry.key('protocol'),
            entry.key('scope'),
            entry.key('slot'),
          ),
          entry,
        ]),
      )
      this.#services.set(family, index)
    }
    return index.get(serviceKey(address, port, protocol, scope === 'internal' ? 1 : 0, slot))
  }

  backend(family: Family, id: number): Entry | undefined {
    let index = this.#backends.get(family)
    if (index === undefined) {
      index = new Map(this.#read(`cilium_lb${family}_backends_v3`).map((entry) => [entry.key('id'), entry]))
      this.#backends.set(family, index)
    }
    return index.get(id)
  }

  /** The source range of a service that contains the client. */
  sourceRange(client: Address, revNat: number): Entry | undefined {
    const { family } = client
    let index = this.#sourceRanges.get(family)
    if (index === undefined) {
      const ranges = new Map<number, PrefixMap<Entry>>()
      for (const entry of this.#read(`cilium_lb${family}_source_range`)) {
        const own = ranges.get(entry.key('revNat')) ?? new PrefixMap<Entry>()
        // The index stands before the address and always counts.
        own.set(prefixOf(entry.keyAddress('source'), entry.key('prefixLength') - 32), entry)
        ranges.set(entry.key('revNat'), own)
      }
      index = ranges
      this.#sourceRanges.set(family, index)
    }
    return index.get(revNat)?.longest(client)
  }

  /** The ipcache's longest prefix that contains the address: its identity, and the node it is behind. */
  identity(address: Address): Entry | undefined {
    if (this.#identities === undefined) {
      this.#identities = new PrefixMap()
      for (const entry of IPCACHES.flatMap((name) => this.#read(name))) {
        // Addresses of other clusters have a number of their own.
        if (entry.key('cluster') === 0)
          this.#identities.set(prefixOf(entry.keyAddress('address'), entry.key('prefixLength') - 32), entry)
      }
    }
    return this.#identities.longest(address)
  }

  /** Whether some namespace reaches locally redirected services unredirected. */
  hasRedirectExceptions(family: Family): boolean {
    return this.#read(`cilium_skip_lb${family}`).length > 0
  }

  /** A pod or the node itself, if the address is here. */
  endpoint(address: Address): Entry | undefined {
    this.#endpoints ??= new Map(this.#read('cilium_lxc').map((entry) => [formatAddress(entry.keyAddress('address')), entry]))
    return this.#endpoints.get(formatAddress(address))
  }

  /**
   * Policies of an endpoint, each as its release decides by them. None: the snapshot doesn't have them, or not all of them can be
   * read. Several: maps of more than one release are there, as after an upgrade.
   */
  policies(endpoint: number): readonly Policy[] {
    let known = this.#policies.get(endpoint)
    if (known === undefined) {
      const maps = policyMaps(endpoint).filter((map) => this.snapshot.maps.named(map) !== undefined)
      const read = maps.flatMap((map) => this.#policy(map) ?? [])
      // One that can't be read may be the one that counts.
      known = read.length === maps.length ? read : []
      this.#policies.set(endpoint, known)
    }
    return known
  }

  #policy(map: string): Policy | undefined {
    const entries = readEntries(this.snapshot, map)
    const dump = this.snapshot.maps.named(map)
    const layout = dump === undefined ? undefined : findLayout(dump)
    const precedence = layout === undefined ? undefined : precedenceOf(layout.versions)
    return entries === undefined || precedence === undefined ? undefined : { map, entries, precedence }
  }

  /** Known connections from one address to another's port, service entries left out. */
  connections(source: Address, destination: Address, protocol: number, port: number): readonly Entry[] {
    this.#connections ??= this.#readConnections()
    return this.#connections.get(connectionKey(source, destination, protocol, port)) ?? []
  }

  #readConnections(): ReadonlyMap<string, readonly Entry[]> {
    const found = new Map<string, Entry[]>()
    for (const entry of CONNECTIONS.flatMap((name) => this.#read(name))) {
      const direction = entry.key('flags')
      // Addresses lie crossed against ports (cilium#5848).
      if (direction > TUPLE_IN) continue
      const key = connectionKey(entry.keyAddress('daddr'), entry.keyAddress('saddr'), entry.key('protocol'), entry.key('dport'))
      const list = found.get(key)
      if (list === undefined) found.set(key, [entry])
      else list.push(entry)
    }
    return found
  }

  #read(name: string): readonly Entry[] {
    return readEntries(this.snapshot, name) ?? []
  }
}

const IPCACHES = ['cilium_ipcache_v2', 'cilium_ipcache'] as const
const CONNECTIONS = ['cilium_ct4_global', 'cilium_ct_any4_global', 'cilium_ct6_global', 'cilium_ct_any6_global'] as const
const TUPLE_IN = 1
const POLICY_MAPS = [...new Set(POLICY_LAYOUTS.filter(({ of }) => of === 'endpoint').map(({ name }) => name))]

/** Names the policy map of an endpoint has, each in some release. */
export function policyMaps(endpoint: number): readonly string[] {
  return POLICY_MAPS.map((name) => `${name}${String(endpoint).padStart(5, '0')}`)
}

function serviceKey(address: Address, port: number, protocol: number, scope: number, slot: number): string {
  return `${address.value}|${port}|${protocol}|${scope}|${slot}`
}

function connectionKey(source: Address, destination: Address, protocol: number, port: number): string {
  return `${formatAddress(source)}|${formatAddress(destination)}|${protocol}|${port}`
}
