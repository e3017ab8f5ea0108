// SPDX-License-Identifier: Apache-2.0

import type { Family } from '../net/address.ts'
import type { Flight } from '../net/packet.ts'
import { startBranch } from './evaluation/branch.ts'
import { Budget, Caches } from './evaluation/context.ts'
import { type Ended, type PlacedChain, runHook, stagesOf } from './evaluation/hook-walk.ts'
import { toArray } from './evaluation/trail.ts'
import type { IpSet } from './ipset/set.ts'
import type { Ruleset, Table, TableFamily } from './ruleset.ts'
import type { HookBranch, HookEnvironment, HookLayer, HookName } from './traversal.ts'

export interface NetfilterOptions {
  /** False looks at every rule instead of asking indexes; answers are the same. For tests and measurements. */
  readonly indexed?: boolean
  /** False keeps every way apart even where it ends like another: which rules were passed is then exact for each. */
  readonly merging?: boolean
  /** Most ways through one hook; beyond it, further choices are listed as unknown. */
  readonly maxBranches?: number
}

const MAX_BRANCHES = 4096

/**
 * What a network namespace's rules do to a packet. Built once from its rules and ipsets; indexes are made when first needed.
 *
 * `traverse` walks one hook in the kernel's order: base chains by priority, connection tracking at -200 (prerouting, output),
 * translation at -100 and 100, confirmation last. It returns every way through: a random choice gives branches with
 * probabilities, an undecidable match gives both sides with probability null and an entry in `unknowns`. Probabilities of
 * decided branches sum to 1. Branches that end alike are one.
 */
export class Netfilter {
  readonly #tables: readonly Table[]
  readonly #ipsets: ReadonlyMap<string, IpSet>
  readonly #environment: HookEnvironment
  readonly #caches: Caches
  readonly #merging: boolean
  readonly #maxBranches: number
  readonly #natFamilies = new Map<Family, boolean>()
  readonly #places = new Map<string, readonly PlacedChain[]>()

  constructor(
    ruleset: Pick<Ruleset, 'tables'>,
    ipsets: ReadonlyMap<string, IpSet>,
    environment: HookEnvironment,
    options: NetfilterOptions = {},
  ) {
    this.#tables = ruleset.tables.filter((table) => !table.dormant)
    this.#ipsets = ipsets
    this.#environment = environment
    this.#caches = new Caches(options.indexed ?? true)
    this.#merging = options.merging ?? true
    this.#maxBranches = options.maxBranches ?? MAX_BRANCHES
  }

  /** Whether anything is registered on this hook at all. */
  hasChains(layer: HookLayer, hook: HookName, flight: Flight, device?: string): boolean {
    return this.#chainsAt(layer, hook, flight, device).length > 0
  }

  /** @param device Of netdev (and inet ingress) chains: the device whose hook it is. */
  traverse(layer: HookLayer, hook: HookName, flight: Flight, device?: string): HookBranch[] {
    // Where no rules are, nobody asked the kernel to track connections.
    if (this.#tables.length === 0) return [accepted(flight)]
    const stages = stagesOf(layer, hook, this.#chainsAt(layer, hook, flight, device), this.#hasNat(flight))
    const context = {
      layer,
      hook,
      environment: this.#environment,
      ipsets: this.#ipsets,
      caches: this.#caches,
      merging: this.#merging,
      budget: new Budget(this.#maxBranches),
    }
    return runHook(startBranch(flight), stages, context).map(toHookBranch)
  }

  #chainsAt(layer: HookLayer, hook: HookName, flight: Flight, device: string | undefined): readonly PlacedChain[] {
    const { family } = flight.packet
    const key = `${layer} ${hook} ${family} ${device ?? ''}`
    let chains = this.#places.get(key)
    if (!chains) {
      chains = this.#findChains(layer, hook, family, device)
      this.#places.set(key, chains)
    }
    return chains
  }

  #findChains(layer: HookLayer, hook: HookName, family: 4 | 6, device: string | undefined): PlacedChain[] {
    const families = familiesOf(layer, family, hook)
    const legacy: PlacedChain[] = []
    const nft: PlacedChain[] = []
    for (const table of this.#tables) {
      if (!families.includes(table.family)) continue
      for (const chain of table.chains.values()) {
        const { base } = chain
        if (!base || base.hook !== hook) continue
        if (layer === 'netdev' && (device === undefined || !base.devices.includes(device))) continue
        const list = table.backend === 'legacy' ? legacy : nft
        list.push({ table, chain, base })
      }
    }
    return [...nft.reverse(), ...legacy]
  }

  /** One nat chain is enough for the nat hooks of its family to be registered everywhere. */
  #hasNat({ packet: { family } }: Flight): boolean {
    let known = this.#natFamilies.get(family)
    if (known === undefined) {
      const families = familiesOf('ip', family, 'prerouting')
      known = this.#tables.some((table) => families.includes(table.family) && hasNatChain(table))
      this.#natFamilies.set(family, known)
    }
    return known
  }
}

function hasNatChain(table: Table): boolean {
  for (const chain of table.chains.values()) if (chain.base?.type === 'nat') return true
  return false
}

function familiesOf(layer: HookLayer, family: 4 | 6, hook: HookName): readonly TableFamily[] {
  if (layer === 'bridge') return ['bridge']
  if (layer === 'netdev') return hook === 'ingress' ? ['netdev', 'inet'] : ['netdev']
  return ['inet', family === 4 ? 'ip' : 'ip6']
}

function accepted(flight: Flight): HookBranch {
  return toHookBranch({ branch: startBranch(flight), verdict: 'accept', detail: undefined })
}

function toHookBranch({ branch, verdict, detail }: Ended): HookBranch {
  return {
    probability: branch.forks.length === 0 ? branch.probability : null,
    verdict,
    detail,
    flight: branch.flight,
    steps: toArray(branch.steps),
    unknowns: toArray(branch.unknowns),
    visited: toArray(branch.visited),
    tproxy: branch.tproxy,
  }
}
