// SPDX-License-Identifier: Apache-2.0

import { type Address, parseAddress } from '../core/net/address.ts'
import { type Prefix, parsePrefix } from '../core/net/prefix.ts'
import type { OptionGroup } from './command.ts'
import { UsageError } from './errors.ts'
import type { Options } from './options.ts'

/** Where a command gets its facts from, as asked for. */
export type FactSource =
  | { readonly kind: 'live'; readonly context: string | undefined; readonly kubeconfig: readonly string[] }
  | { readonly kind: 'bundle'; readonly path: string }
  | { readonly kind: 'objects'; readonly paths: readonly string[] }
  | RuleFiles

/** One machine's rules, without a cluster. */
export interface RuleFiles {
  readonly kind: 'rules'
  readonly iptablesSave: readonly string[]
  readonly nft: readonly string[]
  readonly ipset: readonly string[]
  /** Addresses of the machine itself, as typed. */
  readonly local: readonly LocalAddress[]
  /** Manifests of the cluster it belongs to, for an eBPF lane beside the rules. */
  readonly objects: readonly string[]
}

export interface LocalAddress {
  readonly address: Address
  readonly network?: Prefix
}

export const CLUSTER_OPTIONS: OptionGroup = {
  title: 'Facts from a live cluster',
  options: [
    { name: 'context', takes: 'value', placeholder: 'NAME', help: 'Context of the kubeconfig' },
    {
      name: 'kubeconfig',
      takes: 'value',
      placeholder: 'FILE',
      help: 'Kubeconfig to use instead of $KUBECONFIG or ~/.kube/config; without --context, its current context',
    },
  ],
}

export const FILE_OPTIONS: OptionGroup = {
  title: 'Facts from files',
  options: [
    { name: 'bundle', takes: 'value', placeholder: 'PATH', help: 'Bundle (folder or zip), or a Cilium sysdump' },
    {
      name: 'objects',
      takes: 'values',
      placeholder: 'PATH',
      help: 'Kubernetes objects: YAML or JSON files, or folders of them; alone, or beside the rules of one machine',
    },
  ],
}

export const RULE_OPTIONS: OptionGroup = {
  title: 'Facts of one machine, without a cluster',
  options: [
    {
      name: 'iptables-save',
      takes: 'values',
      placeholder: 'FILE',
      help: 'Output of iptables-save or ip6tables-save; IPv4 or IPv6, legacy or nft is recognised by content; "-" is standard input',
    },
    { name: 'nft', takes: 'values', placeholder: 'FILE', help: 'Output of `nft list ruleset`, as text or JSON' },
    { name: 'ipset', takes: 'values', placeholder: 'FILE', help: 'Output of `ipset save`' },
    {
      name: 'local',
      takes: 'values',
      placeholder: 'ADDR,…',
      help: 'Addresses of the machine itself, with or without prefix length',
    },
  ],
}

const LIVE = ['context', 'kubeconfig']
const RULES = ['iptables-save', 'nft', 'ipset', 'local']
const LOOSE = [...RULES, 'objects']

/** Which facts a command line names. Throws UsageError when it names none, or kinds that don't go together. */
export function factSource(options: Options): FactSource {
  const places = [LIVE, ['bundle'], LOOSE].map((names) => options.given(names)[0]).filter((name) => name !== undefined)
  if (places.length === 0) {
    throw new UsageError(
      'no facts: name a live cluster (`--context`), a bundle (`--bundle`) or loose files (`--objects`, `--iptables-save`, `--nft`)',
    )
  }
  if (places.length > 1) {
    throw new UsageError(`${places.map((name) => `\`--${name}\``).join(' and ')} don't go together: facts come from one place`)
  }
  const path = options.value('bundle')
  if (path !== undefined) return { kind: 'bundle', path }
  if (options.given(LIVE).length > 0) {
    return { kind: 'live', context: options.value('context'), kubeconfig: options.values('kubeconfig') }
  }
  return options.given(RULES).length > 0 ? ruleFiles(options) : { kind: 'objects', paths: options.values('objects') }
}

function ruleFiles(options: Options): RuleFiles {
  const files = { iptablesSave: options.values('iptables-save'), nft: options.values('nft'), ipset: options.values('ipset') }
  if (files.iptablesSave.length + files.nft.length === 0) {
    throw new UsageError(`\`--${options.given(RULES)[0]}\` needs rules beside it: \`--iptables-save\` or \`--nft\``)
  }
  const all = [...files.iptablesSave, ...files.nft, ...files.ipset]
  const twice = all.find((file, index) => all.indexOf(file) !== index)
  if (twice !== undefined) throw new UsageError(`\`${twice}\` is given twice`)
  const local = options.values('local').flatMap((value) => value.split(','))
  return {
    kind: 'rules',
    ...files,
    local: local.filter((text) => text !== '').map(localAddress),
    objects: options.values('objects'),
  }
}

function localAddress(text: string): LocalAddress {
  const address = parseAddress(text.split('/', 1)[0] ?? '')
  const network = parsePrefix(text)
  if (address === undefined || network === undefined) throw new UsageError(`\`--local\`: \`${text}\` is not an address`)
  return text.includes('/') ? { address, network } : { address }
}
