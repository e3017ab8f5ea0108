// SPDX-License-Identifier: Apache-2.0

import type { ClusterFacts } from '../../facts/cluster.ts'
import { ServiceFrontends } from '../../services/frontend.ts'
import type { Datapath, Datapaths } from '../datapath.ts'
import { type CiliumCluster, CiliumDatapath } from './datapath.ts'
import { IdentityLabels } from './identity.ts'
import { CiliumMaps } from './maps.ts'

/** Cilium's datapaths on the nodes whose snapshots hold its maps; undefined when none does. */
export function ciliumDatapaths(facts: ClusterFacts): Datapaths | undefined {
  const having = [...facts.nodes.values()].filter((snapshot) => CiliumMaps.on(snapshot))
  if (having.length === 0) return undefined
  const cluster: CiliumCluster = {
    facts,
    frontends: new ServiceFrontends(facts.objects),
    labels: new IdentityLabels(facts),
  }
  const nodes = new Map<string, Datapath>(
    having.map((snapshot) => [snapshot.node, new CiliumDatapath(cluster, new CiliumMaps(snapshot))]),
  )
  return { source: 'cilium', on: (node) => nodes.get(node) }
}
