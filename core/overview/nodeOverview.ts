// SPDX-License-Identifier: Apache-2.0

/** What a tree says about a node at a glance, from its snapshot. */

import type { NodeSnapshot } from '../facts/snapshot.ts'
import { ciliumUnattended, hasCilium } from './ciliumAgent.ts'
import { countNftRules, countSavedRules, type RuleCount } from './ruleCount.ts'

export type ProxyKind = 'iptables' | 'nftables' | 'cilium'

export interface NodeOverview {
  readonly kernelRelease: string
  /** Everybody who programs services here; none, or two at once, which is the picture of a migration. */
  readonly proxies: readonly ProxyKind[]
  /** Cilium's programs are there, but its agent is not: its datapath goes on with maps that nobody updates. */
  readonly ciliumUnattended: boolean
  readonly rules: readonly RuleCount[]
  readonly conntrack: { readonly count: number; readonly max: number } | undefined
  readonly capturedAt: string | undefined
  readonly problems: readonly { readonly file: string; readonly reason: string }[]
}

const SAVE_FILES = [
  'iptables-legacy-save.4.txt',
  'iptables-legacy-save.6.txt',
  'iptables-nft-save.4.txt',
  'iptables-nft-save.6.txt',
]

const known = new WeakMap<NodeSnapshot, NodeOverview>()

/** Counts the rules of a snapshot the first time it is asked about. */
export function nodeOverview(snapshot: NodeSnapshot): NodeOverview {
  const overview = known.get(snapshot) ?? lookOver(snapshot)
  known.set(snapshot, overview)
  return overview
}

function lookOver(snapshot: NodeSnapshot): NodeOverview {
  const host = snapshot.host
  const rules = [
    ...SAVE_FILES.flatMap((file) => countSavedRules(host?.text(file) ?? '', `${host?.folder}/${file}`)),
    ...countNftRules(host?.text('nft.txt') ?? '', `${host?.folder}/nft.txt`),
  ]
  const conntrack = host?.conntrack
  return {
    kernelRelease: snapshot.kernelRelease,
    proxies: proxiesOf(rules, hasCilium(snapshot)),
    ciliumUnattended: ciliumUnattended(snapshot),
    rules,
    conntrack: conntrack && { count: conntrack.count, max: conntrack.max },
    capturedAt: snapshot.capturedAt,
    problems: snapshot.problems,
  }
}

function proxiesOf(rules: readonly RuleCount[], cilium: boolean): ProxyKind[] {
  const kubeProxy = rules.filter((rule) => rule.owner === 'kube-proxy')
  const kinds: ProxyKind[] = []
  // The kubelet and a stopped kube-proxy leave a few chains behind; a working one has a rule for each service.
  if (kubeProxy.some((rule) => !rule.file.endsWith('nft.txt') && rule.count > 8)) kinds.push('iptables')
  if (kubeProxy.some((rule) => rule.file.endsWith('nft.txt'))) kinds.push('nftables')
  if (cilium) kinds.push('cilium')
  return kinds
}

/** What people call it. */
export function proxyName(kind: ProxyKind): string {
  return kind === 'cilium' ? 'Cilium' : `kube-proxy ${kind}`
}
