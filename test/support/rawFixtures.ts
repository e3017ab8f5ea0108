// SPDX-License-Identifier: Apache-2.0

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ClusterFacts, loadCluster } from '../../core/facts/cluster.ts'
import { memoryFiles } from '../../core/facts/memory.ts'
import type { LinkFact } from '../../core/facts/node.ts'
import { ciliumFiles } from './rawCilium.ts'
import { addressFacts, linkFacts, neighbourFacts, routeFacts, ruleFacts } from './iproute2.ts'

const RAW = join(import.meta.dirname, '../fixtures/raw')

/** A recorded cluster (test/fixtures/raw/<name>): what its nodes' own tools printed, in a bundle's form. Pods' namespaces are not recorded. */
export function rawCluster(name: string): ClusterFacts {
  return loadCluster(memoryFiles(name, rawFiles(name)))
}

/** Its files by their path in a bundle; bundle.json, which says that it is one, is not among them. */
export function rawFiles(name: string): ReadonlyMap<string, Uint8Array> {
  const root = join(RAW, name)
  const contents = new Map<string, Uint8Array>()
  const put = (path: string, value: unknown) =>
    contents.set(path, new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)))
  for (const file of readdirSync(join(root, 'objects'))) put(`objects/${file}`, readFileSync(join(root, 'objects', file), 'utf8'))
  for (const node of readdirSync(root).filter((entry) => existsSync(join(root, entry, 'ip-addr.json')))) {
    for (const [path, value] of nodeFiles(join(root, node))) put(`nodes/${node}/${path}`, value)
    for (const [path, bytes] of ciliumFiles(join(root, node))) contents.set(`nodes/${node}/${path}`, bytes)
  }
  return contents
}

export function rawClusters(): readonly string[] {
  return existsSync(RAW) ? readdirSync(RAW).sort() : []
}

const TEXTS: Readonly<Record<string, string>> = {
  'iptables-legacy-save.txt': 'iptables-legacy-save.4.txt',
  'ip6tables-legacy-save.txt': 'iptables-legacy-save.6.txt',
  'iptables-nft-save.txt': 'iptables-nft-save.4.txt',
  'ip6tables-nft-save.txt': 'iptables-nft-save.6.txt',
  'nft-ruleset.json': 'nft.json',
  'nft-ruleset.txt': 'nft.txt',
  'ipset-save.txt': 'ipset.txt',
}

function nodeFiles(folder: string): readonly (readonly [string, unknown])[] {
  const text = (file: string) => readFileSync(join(folder, file), 'utf8')
  const json = (file: string) => JSON.parse(text(file) || '[]')
  const links: readonly LinkFact[] = linkFacts(json('ip-addr.json'))
  return [
    ['node.json', { schema: 'plumbline.node/v1', kernelRelease: text('kernel.txt').split(' ')[1] ?? '', problems: [] }],
    ['netns/host/netns.json', { inode: '1', pods: [] }],
    ['netns/host/sysctl.json', sysctls(text('sysctl.txt'), links)],
    ['netns/host/links.json', links],
    ['netns/host/addresses.json', addressFacts(json('ip-addr.json'))],
    ['netns/host/routes.json', [...routeFacts(json('ip-route.json'), 4, links), ...routeFacts(json('ip6-route.json'), 6, links)]],
    ['netns/host/rules.json', [...ruleFacts(json('ip-rule.json'), 4), ...ruleFacts(json('ip6-rule.json'), 6)]],
    ['netns/host/neighbours.json', neighbourFacts(json('ip-neigh.json'), links)],
    ...Object.entries(TEXTS).map(([from, to]) => [`netns/host/${to}`, text(from)] as const),
  ]
}

/** The record has few settings; `ip_forward` was set before the devices were made, and so is theirs. */
function sysctls(text: string, links: readonly LinkFact[]): Readonly<Record<string, string>> {
  const pairs = text.split('\n').flatMap((line) => {
    const [key, value] = line.split(' = ')
    return key === undefined || value === undefined ? [] : [[key, value] as const]
  })
  const forward = new Map(pairs).get('net.ipv4.ip_forward') ?? '0'
  return {
    ...Object.fromEntries(links.map((link) => [`net.ipv4.conf.${link.ifname}.forwarding`, forward])),
    ...Object.fromEntries(pairs),
  }
}
