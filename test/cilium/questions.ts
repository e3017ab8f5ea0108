// SPDX-License-Identifier: Apache-2.0

/** Who asks for what in the lab: every kind of sender, every frontend of every Service, and pods, nodes and the world themselves. */

import type { ClusterFacts } from '../../core/facts/cluster.ts'
import { objectKey, type PodObject } from '../../core/facts/objects.ts'
import { type Address, formatAddress, formatEndpoint, parseAddress } from '../../core/net/address.ts'

export interface Sender {
  /** As a trace names it: "pod:shop/client-n1", "host:n1", "10.200.0.100". */
  readonly from: string
  /** Its addresses. */
  readonly addresses: readonly Address[]
  /** Before the dialler's arguments, on the lab's command line; undefined: this machine itself. */
  readonly place: readonly string[] | undefined
}

export interface Target {
  /** As a trace names it. */
  readonly to: string
  /** As the dialler does: "tcp/10.96.0.20:80". */
  readonly dialled: string
  readonly address: Address
}

/** The machine outside, and the one that the lab runs on, to which a source range is closed. */
const OUTSIDE = ['10.200.0.100', 'fd00:10:200::100'].map(addressOf)
const MACHINE = ['10.200.0.2', 'fd00:10:200::2'].map(addressOf)
const NAMESPACES = ['shop', 'vault']
const NAMED = ['client-n1', 'client-n2', 'stranger', 'locked', 'loner', 'reader']

/** @param app path of the dialler on this machine. */
export function senders(facts: ClusterFacts, app: string): readonly Sender[] {
  const nodes = [...facts.objects.nodes.values()]
  const pods = podsOf(facts)
  const web = nodes.flatMap(({ meta }) => pods.find((pod) => pod.nodeName === meta.name && labelled(pod, 'web')) ?? [])
  const asking = [...pods.filter(({ meta }) => NAMED.includes(meta.name)), ...web]
  return [
    ...asking.map(({ meta, podIPs }) => ({
      from: `pod:${objectKey(meta)}`,
      addresses: podIPs,
      place: ['kubectl', '-n', meta.namespace, 'exec', meta.name, '--', '/app'],
    })),
    ...nodes.map(({ meta, internalIPs }) => ({
      from: `host:${meta.name}`,
      addresses: [...internalIPs, ...(facts.nodes.get(meta.name)?.host?.addresses ?? []).map(({ address }) => address)],
      place: ['node', meta.name, app],
    })),
    ...OUTSIDE.map((address) => ({ from: formatAddress(address), addresses: [address], place: ['outside', app] })),
    ...MACHINE.map((address) => ({ from: formatAddress(address), addresses: [address], place: undefined })),
  ]
}

/** What a sender can ask for at all: cluster IPs are known only within the cluster, and some have no IPv6. */
export function targetsOf(facts: ClusterFacts, { addresses, from }: Sender): readonly Target[] {
  const inCluster = /^(pod|host):/.test(from)
  const asked = [...targets(facts), ...(from.startsWith('host:') ? loopbacks(facts) : [])]
  return asked.filter(({ address, internal }) => {
    return (inCluster || !internal) && addresses.some(({ family }) => family === address.family)
  })
}

type Known = Target & {
  /** Only who is in the cluster has a way there. */
  readonly internal: boolean
}

function targets(facts: ClusterFacts): readonly Known[] {
  const { objects } = facts
  const services = [...objects.services.values()].filter(
    ({ meta, clusterIPs }) => NAMESPACES.includes(meta.namespace) && clusterIPs.length > 0,
  )
  const nodes = [...objects.nodes.values()].flatMap(({ internalIPs }) => internalIPs)
  const frontends = services.flatMap((service) =>
    service.ports.flatMap(({ port, protocol, nodePort }) => [
      ...service.clusterIPs.map((address) => target(address, port, protocol, true)),
      ...[...service.externalIPs, ...service.loadBalancerIPs.map((ingress) => ingress.address)].map((address) =>
        target(address, port, protocol),
      ),
      ...(nodePort === undefined ? [] : nodes.map((address) => target(address, nodePort, protocol))),
    ]),
  )
  const pods = podsOf(facts)
  const served = pods.flatMap((pod) =>
    pod.podIPs.flatMap((address) => pod.ports.map(({ containerPort, protocol }) => target(address, containerPort, protocol))),
  )
  const pinged = [...pods.flatMap(({ podIPs }) => podIPs), ...nodes, ...OUTSIDE].map(echo)
  const hostPorts = nodes.flatMap((address) => [8081, 8082].map((port) => target(address, port, 'TCP')))
  // 6666 of web listens and no policy allows it; nobody listens at 81 of a load balancer.
  const refused = [
    ...pods.filter((pod) => labelled(pod, 'web')).flatMap(({ podIPs }) => podIPs.map((address) => target(address, 6666, 'TCP'))),
    target(addressOf('203.0.113.10'), 81, 'TCP'),
  ]
  const outside = OUTSIDE.flatMap((address) => [
    target(address, 9000, 'TCP'),
    target(address, 8080, 'TCP'),
    target(address, 9001, 'UDP'),
  ])
  const all = [...frontends, ...served, ...hostPorts, ...refused, ...outside, ...pinged]
  return [...new Map(all.map((each) => [each.to, each])).values()]
}

/** Node ports at a node's own loopback addresses. */
function loopbacks({ objects }: ClusterFacts): readonly Known[] {
  const ports = [...objects.services.values()].flatMap(({ ports }) => ports)
  return ['127.0.0.1', '::1']
    .map(addressOf)
    .flatMap((address) =>
      ports.flatMap(({ nodePort, protocol }) => (nodePort === undefined ? [] : [target(address, nodePort, protocol, true)])),
    )
}

function podsOf({ objects }: ClusterFacts): readonly PodObject[] {
  return [...objects.pods.values()].filter(
    ({ meta, phase, hostNetwork }) => NAMESPACES.includes(meta.namespace) && phase === 'Running' && !hostNetwork,
  )
}

function labelled({ meta }: PodObject, app: string): boolean {
  return meta.labels.get('app') === app
}

function target(address: Address, port: number, protocol: string, internal = false): Known {
  const endpoint = formatEndpoint(address, port)
  return { to: `${endpoint}/${protocol}`, dialled: `${protocol.toLowerCase()}/${endpoint}`, address, internal }
}

function echo(address: Address): Known {
  return { to: `${formatAddress(address)}/ICMP`, dialled: `icmp/${formatAddress(address)}`, address, internal: false }
}

export function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}
