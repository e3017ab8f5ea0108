// SPDX-License-Identifier: Apache-2.0

import type { Entry } from '../../ebpf/cilium/entries.ts'
import { IDENTITY, isRemoteNode } from '../../ebpf/cilium/identity.ts'
import type { MapNames } from '../../ebpf/maps/names.ts'
import type { ClusterFacts } from '../../facts/cluster.ts'
import { type NodeObject, objectKey } from '../../facts/objects.ts'
import type { NodeSnapshot } from '../../facts/snapshot.ts'
import { type Address, formatAddress, sameAddress } from '../../net/address.ts'
import type { Evidence } from '../../path/answer.ts'
import { byAddress, type CiliumObjects, type KnownEndpoint } from './ciliumObjects.ts'
import { objectEvidence } from './expected.ts'
import { wholeEntries } from './programmed.ts'
import type { DriftFinding, DriftKind, NotCompared } from './report.ts'

export interface IdentityDrift {
  readonly findings: readonly DriftFinding[]
  readonly addresses: number
  readonly notCompared: readonly NotCompared[]
}

/** An address that the ipcache of a node must know, and as whom. */
interface ExpectedAddress {
  readonly address: Address
  readonly subject: string
  /** Undefined: whoever it is, it must be there. */
  readonly isRight: ((identity: number) => boolean) | undefined
  /** "identity 24832 (shop: app=client)" */
  readonly identityText: string
  /** Addresses of the node it is behind; undefined where no tunnel may lead; null where any may. */
  readonly behind: readonly Address[] | undefined | null
  readonly evidence: Evidence
}

/** First identity that stands for pods; those below are reserved. */
const FIRST_OF_PODS = 256
const FLAGS = { remoteCluster: 8 } as const
const CLUSTER_BITS = 16

/** The ipcache of a node with Cilium against pods, nodes and Cilium's own objects. */
export function identityDrift(
  facts: ClusterFacts,
  cilium: CiliumObjects,
  node: NodeObject,
  snapshot: NodeSnapshot,
  names: MapNames,
): IdentityDrift {
  const found = ['cilium_ipcache_v2', 'cilium_ipcache'].flatMap((map) => {
    const entries = wholeEntries(snapshot, map)
    return entries === undefined ? [] : [{ map, entries }]
  })[0]
  if (found === undefined) {
    const reason = 'the snapshot does not hold cilium_ipcache_v2 as a whole'
    return { findings: [], addresses: 0, notCompared: [{ what: 'Identities of addresses', reason }] }
  }
  const { map } = found
  const entries = found.entries.filter((entry) => entry.key('cluster') === 0)
  const hosts = new Map(entries.filter(isHost).map((entry) => [formatAddress(entry.keyAddress('address')), entry]))
  const { expected, notCompared } = expectedAddresses(facts, cilium, node, names)
  const findings = expected.flatMap((each) => compareAddress(each, hosts.get(formatAddress(each.address)), map, names))
  return { findings: [...findings, ...extras(facts, cilium, hosts, names, map)], addresses: expected.length, notCompared }
}

function isHost(entry: Entry): boolean {
  const { family } = entry.keyAddress('address')
  return entry.key('prefixLength') === (family === 4 ? 64 : 160)
}

function expectedAddresses(facts: ClusterFacts, cilium: CiliumObjects, node: NodeObject, names: MapNames) {
  const notCompared: NotCompared[] = []
  const expected: ExpectedAddress[] = []
  if (cilium.endpoints === undefined) {
    notCompared.push({ what: 'Identities of pods', reason: 'the facts hold neither CiliumEndpoints nor CiliumEndpointSlices' })
  } else for (const endpoint of cilium.endpoints) expected.push(...podAddresses(facts, endpoint, node, names))
  expected.push(...unmanaged(facts, cilium))
  if (cilium.nodes === undefined) notCompared.push({ what: 'Identities of nodes', reason: 'the facts hold no CiliumNodes' })
  else expected.push(...nodeAddresses(facts, cilium.nodes, node))
  return { expected, notCompared }
}

/** Endpoints that outlive their pods for a moment are left out. */
function podAddresses(
  facts: ClusterFacts,
  endpoint: KnownEndpoint,
  node: NodeObject,
  names: MapNames,
): readonly ExpectedAddress[] {
  const pod = facts.objects.pods.get(objectKey(endpoint))
  const { identity } = endpoint
  if (pod === undefined || pod.hostNetwork || ['Succeeded', 'Failed'].includes(pod.phase) || identity === undefined) return []
  const home = pod.nodeName === undefined ? undefined : facts.objects.nodes.get(pod.nodeName)
  const away = home !== undefined && home.meta.name !== node.meta.name
  const addresses = endpoint.addresses.filter((address) => pod.podIPs.some((each) => sameAddress(each, address)))
  return addresses.map((address) => ({
    address,
    subject: `Pod ${objectKey(pod.meta)}`,
    isRight: (found) => found === identity,
    identityText: identityText(identity, names),
    behind: away ? [...home.internalIPs, ...(endpoint.node === undefined ? [] : [endpoint.node])] : undefined,
    evidence: endpoint.evidence,
  }))
}

