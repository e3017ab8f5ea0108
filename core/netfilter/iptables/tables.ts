// SPDX-License-Identifier: Apache-2.0

import type { BaseChain } from '../ruleset.ts'
import type { HookName } from '../traversal.ts'

/** Where iptables' built-in chains sit (include/uapi/linux/netfilter_ipv4.h, enum nf_ip_hook_priorities). */

const HOOKS: ReadonlyMap<string, HookName> = new Map<string, HookName>([
  ['PREROUTING', 'prerouting'],
  ['INPUT', 'input'],
  ['FORWARD', 'forward'],
  ['OUTPUT', 'output'],
  ['POSTROUTING', 'postrouting'],
])

const TABLES: ReadonlyMap<string, { readonly priority: number; readonly chains: readonly string[] }> = new Map([
  ['raw', { priority: -300, chains: ['PREROUTING', 'OUTPUT'] }],
  ['mangle', { priority: -150, chains: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'] }],
  ['nat', { priority: -100, chains: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'] }],
  ['filter', { priority: 0, chains: ['INPUT', 'FORWARD', 'OUTPUT'] }],
  ['security', { priority: 50, chains: ['INPUT', 'FORWARD', 'OUTPUT'] }],
])

export function isTable(name: string): boolean {
  return TABLES.has(name)
}

/** A built-in chain's place; undefined for chains users made. Source NAT comes after everything else: priority 100. */
export function builtinChain(table: string, chain: string, policy: 'accept' | 'drop'): BaseChain | undefined {
  const known = TABLES.get(table)
  const hook = HOOKS.get(chain)
  if (!known || !hook || !known.chains.includes(chain)) return undefined
  const sourceNat = table === 'nat' && (hook === 'input' || hook === 'postrouting')
  return {
    type: table === 'nat' ? 'nat' : table === 'mangle' && hook === 'output' ? 'route' : 'filter',
    hook,
    priority: sourceNat ? 100 : known.priority,
    devices: [],
    policy,
  }
}

/** Table whose built-in chains these are: `iptables -S` prints chains without naming their table. */
export function tableOfChains(builtins: ReadonlySet<string>): string {
  for (const name of ['filter', 'nat', 'mangle', 'raw']) {
    const chains = TABLES.get(name)?.chains ?? []
    if (chains.length === builtins.size && chains.every((chain) => builtins.has(chain))) return name
  }
  return builtins.has('PREROUTING') || builtins.has('POSTROUTING') ? (builtins.has('FORWARD') ? 'mangle' : 'nat') : 'filter'
}
