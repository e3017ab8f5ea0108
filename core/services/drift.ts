// SPDX-License-Identifier: Apache-2.0

import { CiliumMaps } from '../ebpf/cilium/maps.ts'
import { MapNames } from '../ebpf/maps/names.ts'
import type { ClusterFacts } from '../facts/cluster.ts'
import type { NodeObject } from '../facts/objects.ts'
import type { NodeSnapshot } from '../facts/snapshot.ts'
import { type CiliumObjects, ciliumObjects } from './drift/ciliumObjects.ts'
import { endpointDrift } from './drift/endpoints.ts'
import { identityDrift } from './drift/identities.ts'
import { kubeProxyDrift, kubeProxyOn } from './drift/kubeProxy.ts'
import { DRIFT_SCHEMA, type DriftReport, type NodeDrift, type NotCompared, sortFindings } from './drift/report.ts'
import { serviceDrift } from './drift/services.ts'

/** What is in Cilium's maps and is never compared. */
const NEVER: readonly NotCompared[] = [
  {
    what: 'Policies of endpoints',
    reason: 'their maps are not computed from the policy objects; `plumbline trace` explains single answers',
  },
  { what: 'Identities of networks outside', reason: 'each agent numbers them for itself, from toCIDR rules and DNS answers' },
  { what: 'Maglev tables, L7 configuration, NAT and connection tracking', reason: 'they are not derived from the objects alone' },
]

const NEVER_OF_RULES: readonly NotCompared[] = [
  { what: 'Extra frontends', reason: 'only what the objects ask for is followed through the rules' },
  { what: 'Traffic policies for clients outside, session affinity, source ranges', reason: 'the node itself is the client' },
]

/** Compares every node whose snapshot is there with the objects. Deterministic: the same facts give the same report. */
export function driftOf(facts: ClusterFacts): DriftReport {
  const cilium = ciliumObjects(facts)
  const nodes = [...facts.nodes.values()].map((snapshot) => nodeDrift(facts, cilium, snapshot))
  return { schema: DRIFT_SCHEMA, nodes: nodes.sort((a, b) => (a.node < b.node ? -1 : 1)) }
}

/** Of one node with Cilium, where it is cheap; undefined on others. */
export function ciliumDriftOf(facts: ClusterFacts, name: string): NodeDrift | undefined {
  const snapshot = facts.nodes.get(name)
  const node = facts.objects.nodes.get(name)
  if (snapshot === undefined || node === undefined || !CiliumMaps.on(snapshot)) return undefined
  return ciliumDrift(facts, ciliumObjects(facts), node, snapshot)
}

function nodeDrift(facts: ClusterFacts, cilium: CiliumObjects, snapshot: NodeSnapshot): NodeDrift {
  const node = facts.objects.nodes.get(snapshot.node)
  if (node === undefined) return incomparable(snapshot, 'Everything', `no Node object is named ${snapshot.node}`)
  if (CiliumMaps.on(snapshot)) return ciliumDrift(facts, cilium, node, snapshot)
  const proxy = kubeProxyOn(snapshot)
  if (proxy === 'rules') return rulesDrift(facts, node)
  if (proxy === 'ipvs')
    return incomparable(snapshot, 'Services', 'kube-proxy balances by IPVS there, whose tables no snapshot holds')
  return incomparable(snapshot, 'Services', "the snapshot holds neither maps of Cilium nor kube-proxy's rules")
}

function rulesDrift(facts: ClusterFacts, node: NodeObject): NodeDrift {
  const { findings, frontends, backends, notCompared } = kubeProxyDrift(facts, node)
  return {
    node: node.meta.name,
    datapath: 'kube-proxy',
    findings: sortFindings(findings),
    compared: { frontends, backends, addresses: 0 },
    notCompared: [...notCompared, ...NEVER_OF_RULES],
  }
}

function incomparable({ node }: NodeSnapshot, what: string, reason: string): NodeDrift {
  const compared = { frontends: 0, backends: 0, addresses: 0 }
  return { node, datapath: 'unknown', findings: [], compared, notCompared: [{ what, reason }] }
}

function ciliumDrift(facts: ClusterFacts, cilium: CiliumObjects, node: NodeObject, snapshot: NodeSnapshot): NodeDrift {
  const services = serviceDrift(facts.objects, node, snapshot)
  const identities = identityDrift(facts, cilium, node, snapshot, new MapNames(facts, snapshot.node))
  const endpoints = endpointDrift(facts, cilium, node, snapshot)
  return {
    node: snapshot.node,
    datapath: 'cilium',
    findings: sortFindings([...services.findings, ...identities.findings, ...endpoints]),
    compared: { frontends: services.frontends, backends: services.backends, addresses: identities.addresses },
    notCompared: [...services.notCompared, ...identities.notCompared, ...NEVER],
  }
}
