// SPDX-License-Identifier: Apache-2.0

import type { Table } from './ruleset.ts'

/** Who keeps a rule: the program that wrote it, as far as names tell. "unknown" is what eBPF datapaths most often forget. */

const CHAINS: readonly [prefix: RegExp, owner: string][] = [
  [/^KUBE-(FIREWALL|KUBELET-CANARY|MARK-DROP|IPTABLES-HINT)$/, 'kubelet'],
  [/^KUBE-ROUTER|^KUBE-(POD-FW|NWPLCY|SVC-FW)-|^KUBE-DEFAULT-NETPOL/, 'kube-router'],
  [/^KUBE-/, 'kube-proxy'],
  [/^CNI-/, 'cni-portmap'],
  [/^(OLD_)?CILIUM_/, 'cilium'],
  [/^cali-/, 'calico'],
  [/^FLANNEL-/, 'flannel'],
  [/^DOCKER/, 'docker'],
  [/^ISTIO_/, 'istio'],
  [
    /^(FWD|FWDI|FWDO|IN|PRE|POST|OUT|INPUT|FORWARD|PREROUTING|POSTROUTING|OUTPUT)_(public|ZONES|direct|home|internal|work|dmz|trusted|block|drop|external)/,
    'firewalld',
  ],
  [/^(ufw6?)-/, 'ufw'],
  [/^LIBVIRT_/, 'libvirt'],
  [/^WEAVE/, 'weave'],
  [/^ANTREA-/, 'antrea'],
  [/^AWS-(SNAT|CONNMARK)-CHAIN/, 'aws-vpc-cni'],
  [/^IP-MASQ(-AGENT)?$/, 'ip-masq-agent'],
  [/^OVN-KUBE-/, 'ovn-kubernetes'],
  [/^NETAVARK|^CNI_/, 'netavark'],
  [/^f2b-/, 'fail2ban'],
]

const TABLES: readonly [name: RegExp, owner: string][] = [
  [/^kube-proxy$/, 'kube-proxy'],
  [/^firewalld$/, 'firewalld'],
  [/^flannel-ipv[46]$/, 'flannel'],
  [/^calico/, 'calico'],
  [/^antrea/, 'antrea'],
  [/^cilium/, 'cilium'],
  [/^istio/, 'istio'],
  [/^netavark$/, 'netavark'],
  [/^docker-bridges$/, 'docker'],
  [/^ovn-kubernetes$/, 'ovn-kubernetes'],
  [/^cni_/, 'cni'],
  [/^libvirt/, 'libvirt'],
]

const COMMENTS: readonly [text: RegExp, owner: string][] = [
  [/^cali:/, 'calico'],
  [/^flanneld/, 'flannel'],
  [/^cilium/, 'cilium'],
  [/^kubernetes |^block incoming localnet connections/, 'kube-proxy'],
  [/^ip-masq-agent/, 'ip-masq-agent'],
  [/^kube-router/, 'kube-router'],
]

/** Of a rule by its table, its chain and its comment; a built-in chain's rule may belong to whom it jumps to (`jumpsTo`). */
export function ownerOf(table: Pick<Table, 'backend' | 'name'>, chain: string, comment?: string, jumpsTo?: string): string {
  const byTable = table.backend === 'nft' ? match(TABLES, table.name) : undefined
  return (
    byTable ?? match(CHAINS, chain) ?? (jumpsTo && match(CHAINS, jumpsTo)) ?? (comment && match(COMMENTS, comment)) ?? 'unknown'
  )
}

function match(patterns: readonly [RegExp, string][], text: string): string | undefined {
  return patterns.find(([pattern]) => pattern.test(text))?.[1]
}
