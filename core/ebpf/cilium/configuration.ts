// SPDX-License-Identifier: Apache-2.0

import type { Shape } from '../../facts/objectsShape.ts'
import type { NodeSnapshot } from '../../facts/snapshot.ts'
import type { Family } from '../../net/address.ts'
import { parsePrefix, type Prefix } from '../../net/prefix.ts'
import type { Transport } from '../datapath.ts'
import type { ClusterNumber } from './identity.ts'

/** Clusters a mesh may have: max-connected-clusters. */
const MOST_CLUSTERS = [255, 511]

/** What decides the datapath beside the maps: options its programs were compiled with (pkg/option DaemonConfig, 1.19). */
export interface Configuration {
  /** False: nobody recorded one, and what follows are Cilium's defaults with kube-proxy replacement. */
  readonly known: boolean
  readonly agentRunning: boolean
  readonly transport: Transport
  /** BPF host routing: pods' packets bypass the host's stack. */
  readonly hostRouting: boolean
  /** Balances at connect; "host": only for processes of the node itself. */
  readonly socketLoadBalancing: 'all' | 'host' | 'none'
  readonly nodePorts: { readonly lowest: number; readonly highest: number }
  readonly forwarding: 'snat' | 'dsr'
  readonly maglev: boolean
  /** Families whose packets to the outside get the node's address, in eBPF. */
  readonly masquerade: ReadonlySet<Family>
  /** Destinations that see pods' own addresses. */
  readonly unmasqueraded: readonly Prefix[]
  /** Features with networks and addresses of their own for that, which are not read. */
  readonly masqueradedOtherwise: readonly ('ip-masq-agent' | 'egress gateways')[]
  readonly auditMode: boolean
  /** Undefined: nobody recorded it. */
  readonly cluster: ClusterNumber | undefined
  readonly hostFirewall: boolean
}

export function readConfiguration(snapshot: NodeSnapshot): Configuration {
  const file = snapshot.shape('bpf/cilium.json')
  const config = file.field('config')
  const flag = (name: string, otherwise: boolean) => config.field(name).flag() ?? otherwise
  const text = (name: string) => config.field(name).text() ?? ''
  const hostOnly = flag('BPFSocketLBHostnsOnly', false)
  const masquerading = flag('EnableBPFMasquerade', true)
  return {
    known: config.present,
    agentRunning: file.field('running').flag() ?? true,
    transport: transportOf(text('RoutingMode'), text('TunnelProtocol')),
    hostRouting: !flag('EnableHostLegacyRouting', false),
    socketLoadBalancing: !flag('EnableSocketLB', hasSocketPrograms(snapshot)) ? 'none' : hostOnly ? 'host' : 'all',
    nodePorts: {
      lowest: config.field('NodePortMin').integer(0, 65_535) ?? 30_000,
      highest: config.field('NodePortMax').integer(0, 65_535) ?? 32_767,
    },
    forwarding: [text('LoadBalancerMode'), text('NodePortMode')].includes('dsr') ? 'dsr' : 'snat',
    maglev: [text('LoadBalancerAlgorithm'), text('NodePortAlg')].includes('maglev'),
    masquerade: new Set(([4, 6] as const).filter((family) => masquerading && flag(`EnableIPv${family}Masquerade`, true))),
    unmasqueraded: ([4, 6] as const).flatMap(
      (family) => prefixOf(config.field(`IPv${family}NativeRoutingCIDR`)) ?? prefixOf(config.field(`IPv${family}Range`)) ?? [],
    ),
    masqueradedOtherwise: [
      ...(flag('EnableIPMasqAgent', false) ? (['ip-masq-agent'] as const) : []),
      ...(flag('EnableEgressGateway', flag('EnableIPv4EgressGateway', false)) ? (['egress gateways'] as const) : []),
    ],
    auditMode: flag('PolicyAuditMode', false),
    cluster: clusterOf(config),
    hostFirewall: flag('EnableHostFirewall', false),
  }
}

function clusterOf(config: Shape): ClusterNumber | undefined {
  const number = config.field('ClusterID').integer(0, Math.max(...MOST_CLUSTERS))
  const recorded = config.field('MaxConnectedClusters').integer()
  const most = MOST_CLUSTERS.filter((each) => recorded === undefined || each === recorded)
  return number === undefined || most.length === 0 ? undefined : { number, most }
}

/** Cilium 1.19 keeps the option elsewhere: what is attached tells. Without a list of programs, they are taken for granted. */
function hasSocketPrograms(snapshot: NodeSnapshot): boolean {
  const programs = snapshot.shape('bpf/programs.json')
  const ids = new Set(
    programs
      .items()
      .filter((program) => program.field('name').text()?.startsWith('cil_sock') ?? false)
      .map((program) => program.field('id').integer()),
  )
  const links = snapshot.shape('bpf/links.json').items()
  const connecting = links.filter((link) => link.field('attach').text()?.startsWith('cgroup_connect') ?? false)
  return !programs.present || connecting.some((link) => ids.has(link.field('programId').integer()))
}

function transportOf(mode: string, protocol: string): Transport {
  if (mode !== 'tunnel') return { kind: 'native' }
  return { kind: 'tunnel', protocol: protocol === 'geneve' ? 'geneve' : 'vxlan' }
}

/** "10.244.0.0/16", or Go's net.IPNet as JSON: {"IP":"10.244.0.0","Mask":"//8AAA=="}. */
function prefixOf(shape: Shape): Prefix | undefined {
  if (typeof shape.value === 'string') return parsePrefix(shape.value)
  if (!shape.present) return undefined
  const address = shape.field('IP').text()
  const mask = shape.field('Mask').text()
  return address === undefined || mask === undefined ? undefined : parsePrefix(`${address}/${onesOf(mask)}`)
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** One bits of a mask in base64. */
function onesOf(mask: string): number {
  return [...mask].reduce((sum, digit) => {
    let ones = 0
    for (let bits = Math.max(0, BASE64.indexOf(digit)); bits > 0; bits &= bits - 1) ones++
    return sum + ones
  }, 0)
}

/** The loopback networks, which stand for the node itself in its own namespace. */