/** Pods on nodes with Cilium that it does not know: those that were there before it, mostly. */
function unmanaged({ objects }: ClusterFacts, { endpoints, nodes }: CiliumObjects): readonly ExpectedAddress[] {
  if (endpoints === undefined || nodes === undefined) return []
  const known = new Set(endpoints.map(objectKey))
  const strangers = [...objects.pods.values()].filter(
    (pod) => !pod.hostNetwork && pod.phase === 'Running' && nodes.has(pod.nodeName ?? '') && !known.has(objectKey(pod.meta)),
  )
  return strangers.flatMap((pod) =>
    pod.podIPs.slice(0, 1).map((address) => ({
      address,
      subject: `Pod ${objectKey(pod.meta)}`,
      isRight: (found) => found >= FIRST_OF_PODS,
      identityText: 'a pod with an identity of its own (Cilium has no endpoint for it: it may have been started before)',
      behind: null,
      evidence: objectEvidence(pod, 'status.podIP'),
    })),
  )
}

function nodeAddresses(facts: ClusterFacts, withCilium: ReadonlySet<string>, own: NodeObject): readonly ExpectedAddress[] {
  return [...facts.objects.nodes.values()]
    .filter(({ meta }) => withCilium.has(meta.name))
    .flatMap((node) =>
      node.internalIPs.map((address): ExpectedAddress => {
        const isOwn = node.meta.name === own.meta.name
        return {
          address,
          subject: `Node ${node.meta.name}`,
          isRight: isOwn ? (identity) => identity === IDENTITY.host : isRemoteNode,
          identityText: isOwn ? 'identity 1 (reserved:host)' : 'the identity of a remote node',
          behind: null,
          evidence: objectEvidence(node, 'status.addresses'),
        }
      }),
    )
}

function identityText(identity: number, names: MapNames): string {
  const name = names.identity(identity)
  return `identity ${identity}${name === undefined ? '' : ` (${name})`}`
}

function compareAddress(
  expected: ExpectedAddress,
  entry: Entry | undefined,
  map: string,
  names: MapNames,
): readonly DriftFinding[] {
  const address = formatAddress(expected.address)
  const { subject, evidence } = expected
  const finding = (kind: DriftKind, says: string, wanted: string, programmed: string | null, there: Evidence): DriftFinding => {
    const text = `${address} ${says}`
    return { kind, severity: 'error', subject, text, expected: wanted, programmed, evidence: [evidence, there] }
  }
  if (entry === undefined) {
    const says = `is not in ${map}: to policies of this node it is not ${expected.identityText}, but what its network is`
    const none: Evidence = { kind: 'map', map, key: `address=${address}`, value: 'no entry' }
    return [finding('address-missing', says, expected.identityText, null, none)]
  }
  const identity = entry.value('identity')
  const tunnel = entry.valueAddress('tunnel')
  const found = identityText(identity, names)
  const there = entry.evidence
  const wrong =
    expected.isRight === undefined || expected.isRight(identity)
      ? []
      : [
          finding(
            'identity-different',
            `is ${found} to this node, and should be ${expected.identityText}`,
            expected.identityText,
            found,
            there,
          ),
        ]
  return [...wrong, ...compareTunnel(expected, tunnel, (...about) => finding('tunnel-different', ...about, there))]
}

/** Native routing may go without a tunnel's end; an end that is there must be the right one. */
function compareTunnel(
  { behind }: ExpectedAddress,
  tunnel: Address,
  finding: (says: string, wanted: string, programmed: string) => DriftFinding,
): readonly DriftFinding[] {
  if (behind === null || tunnel.value === 0 || tunnel.value === 0n) return []
  const end = formatAddress(tunnel)
  if (behind === undefined) return [finding(`is a pod of this node, and its tunnel leads to ${end}`, 'no tunnel', end)]
  if (behind.some((address) => sameAddress(address, tunnel))) return []
  const wanted = behind.map(formatAddress).join(' or ')
  return [finding(`is reached by a tunnel to ${end}, and its node is ${wanted}`, wanted, end)]
}

/** Addresses that policies still take for pods of this cluster, and no pod has. */
function extras(
  facts: ClusterFacts,
  cilium: CiliumObjects,
  hosts: ReadonlyMap<string, Entry>,
  names: MapNames,
  map: string,
): readonly DriftFinding[] {
  if (cilium.endpoints === undefined) return []
  const known = byAddress(cilium.endpoints)
  return [...hosts].flatMap(([address, entry]): readonly DriftFinding[] => {
    const identity = entry.value('identity')
    const ofPods = identity >= FIRST_OF_PODS && identity >>> CLUSTER_BITS === 0
    const elsewhere = (entry.value('flags') & FLAGS.remoteCluster) !== 0
    if (!ofPods || elsewhere || known.has(address) || facts.objects.podAt(entry.keyAddress('address')) !== undefined) return []
    const programmed = identityText(identity, names)
    const text = `${address} is ${programmed} in ${map}, and no pod has this address`
    return [
      {
        kind: 'address-extra',
        severity: 'warning',
        subject: address,
        text,
        expected: null,
        programmed,
        evidence: [entry.evidence],
      },
    ]
  })
}
