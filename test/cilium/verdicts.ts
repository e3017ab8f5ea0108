// SPDX-License-Identifier: Apache-2.0

/** Whether a real connection, and what Hubble saw of it, are what an answer says. */

import type { ClusterFacts } from '../../core/facts/cluster.ts'
import type { Flow, Policy } from '../../core/flows/flow.ts'
import type { Outcome, Step } from '../../core/path/answer.ts'
import { type Address, formatAddress } from '../../core/net/address.ts'
import { isLoopbackAddress } from '../../core/routing/source.ts'
import type { Attempt } from './dialler.ts'
import { addressOf } from './questions.ts'

/** Whether the connection looks, from both its ends, as this outcome says. */
export function explains(facts: ClusterFacts, outcome: Outcome, { ok, answer, error, remote }: Attempt): boolean {
  const { verdict, destination, source } = outcome
  // Nobody beyond is known to have an address that belongs to a Service.
  if (verdict === 'forwarded' && isFrontend(facts, destination.ip)) return true
  if (!ok) {
    // Delivered to a node on whose port nobody listens.
    const atNode = verdict === 'delivered' && isNode(facts, addressOf(destination.ip))
    if (error === 'timeout') return verdict === 'dropped' || (atNode && isErrorLost(outcome, remote))
    return verdict === 'rejected' || (error === 'refused' && atNode)
  }
  if (verdict !== 'delivered' && verdict !== 'forwarded') return false
  // Beyond what is known others may translate again; echoes say nothing of their way.
  if (verdict === 'forwarded' || answer === undefined) return true
  const client = answer.client.slice(0, answer.client.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return client === source.ip && answer.host === hostAt(facts, outcome)
}

function isNode({ objects }: ClusterFacts, address: Address): boolean {
  return isLoopbackAddress(address) || objects.nodeAt(address) !== undefined
}

/** For UDP a refusal is an ICMP message, which Cilium's NAT for IPv6 does not bring back to a pod behind it. */
function isErrorLost({ masquerade, destination }: Outcome, remote: string): boolean {
  return masquerade && remote.startsWith('udp/') && addressOf(destination.ip).family === 6
}

function isFrontend({ objects }: ClusterFacts, ip: string): boolean {
  return [...objects.services.values()].some(({ externalIPs, loadBalancerIPs }) =>
    [...externalIPs, ...loadBalancerIPs.map(({ address }) => address)].some((address) => formatAddress(address) === ip),
  )
}

/** What whoever has the destination calls itself: a pod by its name, one in its node's network by the node's. */
export function hostAt({ objects }: ClusterFacts, { destination }: Outcome): string | undefined {
  const address = addressOf(destination.ip)
  return objects.podAt(address)?.meta.name ?? objects.nodeAt(address)?.meta.name
}

/**
 * What Hubble says against the outcomes that explain the attempt; empty when they agree. Hubble names the policies that an entry of
 * its map comes from; those that an answer names besides also speak of the packet, with another entry.
 */
export function contradictions(outcomes: readonly Outcome[], flows: readonly Flow[]): readonly string[] {
  const dropped = flows.filter(({ verdict }) => verdict === 'DROPPED')
  const byDrop = dropped.flatMap((flow) => {
    const ends = outcomes.filter(({ verdict }) => verdict === 'dropped').map(({ steps }) => steps.at(-1))
    if (ends.length === 0) return [`dropped on ${flow.nodeName}: ${flow.dropReasonDesc}, which was not predicted`]
    return ends.some((step) => step !== undefined && agreesWithDrop(step, flow))
      ? []
      : [
          `${flow.dropReasonDesc} ${flow.trafficDirection} on ${flow.nodeName}, by ${names(deniedBy(flow)).join(', ') || 'nobody named'}`,
        ]
  })
  const byVerdict = flows
    .filter(({ eventType, verdict }) => eventType?.type === POLICY_VERDICT && verdict === 'FORWARDED')
    .flatMap((flow) => {
      const hook = flow.trafficDirection === 'EGRESS' ? 'policy-egress' : 'policy-ingress'
      const judged = outcomes.flatMap(({ steps, destination }) =>
        destination.ip === flow.ip?.destination ? steps.filter((step) => step.hook === hook && step.node === flow.nodeName) : [],
      )
      if (judged.length === 0 || judged.some((step) => agreesWithVerdict(step, flow))) return []
      return [`${flow.trafficDirection} on ${flow.nodeName} allowed by ${names(allowedBy(flow)).join(', ') || 'nobody named'}`]
    })
  return [...new Set([...byDrop, ...byVerdict])]
}

const POLICY_VERDICT = 5

function agreesWithDrop({ hook, node, actor, evidence }: Step, flow: Flow): boolean {
  const byPolicy = flow.dropReasonDesc === 'POLICY_DENIED' || flow.dropReasonDesc === 'POLICY_DENY'
  if (node !== flow.nodeName) return false
  if (!byPolicy) return !hook.startsWith('policy-')
  if (hook !== (flow.trafficDirection === 'EGRESS' ? 'policy-egress' : 'policy-ingress')) return false
  const outright = evidence?.kind === 'map' && evidence.value.includes('deny=1')
  if (outright !== (flow.dropReasonDesc === 'POLICY_DENY')) return false
  return names(deniedBy(flow)).every((name) => actor.ref.includes(name))
}

function agreesWithVerdict({ effect, actor }: Step, flow: Flow): boolean {
  const named = names(allowedBy(flow))
  return effect === 'allow' && (named.length > 0 ? named.every((name) => actor.ref.includes(name)) : true)
}

/** Policies that Hubble names for the direction it judged. */
export function policiesNamed(flow: Flow): readonly Policy[] {
  return [...deniedBy(flow), ...allowedBy(flow)]
}

function deniedBy(flow: Flow): readonly Policy[] {
  return flow.trafficDirection === 'EGRESS' ? flow.egressDeniedBy : flow.ingressDeniedBy
}

function allowedBy(flow: Flow): readonly Policy[] {
  return flow.trafficDirection === 'EGRESS' ? flow.egressAllowedBy : flow.ingressAllowedBy
}

/** As steps name them: "CiliumNetworkPolicy shop/edge-not-stranger". */
function names(policies: readonly Policy[]): readonly string[] {
  return policies
    .filter(({ kind }) => kind !== '')
    .map(({ kind, namespace, name }) => `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`)
}
