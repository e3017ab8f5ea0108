// SPDX-License-Identifier: Apache-2.0

/**
 * Who put a rule there, by the names each component gives its chains and tables. Names are the only mark they leave; a rule
 * in a chain nobody is known for is `unknown`, which is the very rule a migration must look at.
 */
export type RuleOwner = 'kube-proxy' | 'kubelet' | 'cilium' | 'calico' | 'flannel' | 'cni' | 'docker' | 'plumbline' | 'unknown'

/** First match wins. Sources: each project's own chain name constants. */
const CHAINS: readonly (readonly [RegExp, RuleOwner])[] = [
  [/^KUBE-(KUBELET-CANARY|FIREWALL|MARK-DROP)$/, 'kubelet'],
  [/^KUBE-/, 'kube-proxy'],
  [/^(OLD_)?CILIUM_/, 'cilium'],
  [/^cali-|^CALICO/, 'calico'],
  [/^FLANNEL-/, 'flannel'],
  [/^CNI-/, 'cni'],
  [/^DOCKER/, 'docker'],
]

const TABLES: readonly (readonly [RegExp, RuleOwner])[] = [
  [/^kube-proxy$/, 'kube-proxy'],
  [/^cilium/, 'cilium'],
  [/^calico/, 'calico'],
  [/^flannel-/, 'flannel'],
  [/^cni_|^cni-/, 'cni'],
  [/^plumbline/, 'plumbline'],
]

/** `text` is the whole rule: a jump into an owner's chain, or a comment it writes, belongs to that owner as well. */
export function ownerOfRule(table: string, chain: string, text: string): RuleOwner {
  const target = /(?:-[jg]|jump|goto) "?([^\s"]+)/.exec(text)?.[1] ?? ''
  return find(TABLES, table) ?? find(CHAINS, chain) ?? find(CHAINS, target) ?? 'unknown'
}

function find(names: readonly (readonly [RegExp, RuleOwner])[], name: string): RuleOwner | undefined {
  return names.find(([pattern]) => pattern.test(name))?.[1]
}
