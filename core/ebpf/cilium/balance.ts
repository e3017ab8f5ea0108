// SPDX-License-Identifier: Apache-2.0

import type { Protocol } from '../../facts/objects.ts'
import type { Address, Family } from '../../net/address.ts'
import { formatAddress, formatEndpoint } from '../../net/address.ts'
import { isLoopbackAddress } from '../../routing/source.ts'
import type { BalanceQuery } from '../datapath.ts'
import type { Configuration } from './configuration.ts'
import type { Entry } from './entries.ts'
import { IDENTITY, isRemoteNode } from './identity.ts'
import type { CiliumMaps, ServiceKey } from './maps.ts'

/** SVC_FLAG_* of bpf/lib/lb.h, `flags2` in the high byte. */
export const FLAG = {
  externalIp: 1 << 0,
  nodePort: 1 << 1,
  externalLocal: 1 << 2,
  hostPort: 1 << 3,
  affinity: 1 << 4,
  loadBalancer: 1 << 5,
  routable: 1 << 6,
  sourceRange: 1 << 7,
  localRedirect: 1 << 8,
  nat46x64: 1 << 9,
  l7: 1 << 10,
  loopback: 1 << 11,
  internalLocal: 1 << 12,
  twoScopes: 1 << 13,
  sourceRangeDeny: 1 << 14,
  dsr: 1 << 15,
} as const

export const PROTOCOLS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 }

/** What the programs decide about a connection or packet. */
export type ServiceDecision =
  | {
      readonly kind: 'balanced'
      readonly master: Entry
      readonly backends: readonly { readonly slot: Entry; readonly backend: Entry | undefined }[]
      readonly dsr: boolean
      readonly notes: readonly string[]
    }
  | { readonly kind: 'refused'; readonly master: Entry; readonly failure: 'reject' | 'drop'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly master: Entry; readonly what: string; readonly missing: string }

type Found = { readonly master: Entry; readonly key: ServiceKey }

/** Service lookups as bpf/bpf_sock.c and bpf/lib/nodeport.h of Cilium 1.19 do them. */
export class ServiceLookup {
  readonly #maps: CiliumMaps
  readonly #config: Configuration

  constructor(maps: CiliumMaps, config: Configuration) {
    this.#maps = maps
    this.#config = config
  }

  /** Undefined: no service, or one that is left alone here; the packet goes on as it is. */
  decide(query: BalanceQuery): ServiceDecision | undefined {
    return query.where === 'packet' ? this.#fromNetwork(query) : this.#fromSender(query)
  }

  /** Whether senders are balanced when they connect, and not packet by packet. */
  atConnect({ inHostNetns, protocol }: BalanceQuery): boolean {
    const { socketLoadBalancing } = this.#config
    return protocol !== 'SCTP' && (socketLoadBalancing === 'all' || (socketLoadBalancing === 'host' && inHostNetns))
  }

  /** __sock4_xlate_fwd, and __per_packet_lb_svc_xlate_4 where sockets are not balanced. */
  #fromSender(query: BalanceQuery): ServiceDecision | undefined {
    const atConnect = this.atConnect(query)
    if (!atConnect && query.inHostNetns) return undefined
    const key: ServiceKey = { ...addressed(query), scope: 'external' }
    const found = this.#lookup(key, true) ?? (atConnect ? this.#surrogate(query, key) : undefined)
    if (found === undefined) return undefined
    const { master } = found
    const flags = master.value('flags')
    if ((flags & FLAG.l7) !== 0) return balancedByProxy(master)
    if (master.value('count') === 0) {
      const reason = atConnect ? 'no backends: connect fails with EHOSTUNREACH' : 'no backends'
      return { kind: 'refused', master, failure: 'reject', reason }
    }
    if (atConnect && this.#leftToTheNetwork(flags, query.address)) return undefined
    const exceptions = (flags & FLAG.localRedirect) !== 0 && this.#maps.hasRedirectExceptions(query.address.family)
    return exceptions ? redirectedLocally(master) : this.#choose(found, query)
  }

