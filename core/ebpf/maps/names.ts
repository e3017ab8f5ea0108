// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import type { Shape } from '../../facts/objectsShape.ts'
import { formatAddress, parseAddress } from '../../net/address.ts'
import type { Meaning } from './layout.ts'

/** pkg/identity/numericidentity.go of Cilium 1.19. */
const RESERVED: readonly string[] = [
  'unknown',
  'host',
  'world',
  'unmanaged',
  'health',
  'init',
  'remote-node',
  'kube-apiserver',
  'ingress',
  'world-ipv4',
  'world-ipv6',
  'encrypted-overlay',
]
/** Name of an identity that is the same everywhere; undefined for others. */
export function reservedIdentity(identity: number): string | undefined {
  return RESERVED[identity]
}

const LOCAL_SCOPES: ReadonlyMap<number, string> = new Map([
  [1, 'cidr'],
  [2, 'remote node'],
])
/** Labels every identity has, and that tell nobody apart. */
const COMMON_LABELS = /^(io\.cilium\.k8s\.|io\.kubernetes\.pod\.namespace$)/

/** Names for the numbers in the maps of one node, as far as the facts have them. */
export class MapNames {
  readonly #cluster: ClusterFacts
  readonly #node: string
  readonly #identities = new Map<number, string>()
  readonly #endpoints = new Map<number, string>()
  /** By number, from this node's own maps: the frontend of a reverse NAT index, the address of a backend. */
  readonly #learnt: Readonly<Record<'revnat' | 'backend', Map<number, string>>> = { revnat: new Map(), backend: new Map() }

  constructor(cluster: ClusterFacts, node: string) {
    this.#cluster = cluster
    this.#node = node
    for (const { object } of objects(cluster, 'CiliumIdentity')) {
      const id = Number(object.at('metadata', 'name').text())
      if (Number.isInteger(id)) this.#identities.set(id, labelText(object.field('security-labels').strings()))
    }
    const ownAddresses = new Set(cluster.objects.nodes.get(node)?.internalIPs.map(formatAddress))
    for (const { meta, object } of objects(cluster, 'CiliumEndpoint')) {
      const id = object.at('status', 'id').integer()
      const host = object.at('status', 'networking', 'node').text()
      // Endpoint ids count on each node anew.
      if (id !== undefined && host !== undefined && ownAddresses.has(host))
        this.#endpoints.set(id, `${meta.namespace}/${meta.name}`)
    }
  }

  /** Remembers what a map of the node says about a number. */
  learn(means: 'revnat' | 'backend', id: number, name: string): void {
    this.#learnt[means].set(id, name)
  }

  /** A name for a number, if there is one. */
  of(means: Meaning, value: number): string | undefined {
    switch (means) {
      case 'identity':
        return this.identity(value)
      case 'endpoint':
        return this.#endpoints.get(value)
      case 'revnat':
      case 'backend':
        return value === 0 ? undefined : this.#learnt[means].get(value)
      case 'ifindex':
        return value === 0 ? undefined : this.#cluster.nodes.get(this.#node)?.host?.devices.at(value)?.ifname
      default:
        return undefined
    }
  }

  identity(id: number): string | undefined {
    const reserved = RESERVED[id]
    if (reserved !== undefined) return `reserved:${reserved}`
    const scope = LOCAL_SCOPES.get(id >>> 24)
    // Local identities are numbered by each agent for itself and stand in no object.
    return this.#identities.get(id) ?? (scope === undefined ? undefined : `${scope}, local to the node`)
  }

  /** Whose address it is: a pod, a service, a node. */
  ofAddress(text: string): string | undefined {
    const address = parseAddress(text)
    if (address === undefined) return undefined
    const { objects } = this.#cluster
    const pod = objects.podsAt(address).find((each) => !each.hostNetwork)
    if (pod !== undefined) return `pod ${pod.meta.namespace}/${pod.meta.name}`
    return this.#services().get(text) ?? this.#nodes().get(text)
  }

  #serviceNames: ReadonlyMap<string, string> | undefined
  #nodeNames: ReadonlyMap<string, string> | undefined

  #services(): ReadonlyMap<string, string> {
    this.#serviceNames ??= new Map(
      [...this.#cluster.objects.services.values()].flatMap((service) =>
        [...service.clusterIPs, ...service.externalIPs, ...service.loadBalancerIPs.map(({ address }) => address)].map(
          (address) => [formatAddress(address), `svc ${service.meta.namespace}/${service.meta.name}`] as const,
        ),
      ),
    )
    return this.#serviceNames
  }

  #nodes(): ReadonlyMap<string, string> {
    this.#nodeNames ??= new Map(
      [...this.#cluster.objects.nodes].flatMap(([name, node]) =>
        [...node.internalIPs, ...node.externalIPs].map((address) => [formatAddress(address), `node ${name}`] as const),
      ),
    )
    return this.#nodeNames
  }
}

type Known = { readonly meta: { readonly namespace: string; readonly name: string }; readonly object: Shape }

function objects(cluster: ClusterFacts, kind: string): readonly Known[] {
  return [...cluster.objects.others.values()].flat().filter(({ meta }) => meta.kind === kind)
}

/** "shop: app=web": namespace first, labels every identity has left out. */
function labelText(labels: ReadonlyMap<string, string>): string {
  const plain = [...labels].map(([key, value]) => [key.replace(/^k8s:/, ''), value] as const)
  const namespace = plain.find(([key]) => key === 'io.kubernetes.pod.namespace')?.[1]
  const own = plain.filter(([key]) => !COMMON_LABELS.test(key)).map(([key, value]) => (value === '' ? key : `${key}=${value}`))
  return [...(namespace === undefined ? [] : [`${namespace}:`]), own.sort().join(',')].join(' ').trim()
}
