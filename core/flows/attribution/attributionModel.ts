// SPDX-License-Identifier: Apache-2.0

import type { Evidence, Unknown } from '../../path/answer.ts'

/** Who dropped a flow, and why: plain data, with pointers to the objects and map entries that say so. */
export interface DropAttribution {
  /** As Hubble names it: "POLICY_DENIED". */
  readonly reason: string
  /**
   * "denied": a rule denies it. "isolated": policies select the endpoint, and none of their rules allows it. "datapath": no policy
   * decided.
   */
  readonly kind: 'denied' | 'isolated' | 'datapath'
  /** Of the endpoint whose policies or datapath dropped it; null when Hubble doesn't tell. */
  readonly direction: 'ingress' | 'egress' | null
  /** Whose policies they are: "pod shop/db", "identity 5486 (…)"; null where no policy decided. */
  readonly endpoint: string | null
  /** One or two sentences a person reads. */
  readonly text: string
  /** Every policy that had a part in it, without order: those that deny, or those that isolate. */
  readonly policies: readonly DecidingPolicy[]
  /** Rules that would have allowed it but for one thing, the closest first; for "isolated" only. */
  readonly nearRules: readonly NearRule[]
  /** Where to look it up, the most telling first. */
  readonly look: readonly Place[]
  /** What would have let it through. */
  readonly remedy: string | null
  readonly unknowns: readonly Unknown[]
}

export interface DecidingPolicy {
  /** "NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy" */
  readonly kind: string
  /** Empty for cluster-wide ones. */
  readonly namespace: string
  readonly name: string
  /** The field that decides: "spec.ingressDeny[0]", "spec.podSelector"; null when the object is not in the facts. */
  readonly field: string | null
  /** Whether Hubble named it in the flow, or the cluster's objects tell. */
  readonly source: 'hubble' | 'objects'
  readonly evidence: Evidence | null
}

/** A rule of a policy that selects the endpoint, and what keeps it from allowing the flow. */
export interface NearRule {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** "spec.ingress[1]" */
  readonly field: string
  readonly mismatches: readonly Mismatch[]
  readonly evidence: Evidence
}

export interface Mismatch {
  readonly what: 'peer' | 'port'
  /** "spec.ingress[1].from[0]" */
  readonly field: string
  /** "asks for app=web; pod shop/client-n1 has app=client" */
  readonly text: string
  readonly evidence: Evidence
}

export interface Place {
  readonly text: string
  readonly evidence: Evidence | null
}