  /** sock4_skip_xlate: services must not take over addresses that are not the node's. */
  #leftToTheNetwork(flags: number, address: Address): boolean {
    if ((flags & FLAG.nat46x64) !== 0) return true
    const guarded = (flags & FLAG.externalIp) !== 0 || ((flags & FLAG.hostPort) !== 0 && !isLoopbackAddress(address))
    return guarded && this.#maps.identity(address)?.value('identity') !== IDENTITY.host
  }

  /** sock4_wildcard_lookup_full: node ports and host ports of every address of a node are under address 0. */
  #surrogate(query: BalanceQuery, key: ServiceKey): Found | undefined {
    const { lowest, highest } = this.#config.nodePorts
    const inRange = key.port >= lowest && key.port <= highest
    const loopback = isLoopbackAddress(key.address)
    const identity = this.#maps.identity(key.address)?.value('identity')
    const here = (loopback && query.inHostNetns) || identity === IDENTITY.host
    // Host ports are those of their own node only.
    if (!here && !(inRange && identity !== undefined && isRemoteNode(identity))) return undefined
    const found = this.#lookup({ ...key, address: nowhere(key.address.family) }, true)
    const flags = found?.master.value('flags') ?? 0
    if (inRange) return (flags & FLAG.nodePort) !== 0 ? found : undefined
    return (flags & FLAG.hostPort) !== 0 && ((flags & FLAG.loopback) === 0 || loopback) ? found : undefined
  }

  /** nodeport_lb4 and nodeport_svc_lb4: a packet that came in from the network. */
  #fromNetwork(query: BalanceQuery): ServiceDecision | undefined {
    const key: ServiceKey = { ...addressed(query), scope: 'external' }
    const found = this.#lookup(key, false)
    if (found === undefined) {
      const every = this.#maps.service({ ...key, port: 0, protocol: 0 }, 0)
      const reason = `${formatAddress(key.address)} is a service's, and has no port ${key.port}/${query.protocol}`
      return every === undefined ? undefined : { kind: 'refused', master: every, failure: 'drop', reason }
    }
    return this.#admit(found, query) ?? this.#choose(found, query)
  }

  /** Why a packet from the network gets no backend. */
  #admit({ master }: Found, { client }: BalanceQuery): ServiceDecision | undefined {
    const flags = master.value('flags')
    const refused = (failure: 'reject' | 'drop', reason: string) => ({ kind: 'refused', master, failure, reason }) as const
    if (client !== undefined && !this.#inSourceRange(master, flags, client)) {
      const which = (flags & FLAG.sourceRangeDeny) !== 0 ? 'is in a denied source range' : 'is in none of the source ranges'
      return refused('drop', `${formatAddress(client)} ${which} (cilium_lb${client.family}_source_range)`)
    }
    if ((flags & FLAG.routable) === 0) return refused('drop', 'the address is for the inside of the cluster only')
    if ((flags & FLAG.l7) !== 0) return balancedByProxy(master)
    if ((flags & FLAG.nat46x64) !== 0) return unknown(master, 'which backend of the other address family it gets', 'NAT46/64')
    if (master.value('count') > 0) return undefined
    const local = (flags & FLAG.externalLocal) !== 0 ? ' on this node, and it answers with local ones only' : ''
    return refused('reject', `no backends${local}`)
  }

  #inSourceRange(master: Entry, flags: number, client: Address): boolean {
    if ((flags & FLAG.sourceRange) === 0) return true
    const listed = this.#maps.sourceRange(client, master.value('revNat')) !== undefined
    return listed !== ((flags & FLAG.sourceRangeDeny) !== 0)
  }

  /** lb4_lookup_service. Traffic within the cluster has its own set of backends where both policies are not alike. */
  #lookup(key: ServiceKey, eastWest: boolean): Found | undefined {
    const external = this.#maps.service(key, 0)
    if (external === undefined) return undefined
    if (!eastWest || (external.value('flags') & FLAG.twoScopes) === 0) return { master: external, key }
    const inner: ServiceKey = { ...key, scope: 'internal' }
    const internal = this.#maps.service(inner, 0)
    return internal === undefined ? undefined : { master: internal, key: inner }
  }

  #choose({ master, key }: Found, query: BalanceQuery): ServiceDecision {
    const flags = master.value('flags')
    const backends: { readonly slot: Entry; readonly backend: Entry | undefined }[] = []
    // Slots beyond the count hold quarantined and terminating backends.
    for (let slot = 1; slot <= master.value('count'); slot++) {
      const entry = this.#maps.service(key, slot)
      if (entry !== undefined)
        backends.push({ slot: entry, backend: this.#maps.backend(key.address.family, entry.value('backend')) })
    }
    const dsr = query.where === 'packet' && ((flags & FLAG.dsr) !== 0 || this.#config.forwarding === 'dsr')
    return { kind: 'balanced', master, backends, dsr, notes: this.#notes(master, flags, key) }
  }

  #notes(master: Entry, flags: number, { scope }: ServiceKey): readonly string[] {
    const timeout = master.value('backend') & 0xffffff
    const quarantined = master.value('quarantined')
    const local = (flags & (scope === 'internal' ? FLAG.internalLocal : FLAG.externalLocal)) !== 0
    const maglev = this.#config.maglev || master.value('backend') >>> 24 === MAGLEV
    return [
      ...(local ? [`${scope} traffic policy Local: backends of this node only`] : []),
      ...((flags & FLAG.affinity) !== 0 ? [`a client keeps its backend for ${timeout} s (session affinity)`] : []),
      ...(quarantined > 0 ? [`${quarantined} in quarantine`] : []),
      ...(maglev ? ['Maglev: the same connection always meets the same one'] : []),
    ]
  }
}

const MAGLEV = 2

function addressed({ address, port, protocol }: BalanceQuery): Omit<ServiceKey, 'scope'> {
  return { address, port, protocol: PROTOCOLS[protocol] }
}

function nowhere(family: Family): Address {
  return family === 4 ? { family, value: 0 } : { family, value: 0n }
}

function unknown(master: Entry, what: string, missing: string): ServiceDecision {
  return { kind: 'unknown', master, what, missing }
}

function balancedByProxy(master: Entry): ServiceDecision {
  return unknown(master, 'which backend the L7 proxy chooses', "the configuration of Cilium's Envoy")
}

function redirectedLocally(master: Entry): ServiceDecision {
  const missing = 'the network namespaces that the entries of cilium_skip_lb4 and cilium_skip_lb6 are about'
  return unknown(master, 'whether the local redirect policy makes an exception for this sender', missing)
}

/** "10.96.0.20:80/TCP" */
export function frontendText(address: Address, port: number, protocol: Protocol): string {
  return `${formatEndpoint(address, port)}/${protocol}`
}
