// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import type { ObjectMeta } from '../../facts/objects.ts'
import type { Shape } from '../../facts/objectsShape.ts'
import { type Address, formatAddress, parseAddress } from '../../net/address.ts'
import type { Evidence } from '../../path/answer.ts'

/** A pod as Cilium's own objects have it: CiliumEndpoint, or an item of a CiliumEndpointSlice. */
export interface KnownEndpoint {
  readonly namespace: string
  readonly name: string
  /** Undefined while the agent has not chosen one. */
  readonly identity: number | undefined
  /** Endpoint number on its node; slices don't tell it. */
  readonly id: number | undefined
  readonly addresses: readonly Address[]
  /** Address of its node. */
  readonly node: Address | undefined
  readonly evidence: Evidence
}

export interface CiliumObjects {
  /** Undefined: the facts hold no such objects. */
  readonly endpoints: readonly KnownEndpoint[] | undefined
  /** Names of the nodes that run Cilium; undefined: nobody tells. */
  readonly nodes: ReadonlySet<string> | undefined
}

export function ciliumObjects({ objects }: ClusterFacts): CiliumObjects {
  const single = objects.others.get('CiliumEndpoint')
  const slices = objects.others.get('CiliumEndpointSlice')
  const endpoints = [
    ...(single ?? []).map(({ meta, object }) => fromEndpoint(meta, object)),
    ...(slices ?? []).flatMap(({ meta, object }) => fromSlice(meta, object)),
  ]
  const nodes = objects.others.get('CiliumNode')
  return {
    endpoints: single === undefined && slices === undefined ? undefined : endpoints,
    nodes: nodes === undefined ? undefined : new Set(nodes.map(({ meta }) => meta.name)),
  }
}

function fromEndpoint(meta: ObjectMeta, object: Shape): KnownEndpoint {
  const status = object.field('status')
  return {
    namespace: meta.namespace,
    name: meta.name,
    identity: status.at('identity', 'id').integer(),
    id: status.field('id').integer(),
    addresses: addressesOf(status.at('networking', 'addressing')),
    node: addressOf(status.at('networking', 'node')),
    evidence: evidenceOf(meta, 'status.identity.id'),
  }
}

/** Its endpoints lie beside the metadata, and so does their namespace. */
function fromSlice(meta: ObjectMeta, object: Shape): readonly KnownEndpoint[] {
  const namespace = object.field('namespace').text() ?? meta.namespace
  return object
    .field('endpoints')
    .items()
    .map((item, index) => ({
      namespace,
      name: item.field('name').text() ?? '',
      identity: item.field('id').integer(),
      id: undefined,
      addresses: addressesOf(item.at('networking', 'addressing')),
      node: addressOf(item.at('networking', 'node')),
      evidence: evidenceOf(meta, `endpoints[${index}].id`),
    }))
}

function addressesOf(list: Shape): readonly Address[] {
  return list
    .items()
    .flatMap((pair) => [addressOf(pair.field('ipv4')), addressOf(pair.field('ipv6'))].flatMap((each) => each ?? []))
}

function addressOf(shape: Shape): Address | undefined {
  return parseAddress(shape.text() ?? '')
}

function evidenceOf({ apiVersion, kind, namespace, name }: ObjectMeta, field: string): Evidence {
  return { kind: 'object', apiVersion, object: kind, namespace, name, field }
}

/** By address, of all that have one. */
export function byAddress(endpoints: readonly KnownEndpoint[]): ReadonlyMap<string, KnownEndpoint> {
  return new Map(
    endpoints.flatMap((endpoint) => endpoint.addresses.map((address) => [formatAddress(address), endpoint] as const)),
  )
}
