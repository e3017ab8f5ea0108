// SPDX-License-Identifier: Apache-2.0

import type { Evidence } from '../path/answer.ts'

/** In the order people ask: what it is, who sends to it, how one gets there, who talks to it now. */
export const FIND_GROUPS = ['objects', 'maps', 'rules', 'sets', 'routes', 'addresses', 'neighbours', 'connections'] as const

export type FindGroup = (typeof FIND_GROUPS)[number]

export const FIND_GROUP_TITLES: Readonly<Record<FindGroup, string>> = {
  objects: 'Objects',
  maps: 'eBPF maps',
  rules: 'Rules',
  sets: 'Sets',
  routes: 'Routes',
  addresses: 'Addresses',
  neighbours: 'Neighbours',
  connections: 'Connections',
}

/** One place that mentions what was asked for. */
export interface Found {
  readonly group: FindGroup
  /** Empty for objects of the cluster. */
  readonly node: string
  /** "Pod shop/web", "cilium_lb4_services_v2", "iptables-nft nat/KUBE-SERVICES", "route table main". */
  readonly place: string
  /** What stands there. */
  readonly text: string
  /** Undefined: itself. Else the length of the network, in bits, that it is within. */
  readonly within: number | undefined
  readonly evidence: Evidence
}

/** Hears what is found, as it is found. */
export type FindSink = (found: Found) => void
