// SPDX-License-Identifier: Apache-2.0

import { PROTOCOLS } from '../../ebpf/cilium/balance.ts'
import { type Entry, readEntries } from '../../ebpf/cilium/entries.ts'
import type { Protocol } from '../../facts/objects.ts'
import type { NodeSnapshot } from '../../facts/snapshot.ts'
import { type Address, type Family, formatAddress } from '../../net/address.ts'
import { formatPrefix, prefixOf } from '../../net/prefix.ts'

/** What connections are balanced by: the key of a master entry. */
export interface FrontendKey {
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
  readonly scope: 'external' | 'internal'
}

export interface ProgrammedFrontend {
  /** Slot 0. */
  readonly master: Entry
  /** Those among which connections are balanced: slots 1 to the master's count, with what each slot names. */
  readonly slots: readonly { readonly slot: number; readonly entry: Entry | undefined; readonly backend: Entry | undefined }[]
}

/** The services of one family in the maps of a node. */
export class ProgrammedServices {
  readonly family: Family
  readonly #entries = new Map<string, Entry>()
  readonly #backends: ReadonlyMap<number, Entry>
  readonly #reverse: ReadonlyMap<number, Entry>
  readonly #ranges = new Map<number, Map<string, Entry>>()
  readonly #matches: ReadonlySet<string>

  /** Undefined when the snapshot lacks the maps, or holds a part of them only. */
  static read(snapshot: NodeSnapshot, family: Family): ProgrammedServices | undefined {
    const services = wholeEntries(snapshot, `cilium_lb${family}_services_v2`)
    const backends = wholeEntries(snapshot, `cilium_lb${family}_backends_v3`)
    return services === undefined || backends === undefined
      ? undefined
      : new ProgrammedServices(snapshot, family, services, backends)
  }

  private constructor(snapshot: NodeSnapshot, family: Family, services: readonly Entry[], backends: readonly Entry[]) {
    this.family = family
    const read = (name: string) => readEntries(snapshot, name) ?? []
    for (const entry of services) this.#entries.set(keyOfEntry(entry, entry.key('slot')), entry)
    this.#backends = new Map(backends.map((entry) => [entry.key('id'), entry]))
    this.#reverse = new Map(read(`cilium_lb${family}_reverse_nat`).map((entry) => [entry.key('revNat'), entry]))
    for (const entry of read(`cilium_lb${family}_source_range`)) {
      const ranges = this.#ranges.get(entry.key('revNat')) ?? new Map<string, Entry>()
      // The reverse NAT index stands before the address and always counts.
      ranges.set(formatPrefix(prefixOf(entry.keyAddress('source'), entry.key('prefixLength') - 32)), entry)
      this.#ranges.set(entry.key('revNat'), ranges)
    }
    this.#matches = new Set(read('cilium_lb_affinity_match').map((entry) => `${entry.key('revNat')}|${entry.key('backend')}`))
  }

  /** Before 1.17 entries had no protocol: one stood for all. */
  frontend(key: FrontendKey): ProgrammedFrontend | undefined {
    const { address, port, scope } = key
    for (const protocol of [PROTOCOLS[key.protocol], 0]) {
      const own = (slot: number) => entryKey(address, port, protocol, scope === 'internal' ? 1 : 0, slot)
      const master = this.#entries.get(own(0))
      if (master !== undefined && (protocol !== 0 || port !== 0)) return { master, slots: this.#slots(master, own) }
    }
    return undefined
  }

  #slots(master: Entry, own: (slot: number) => string): ProgrammedFrontend['slots'] {
    return Array.from({ length: master.value('count') }, (_, index) => {
      const entry = this.#entries.get(own(index + 1))
      return { slot: index + 1, entry, backend: entry === undefined ? undefined : this.#backends.get(entry.value('backend')) }
    })
  }

  /** Every frontend there is, without those that stand for the other ports of an address. */
  masters(): readonly Entry[] {
    return [...this.#entries.values()].filter((entry) => entry.key('slot') === 0 && entry.key('port') !== 0)
  }

  reverseNat(index: number): Entry | undefined {
    return this.#reverse.get(index)
  }

  /** By network: "10.0.0.0/8". */
  sourceRanges(revNat: number): ReadonlyMap<string, Entry> {
    return this.#ranges.get(revNat) ?? new Map()
  }

  hasMatch(revNat: number, backend: number): boolean {
    return this.#matches.has(`${revNat}|${backend}`)
  }
}

/** A map's entries, when all of them are there: a dump that was cut can't tell what is missing. */
export function wholeEntries(snapshot: NodeSnapshot, map: string): readonly Entry[] | undefined {
  const dump = snapshot.maps.named(map)
  return dump === undefined || dump.truncated || dump.incomplete ? undefined : readEntries(snapshot, map)
}

/** A master entry's place, for comparing it with what is expected. */
export function keyOfMaster(entry: Entry): string {
  return keyOfEntry(entry, 0)
}

export function keyOfFrontend({ address, port, protocol, scope }: FrontendKey, anyProtocol: boolean): string {
  return entryKey(address, port, anyProtocol ? 0 : PROTOCOLS[protocol], scope === 'internal' ? 1 : 0, 0)
}

function keyOfEntry(entry: Entry, slot: number): string {
  return entryKey(entry.keyAddress('address'), entry.key('port'), entry.key('protocol'), entry.key('scope'), slot)
}

function entryKey(address: Address, port: number, protocol: number, scope: number, slot: number): string {
  return `${formatAddress(address)}|${port}|${protocol}|${scope}|${slot}`
}
