// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ownerOf } from './owner.ts'

it('rules are told apart by who keeps them', () => {
  const iptables = { backend: 'legacy', name: 'filter' } as const
  const owners: [chain: string, owner: string, comment?: string | undefined, jump?: string][] = [
    ['KUBE-SVC-ABCDEFGH', 'kube-proxy'],
    ['KUBE-FIREWALL', 'kubelet'],
    ['KUBE-ROUTER-FORWARD', 'kube-router'],
    ['KUBE-POD-FW-XYZ', 'kube-router'],
    ['CNI-HOSTPORT-DNAT', 'cni-portmap'],
    ['CILIUM_POST_nat', 'cilium'],
    ['OLD_CILIUM_INPUT', 'cilium'],
    ['cali-FORWARD', 'calico'],
    ['FLANNEL-POSTRTG', 'flannel'],
    ['DOCKER-USER', 'docker'],
    ['ISTIO_REDIRECT', 'istio'],
    ['IN_public_allow', 'firewalld'],
    ['ufw-before-input', 'ufw'],
    ['LIBVIRT_FWO', 'libvirt'],
    ['WEAVE-NPC', 'weave'],
    ['ANTREA-FORWARD', 'antrea'],
    ['FORWARD', 'unknown'],
    ['FORWARD', 'kube-proxy', 'kubernetes forwarding rules'],
    ['FORWARD', 'flannel', 'flanneld forward'],
    ['FORWARD', 'docker', undefined, 'DOCKER-ISOLATION-STAGE-1'],
    ['corp-block', 'unknown', 'asked for in 2019'],
  ]
  for (const [chain, owner, comment, jump] of owners) assert.equal(ownerOf(iptables, chain, comment, jump), owner, chain)
  assert.equal(ownerOf({ backend: 'nft', name: 'kube-proxy' }, 'services'), 'kube-proxy')
  assert.equal(ownerOf({ backend: 'nft', name: 'corp' }, 'forward'), 'unknown')
})
