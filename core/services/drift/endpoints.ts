// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import { type NodeObject, objectKey } from '../../facts/objects.ts'
import type { NodeSnapshot } from '../../facts/snapshot.ts'
import { formatAddress, sameAddress } from '../../net/address.ts'
import type { CiliumObjects, KnownEndpoint } from './ciliumObjects.ts'
import { wholeEntries } from './programmed.ts'
import type { DriftFinding } from './report.ts'

const MAP = 'cilium_lxc'

/** The pods of a node against the endpoints that its programs deliver to. */
export function endpointDrift(
  facts: ClusterFacts,
  cilium: CiliumObjects,
  node: NodeObject,
  snapshot: NodeSnapshot,
): readonly DriftFinding[] {
  const all = wholeEntries(snapshot, MAP)
  if (cilium.endpoints === undefined || all === undefined) return []
  const entries = new Map(all.map((entry) => [formatAddress(entry.keyAddress('address')), entry]))
  return cilium.endpoints
    .filter((endpoint) => isHere(facts, endpoint, node))
    .flatMap((endpoint) =>
      endpoint.addresses.flatMap((each): readonly DriftFinding[] => {
        const address = formatAddress(each)
        const entry = entries.get(address)
        const common = { severity: 'error', subject: `Pod ${objectKey(endpoint)}`, expected: nameOf(endpoint) } as const
        if (entry === undefined) {
          const text = `${address} is not in ${MAP}: the node does not deliver to its pod`
          const none = { kind: 'map', map: MAP, key: `address=${address}`, value: 'no entry' } as const
          return [{ ...common, kind: 'endpoint-missing', text, programmed: null, evidence: [endpoint.evidence, none] }]
        }
        const there = { id: entry.value('endpoint'), identity: entry.value('identity') }
        const isSame = (endpoint.id ?? there.id) === there.id && (endpoint.identity ?? there.identity) === there.identity
        if (isSame) return []
        const programmed = nameOf(there)
        const text = `${address} is ${programmed} in ${MAP}, and should be ${nameOf(endpoint)}`
        return [{ ...common, kind: 'endpoint-different', text, programmed, evidence: [endpoint.evidence, entry.evidence] }]
      }),
    )
}

function isHere({ objects }: ClusterFacts, endpoint: KnownEndpoint, node: NodeObject): boolean {
  const pod = objects.pods.get(objectKey(endpoint))
  return (
    pod !== undefined &&
    pod.nodeName === node.meta.name &&
    pod.phase === 'Running' &&
    endpoint.addresses.every((address) => pod.podIPs.some((each) => sameAddress(each, address)))
  )
}

function nameOf({ id, identity }: Pick<KnownEndpoint, 'id' | 'identity'>): string {
  return [...(id === undefined ? [] : [`endpoint ${id}`]), ...(identity === undefined ? [] : [`identity ${identity}`])].join(', ')
}
