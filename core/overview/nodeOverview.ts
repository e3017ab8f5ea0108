// SPDX-License-Identifier: Apache-2.0

/** What a tree says about a node at a glance, from its snapshot. */

import type { FactFiles } from '../facts/files.ts'
import type { BpfProgramFact } from '../facts/node.ts'
import type { NodeSnapshot } from '../facts/snapshot.ts'
import { parseJson } from '../facts/text.ts'
import { ciliumUnattended } from './ciliumAgent.ts'
import { countNftRules, countSavedRules, type RuleCount } from './ruleCount.ts'

export type ProxyKind = 'iptables' | 'nftables' | 'ipvs' | 'cilium' | 'none'

export interface NodeOverview {
  readonly kernelRelease: string
  /** Everybody who programs services here; two of them at once is the picture of a migration. */
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

export function nodeOverview(files: FactFiles, snapshot: NodeSnapshot): NodeOverview {
  const host = snapshot.host
  const rules = [
    ...SAVE_FILES.flatMap((file) => countSavedRules(host?.text(file) ?? '', `${host?.folder}/${file}`)),
    ...countNftRules(host?.text('nft.txt') ?? '', `${host?.folder}/nft.txt`),
  ]
  const programs = readList<BpfProgramFact>(files, `${snapshot.folder}/bpf/programs.json`)
  const conntrack = host?.conntrack
  return {
    kernelRelease: snapshot.kernelRelease,
    proxies: proxiesOf(rules, programs),
    ciliumUnattended: ciliumUnattended(snapshot),
    rules,
    conntrack: conntrack && { count: conntrack.count, max: conntrack.max },
    capturedAt: snapshot.capturedAt,
    problems: snapshot.problems,
  }
}

function proxiesOf(rules: readonly RuleCount[], programs: readonly BpfProgramFact[]): ProxyKind[] {
  const kubeProxy = rules.filter((rule) => rule.owner === 'kube-proxy')
  const kinds: ProxyKind[] = []
  // The kubelet and a stopped kube-proxy leave a few chains behind; a working one has a rule for each service.
  if (kubeProxy.some((rule) => !rule.file.endsWith('nft.txt') && rule.count > 8)) kinds.push('iptables')
  if (kubeProxy.some((rule) => rule.file.endsWith('nft.txt'))) kinds.push('nftables')
  if (programs.some(({ name }) => name.startsWith('cil_'))) kinds.push('cilium')
  return kinds.length === 0 ? ['none'] : kinds
}

function readList<T>(files: FactFiles, path: string): readonly T[] {
  const bytes = files.read(path)
  if (bytes === undefined) return []
  try {
    const value = parseJson(bytes, path)
    return Array.isArray(value) ? (value as readonly T[]) : []
  } catch {
    return [] // The snapshot lists the broken file among its problems.
  }
}
